"""A contract and what the old color still is, for tests of the evidence that holds it back."""

import datetime
import itertools
import json
import threading
import time

import pytest

from tests.provider.plugin_process import Error
from tests.provider.task_script import TaskScript

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


def stopped(stack, name):
    pause = threading.Event()
    for _ in range(200):
        found = stack.fake.client("ecs").describe_tasks(cluster=stack.name, tasks=[name])["tasks"]
        if found[0]["lastStatus"] == "STOPPED":
            return
        pause.wait(0.05)
    raise AssertionError(found)
