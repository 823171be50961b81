"""A contract task is held back by what the old color still is: weight, targets, tasks, answers. Over gRPC, fake AWS.

Each kind of evidence is refused here alone, and each of these states has its twin without the look: it would contract.
"""

import datetime
import itertools
import json
import re
import threading
import time

import pytest

from tests.provider.plugin_process import Error
from tests.provider.task_script import TaskScript
from tests.provider.test_freeze import freeze, thaw

pytestmark = pytest.mark.slow

RESULT = json.dumps({"result": {"revision": "e0003+c0002"}})
PERIOD, DELAY, QUIET = 60, 180, 300
RUNS = itertools.count(1)  # a run of the same trigger would take over the task of the one before


@pytest.fixture
def gone(live):
    """Green serves v2 with all the weight; blue has neither tasks nor targets any more."""
    live.serve("blue", "v1", 0)
    live.settle()
    live.set_weights(0, 100)
    return live


def evidence(stack, **more):
    return {
        "color": "blue",
        "listenerRuleArn": stack.rule,
        "targetGroupArns": stack.groups,
        "services": stack.services,
        "taskDefinitions": stack.definitions,
        "quietSeconds": QUIET,
        "periodSeconds": PERIOD,
        "delaySeconds": DELAY,
        **more,
    }


def inputs(stack, **more):
    return stack.task(
        f"v2/contract/{next(RUNS)}",
        name="migrations",
        color="green",
        command=["python", "-m", "migrations", "contract"],
        evidence=evidence(stack, **more),
    )


def contract(plugin, stack, **more):
    stack.fake.scripts = [TaskScript.ends(0, RESULT)]
    stack.fake.calls.clear()
    return plugin.create("TaskRun", plugin.checked("TaskRun", inputs(stack, **more)))


def refused(plugin, stack, *texts, **more):
    with pytest.raises(Error) as failed:
        contract(plugin, stack, **more)
    text = failed.value.text
    for one in (
        "migrations: contract",
        "was not started",
        "the old color blue",
        "Nothing was changed in the database",
        *texts,
    ):
        assert one in text, text
    assert failed.value.kept is None
    assert stack.fake.count("run_task") == 0
    return text


def test_a_freeze_keeps_the_way_back(plugin, gone):
    freeze(gone)
    refused(plugin, gone, "the weights are frozen since 2026-01-02T03:04:05Z by somebody", "make thaw", quietSeconds=0)
    thaw(gone)
    assert contract(plugin, gone, quietSeconds=0)["exitCode"] == 0


def contracts(plugin, stack, **more):
    assert contract(plugin, stack, **more)["exitCode"] == 0
    (told,) = [one for name, one in stack.fake.calls if name == "run_task"]
    return {one["name"]: one["value"] for one in told["overrides"]["containerOverrides"][0]["environment"]}


def without_evidence(plugin, stack):
    """The twin: the same state, and nobody looks."""
    stack.fake.scripts = [TaskScript.ends(0, RESULT)]
    asked = {key: value for key, value in inputs(stack).items() if key != "evidence"}
    assert plugin.create("TaskRun", plugin.checked("TaskRun", asked))["exitCode"] == 0


def start_by_hand(stack, color="blue", **more):
    """As somebody with the CLI would; it runs until the test stops it."""
    script = TaskScript()
    stack.fake.scripts = [script]
    network = {"awsvpcConfiguration": {"subnets": stack.subnets, "securityGroups": [stack.security]}}
    made = stack.fake.client("ecs").run_task(
        cluster=stack.name, taskDefinition=stack.definitions[color], launchType="FARGATE", networkConfiguration=network,
        **more,
    )  # fmt: skip
    return made["tasks"][0]["taskArn"].rsplit("/", 1)[-1], script


def answered(stack, count, ago, group="blue"):
    """The old color answered requests: one datapoint for the minute of `ago` seconds before now; answers its end."""
    at = (time.time() - ago) // PERIOD * PERIOD
    stack.fake.client("cloudwatch").put_metric_data(
        Namespace="AWS/ApplicationELB",
        MetricData=[
            {
                "MetricName": "RequestCount",
                "Dimensions": [
                    {"Name": "LoadBalancer", "Value": stack.balancer.split("loadbalancer/")[1]},
                    {"Name": "TargetGroup", "Value": stack.groups[group].rsplit(":", 1)[-1]},
                ],
                "Timestamp": datetime.datetime.fromtimestamp(at, datetime.UTC),
                "Value": count,
                "Unit": "Count",
            }
        ],
    )
    return at + PERIOD


def test_nothing_speaks_against_it(plugin, gone):
    told = contracts(plugin, gone)
    running = told["MIGRATION_RUNNING_VERSIONS"].split(",")
    assert [one.partition("@")[0] for one in running] == ["v2", "v2"]
    plugin.lines.wait_for("blue has no weight, no target, no task, and was quiet for 300 s")


def test_weight(plugin, gone):
    gone.set_weights(1, 99)
    refused(plugin, gone, "blue has weight 1 in the listener rule (blue 1 / green 99); expected weight 0")
    without_evidence(plugin, gone)
    gone.set_weights(0, 100)
    contracts(plugin, gone)


def test_registered_targets(plugin, gone):
    elb, group = gone.fake.client("elbv2"), gone.groups["blue"]
    target = {"Id": "10.0.0.77", "Port": 8080}
    elb.register_targets(TargetGroupArn=group, Targets=[target])
    refused(plugin, gone, "blue is registered with the load balancer: 10.0.0.77:8080 healthy", "deregister")
    gone.fake.health["blue"] = ("draining", "Target.DeregistrationInProgress")
    refused(plugin, gone, "10.0.0.77:8080 draining", "Run `pulumi up` again in 5 s")
    without_evidence(plugin, gone)
    elb.deregister_targets(TargetGroupArn=group, Targets=[target])
    contracts(plugin, gone)


def test_a_target_that_drains_is_waited_for(plugin, gone):
    elb, group = gone.fake.client("elbv2"), gone.groups["blue"]
    target = {"Id": "10.0.0.78", "Port": 8080}
    elb.register_targets(TargetGroupArn=group, Targets=[target])
    gone.fake.health["blue"] = ("draining", "Target.DeregistrationInProgress")
    gone.fake.scripts = [TaskScript.ends(0, RESULT)]
    gone.fake.calls.clear()
    call = plugin.begin("TaskRun", plugin.checked("TaskRun", inputs(gone, waitSeconds=60)))
    plugin.lines.wait_for(
        "contract waits up to 5 s: blue is registered with the load balancer: 10.0.0.78:8080 draining"
    )
    assert gone.fake.count("run_task") == 0
    elb.deregister_targets(TargetGroupArn=group, Targets=[target])
    assert plugin.finish(call)["exitCode"] == 0
    assert len([one for one in plugin.lines.lasting() if "contract waits" in one]) == 1


def test_tasks_of_its_service(plugin, live):
    live.set_weights(0, 100)
    text = refused(plugin, live, "blue has 2 running or pending tasks", "aws ecs stop-task", "registered")
    assert len(re.findall(rf"[0-9a-f-]{{32,36}} \(v1, RUNNING, service:{live.name}-blue\)", text)) == 2
    without_evidence(plugin, live)


def test_a_task_that_was_started_by_hand(plugin, gone):
    """Of the old color's task definition, whatever version it is told to say; one that waits to start counts too."""
    name, script = start_by_hand(gone)
    refused(plugin, gone, "blue has 1 running or pending task: ", f"{name} (v1, ", "Stop it (`aws ecs stop-task`)")
    without_evidence(plugin, gone)
    script.release.set()
    stopped(gone, name)
    contracts(plugin, gone)


def stopped(stack, name):
    pause = threading.Event()
    for _ in range(200):
        found = stack.fake.client("ecs").describe_tasks(cluster=stack.name, tasks=[name])["tasks"]
        if found[0]["lastStatus"] == "STOPPED":
            return
        pause.wait(0.05)
    raise AssertionError(found)


def test_a_task_that_is_stopping_still_runs(plugin, gone):
    name, script = start_by_hand(gone)
    with gone.fake.lock:
        (task,) = [one for one in gone.fake._tasks() if one.task_arn.endswith(name)]
        task.desired_status = "STOPPED"
    refused(plugin, gone, f"{name} (v1, ", "Run `pulumi up` again in 5 s")
    script.release.set()
    stopped(gone, name)
    contracts(plugin, gone)


def test_tasks_of_the_live_color_are_told_to_the_command_and_not_judged_here(plugin, gone):
    """Only the image knows which versions know its revisions. A task that says no version is told as unknown."""
    ecs = gone.fake.client("ecs")
    network = {"awsvpcConfiguration": {"subnets": gone.subnets, "securityGroups": [gone.security]}}
    container = {"name": "other", "image": "repo@sha256:x", "memory": 512}
    made = ecs.register_task_definition(
        family=f"{gone.name}-other", networkMode="awsvpc", requiresCompatibilities=["FARGATE"], cpu="256", memory="512",
        containerDefinitions=[container],
    )["taskDefinition"]["taskDefinitionArn"]  # fmt: skip
    scripts = []
    for definition, overrides in (
        (made, {}),
        (gone.definitions["green"], {"containerOverrides": [
            {"name": "app", "environment": [{"name": "APP_VERSION", "value": "v0"}]}
        ]}),
    ):  # fmt: skip
        script = TaskScript()
        gone.fake.scripts = [script]
        task = ecs.run_task(
            cluster=gone.name, taskDefinition=definition, launchType="FARGATE", networkConfiguration=network,
            overrides=overrides,
        )["tasks"][0]["taskArn"].rsplit("/", 1)[-1]  # fmt: skip
        scripts.append((script, task))
    told = contracts(plugin, gone)["MIGRATION_RUNNING_VERSIONS"].split(",")
    assert f"?@{scripts[0][1]}" in told
    assert f"v0@{scripts[1][1]}" in told
    assert f"v2@{scripts[1][1]}" in told
    for script, task in scripts:
        script.release.set()
        stopped(gone, task)


def test_it_answered_a_request_not_long_ago(plugin, gone):
    end = answered(gone, 12, ago=120)
    shown = datetime.datetime.fromtimestamp(end, datetime.UTC).strftime("%H:%M:%S")
    text = refused(plugin, gone, f"blue answered 12 requests in the last 540 s, the last one before {shown} UTC")
    assert "expected none for 300 s" in text
    wait = int(re.search(r"Run `pulumi up` again in (\d+) s", text).group(1))
    # The end of that minute, the quiet time, and the time that the metric may be late.
    assert abs(end + QUIET + DELAY - time.time() - wait) < 15
    without_evidence(plugin, gone)
    assert contract(plugin, gone, quietSeconds=0)["exitCode"] == 0


def test_a_minute_that_may_not_have_arrived_yet_is_no_proof(plugin, gone):
    """Quiet for longer than asked for, as far as is seen; but the last minutes may still be on their way."""
    answered(gone, 1, ago=QUIET + PERIOD)
    refused(plugin, gone, "blue answered 1 request in the last")
    assert contract(plugin, gone, delaySeconds=0)["exitCode"] == 0


def test_what_it_answered_long_ago_or_the_other_color_answered_is_no_matter(plugin, gone):
    answered(gone, 5, ago=QUIET + DELAY + 2 * PERIOD + 5)
    answered(gone, 5, ago=10, group="green")
    contracts(plugin, gone)


def test_the_quiet_time_is_waited_for_where_there_is_time(plugin, gone):
    answered(gone, 3, ago=0)
    gone.fake.scripts = [TaskScript.ends(0, RESULT)]
    gone.fake.calls.clear()
    few = {"quietSeconds": 1, "delaySeconds": 0}
    call = plugin.begin("TaskRun", plugin.checked("TaskRun", inputs(gone, waitSeconds=80, **few)))
    plugin.lines.wait_for("migrations: contract waits up to")
    plugin.lines.wait_for("blue answered 3 requests")
    assert gone.fake.count("run_task") == 0
    gone.set_weights(5, 95)  # meanwhile somebody gives it weight: no clock mends that
    with pytest.raises(Error) as failed:
        plugin.finish(call)
    assert "blue has weight 5" in failed.value.text
    assert gone.fake.count("run_task") == 0


def test_a_cancel_ends_the_wait_and_starts_nothing(plugin, gone):
    answered(gone, 3, ago=0)
    call = plugin.begin("TaskRun", plugin.checked("TaskRun", inputs(gone, waitSeconds=900)))
    plugin.lines.wait_for("migrations: contract waits up to")
    plugin.cancel()
    with pytest.raises(Error) as failed:
        plugin.finish(call)
    assert "contract was not started: canceled while it waited for blue. Nothing was changed" in failed.value.text
    assert gone.fake.count("run_task") == 0


def test_several_findings_are_one_message(plugin, live):
    answered(live, 7, ago=0)
    live.set_weights(10, 90)
    name, script = start_by_hand(live)
    text = refused(plugin, live, "blue has weight 10", "registered", "3 running or pending tasks", name, "answered 7")
    assert re.search(r"Then run `pulumi up` again, in \d+ s \(as with exit code 15 of the migrations command\)$", text)
    script.release.set()
    stopped(live, name)


def test_a_failed_contract_looks_again(plugin, gone):
    """Evidence of an earlier try is no evidence: the task failed, and meanwhile somebody started the old version."""
    gone.fake.scripts = [TaskScript.ends(4, "lock not obtained")]
    asked = plugin.checked("TaskRun", inputs(gone))
    with pytest.raises(Error) as failed:
        plugin.create("TaskRun", asked)
    kept = failed.value.kept
    assert plugin.diff("TaskRun", asked, asked, kept) == ["exitCode"]
    name, script = start_by_hand(gone)
    gone.fake.calls.clear()
    with pytest.raises(Error) as failed:
        plugin.update("TaskRun", asked, kept)
    assert name in failed.value.text
    assert gone.fake.count("run_task") == 0
    script.release.set()
    stopped(gone, name)
    gone.fake.scripts = [TaskScript.ends(0, RESULT)]
    assert plugin.update("TaskRun", asked, kept)["exitCode"] == 0


def test_where_nothing_is_pending_nothing_is_held_back(plugin, live):
    """A release without a contract is not to wait: it is told who runs, and finds nothing to do."""
    told = contracts(plugin, live, pending=[])
    assert sorted(one.partition("@")[0] for one in told["MIGRATION_RUNNING_VERSIONS"].split(",")) == [
        "v1",
        "v1",
        "v2",
        "v2",
    ]
    refused(plugin, live, "contract c0001, c0002 was not started", pending=["c0001", "c0002"])


def test_evidence_is_no_input_that_makes_another_run(plugin, gone):
    asked = plugin.checked("TaskRun", inputs(gone))
    gone.fake.scripts = [TaskScript.ends(0, RESULT)]
    state = plugin.create("TaskRun", asked)
    other = {**asked, "evidence": {**asked["evidence"], "quietSeconds": 77, "color": "green"}}
    assert plugin.diff("TaskRun", asked, other, state) == []


def test_wrong_evidence_is_refused(plugin, gone):
    wrong = evidence(gone, color="red", quietSeconds=-1, pending="c0001", more=1) | {"services": {"blue": "x"}}
    _, failures = plugin.check("TaskRun", gone.task(evidence=wrong))
    assert set(failures) == {f"evidence.{one}" for one in ("color", "quietSeconds", "pending", "more", "services")}
    _, failures = plugin.check("TaskRun", gone.task(evidence=[1]))
    assert "expected a map" in failures["evidence"]
