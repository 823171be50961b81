"""A migration task is told how long it has until it is stopped, so that it can end by itself before."""

import json

import pytest

from provider.task_time import SETTING
from tests.provider.task_script import TaskScript

pytestmark = pytest.mark.slow
RESULT = json.dumps({"result": {}})


@pytest.fixture
def defined(stack):
    stack.define("blue", "v1")
    stack.define("green", "v2")
    return stack


def told(fake):
    """What each task was told, in order; None where it was told nothing."""
    asked = [arguments for name, arguments in fake.calls if name == "run_task"]
    given = [one["overrides"]["containerOverrides"][0]["environment"] for one in asked]
    return [next((int(one["value"]) for one in each if one["name"] == SETTING), None) for each in given]


def run(plugin, stack, fake, *scripts, **more):
    fake.scripts = [*scripts] or [TaskScript.ends(0, RESULT)]
    plugin.create("TaskRun", plugin.checked("TaskRun", stack.task(**more)))


def test_it_is_what_is_left_of_the_time_of_its_resource(plugin, defined, fake):
    run(plugin, defined, fake, timeoutSeconds=240)
    (seconds,) = told(fake)
    assert 200 <= seconds < 240


def test_it_makes_no_difference_to_what_is_on_record(plugin, defined, fake):
    inputs = plugin.checked("TaskRun", defined.task(timeoutSeconds=240))
    fake.scripts = [TaskScript.ends(0, RESULT)]
    assert plugin.create("TaskRun", inputs)["environment"] == inputs["environment"]


def test_another_task_is_told_nothing(plugin, defined, fake):
    run(plugin, defined, fake, command=["python", "-m", "app.smoke"])
    assert told(fake) == [None]
