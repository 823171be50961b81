"""A migration task is told which of its kind are STOPPED, as ECS says it at that moment."""

import json
import threading

import pytest

from provider.stopped import MOST, SETTING
from tests.provider.task_script import TaskScript

pytestmark = pytest.mark.slow
RESULT = json.dumps({"result": {}})
SMOKE = ["python", "-m", "app.smoke"]


@pytest.fixture
def defined(stack):
    stack.define("blue", "v1")
    stack.define("green", "v2")
    return stack


def run(plugin, stack, **more):
    """The id of the task of one run that succeeds."""
    stack.fake.scripts = [TaskScript.ends(0, RESULT)]
    return plugin.create("TaskRun", plugin.checked("TaskRun", stack.task(**more)))["taskArn"].rsplit("/", 1)[-1]


def told(fake):
    """What the newest task was told; None where it was told nothing."""
    arguments = [arguments for name, arguments in fake.calls if name == "run_task"][-1]
    given = arguments["overrides"]["containerOverrides"][0]["environment"]
    found = [one["value"] for one in given if one["name"] == SETTING]
    return found[0].split(",") if found else None


def test_a_migration_is_told_the_stopped_tasks_of_both_colors_newest_first(plugin, defined, fake):
    first = run(plugin, defined, trigger="1", color="blue")
    assert told(fake) is None
    second = run(plugin, defined, trigger="2", color="green")
    assert told(fake) == [first]
    run(plugin, defined, trigger="3", color="blue")
    assert told(fake) == [second, first]


def test_a_task_that_still_runs_is_not_among_them(plugin, defined, fake):
    going = TaskScript(lines=(RESULT,))
    fake.scripts = [going]
    call = plugin.begin("TaskRun", plugin.checked("TaskRun", defined.task(trigger="1")))
    plugin.lines.wait_for("RUNNING")
    run(plugin, defined, trigger="2")
    assert told(fake) is None
    going.release.set()
    plugin.finish(call)


def test_a_task_that_was_told_to_stop_and_has_not_stopped_is_not_among_them(plugin, defined, fake):
    first = run(plugin, defined, trigger="1")
    with fake.lock:
        task = next(one for one in fake._tasks() if one.task_arn.endswith(first))
        task.status = "STOPPING"
    run(plugin, defined, trigger="2")
    assert told(fake) is None


def test_what_runs_no_migration_is_told_nothing(plugin, defined, fake):
    run(plugin, defined, trigger="1")
    run(plugin, defined, trigger="2", command=SMOKE)
    assert told(fake) is None


def test_it_makes_no_difference_to_what_is_on_record(plugin, defined):
    """Else each preview after a failed run would find a change."""
    run(plugin, defined, trigger="1")
    defined.fake.scripts = [TaskScript.ends(0, RESULT)]
    inputs = plugin.checked("TaskRun", defined.task(trigger="2"))
    state = plugin.create("TaskRun", inputs)
    assert SETTING not in state["environment"]
    assert not plugin.diff("TaskRun", inputs, inputs, state)


def test_the_number_is_bounded(plugin, defined, fake):
    ecs = fake.client("ecs")
    network = {"awsvpcConfiguration": {"subnets": defined.subnets, "securityGroups": [defined.security]}}
    for _ in range(MOST // 10 + 1):
        fake.scripts = [TaskScript.ends(0)] * 10
        ecs.run_task(
            cluster=defined.name,
            taskDefinition=defined.definitions["blue"],
            count=10,
            launchType="FARGATE",
            networkConfiguration=network,
        )
    listed = {"cluster": defined.name, "desiredStatus": "STOPPED"}
    pause = threading.Event()
    for _ in range(200):
        if len(ecs.list_tasks(**listed)["taskArns"]) > MOST:
            break
        pause.wait(0.05)
    run(plugin, defined, trigger="1")
    assert len(set(told(fake))) == len(told(fake)) == MOST
