"""A contract task is held back by what the old color still is: weight, targets, tasks, answers. Over gRPC, fake AWS.

Each kind of evidence is refused here alone, and each of these states has its twin without the look: it would contract.
"""

import re

import pytest

from provider.rpc.values import UNKNOWN
from tests.provider.holding_back import (
    RESULT,
    answered,
    contract,
    contracts,
    evidence,
    gone,
    inputs,
    refused,
    start_by_hand,
    stopped,
    without_evidence,
)
from tests.provider.plugin_process import Error
from tests.provider.task_script import TaskScript
from tests.provider.test_freeze import freeze, thaw

__all__ = ["gone"]  # a fixture
pytestmark = pytest.mark.slow


def test_a_freeze_keeps_the_way_back(plugin, gone):
    freeze(gone)
    refused(plugin, gone, "the weights are frozen since 2026-01-02T03:04:05Z by somebody", "make thaw", quietSeconds=0)
    thaw(gone)
    assert contract(plugin, gone, quietSeconds=0)["exitCode"] == 0


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


def test_a_migration_of_the_old_color_that_somebody_started_counts(plugin, gone):
    """Its task definition is the run's own, and not that of the service."""
    name, script = start_by_hand(gone)
    others = {one: f"arn:aws:ecs:eu-west-1:123456789012:task-definition/other-{one}:1" for one in gone.definitions}
    refused(plugin, gone, name, "blue has 1 running or pending task", taskDefinitions=others)
    script.release.set()
    stopped(gone, name)


def test_it_is_looked_at_for_each_asking_of_ecs(plugin, gone):
    """ECS has no capacity, and while the run waits for some the old color gets weight again."""
    gone.fake.refuses = "Capacity is unavailable at this time"
    gone.fake.calls.clear()
    call = plugin.begin("TaskRun", plugin.checked("TaskRun", inputs(gone, quietSeconds=0)))
    plugin.lines.wait_for("waiting for capacity")
    gone.set_weights(10, 90)
    gone.fake.refuses = ""
    gone.fake.scripts = [TaskScript.ends(0, RESULT)]
    with pytest.raises(Error, match="blue has weight 10"):
        plugin.finish(call)


def test_a_success_from_before_the_resource_was_deleted_is_not_taken_for_this_one(plugin, gone):
    """As after `previous`: retired, warm, retired. It is looked at anew, and what it says is of now."""
    gone.fake.scripts = [TaskScript.ends(0, RESULT)]
    asked = plugin.checked("TaskRun", inputs(gone, quietSeconds=0))
    gone.fake.calls.clear()
    for times in (1, 2):
        assert plugin.create("TaskRun", asked)["exitCode"] == 0
        assert gone.fake.count("run_task") == times


def test_several_findings_are_one_message(plugin, live):
    answered(live, 7, ago=0)
    live.set_weights(10, 90)
    name, script = start_by_hand(live)
    text = refused(plugin, live, "blue has weight 10", "registered", "3 running or pending tasks", name, "answered 7")
    assert re.search(r"Then run `pulumi up` again, in \d+ s \(as with exit code 15 of the migrations command\)$", text)
    script.release.set()
    stopped(live, name)


def warned(plugin, stack, **more):
    """What a preview of the contract warns of."""
    before = len(plugin.lines.lasting())
    made = plugin.create("TaskRun", plugin.checked("TaskRun", inputs(stack, **more)), preview=True)
    assert made["exitCode"] == UNKNOWN
    return [text for text in plugin.lines.lasting()[before:] if "would be held back" in text]


def test_a_preview_says_what_no_run_ends_by_itself(plugin, live):
    """The old color still has all that the run takes from it; a task that somebody started is another matter."""
    live.set_weights(10, 90)
    assert warned(plugin, live) == []
    name, script = start_by_hand(live)
    (text,) = warned(plugin, live, pending=["c0001"])
    assert "contract c0001 would be held back as things are now: blue has 1 running or pending task" in text
    assert name in text
    (text,) = warned(plugin, live, pending=UNKNOWN)
    assert "contract would be held back" in text
    for quiet in ({"pending": []}, {"color": UNKNOWN}):
        assert warned(plugin, live, **quiet) == []
    script.release.set()
    stopped(live, name)
    freeze(live)
    (text,) = warned(plugin, live)
    assert "the weights are frozen since" in text
    assert live.fake.count("run_task") == 1, "only the one by hand"


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
