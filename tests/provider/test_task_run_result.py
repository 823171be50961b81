"""A task whose result is needed: late, missing, or not to be read."""

import json
import time

import pytest

from tests.provider.plugin_process import Error
from tests.provider.task_script import TaskScript

pytestmark = pytest.mark.slow

RESULT = json.dumps({"result": {"revision": "abc", "neededBackfills": ["b0001"]}})
LATE = "its result is not in the log yet"


@pytest.fixture
def defined(stack):
    stack.define("blue", "v1")
    stack.define("green", "v2")
    return stack


def only_task(fake, stack):
    (found,) = fake.client("ecs").list_tasks(cluster=stack.name, desiredStatus="STOPPED")["taskArns"]
    return found.rsplit("/", 1)[-1]


def say_late(fake, stack, line):
    """The line that the task printed, when CloudWatch Logs has it at last."""
    logs, stamp = fake.client("logs"), int(time.time() * 1000)
    place = {"logGroupName": f"/{stack.name}/app", "logStreamName": f"blue/app/{only_task(fake, stack)}"}
    logs.create_log_stream(**place)
    logs.put_log_events(**place, logEvents=[{"timestamp": stamp, "message": line}])


def test_a_result_that_is_late_is_waited_for_and_told(plugin, defined, fake):
    fake.scripts = [TaskScript.ends(0)]
    call = plugin.begin("TaskRun", plugin.checked("TaskRun", defined.task(expectsResult=True)))
    plugin.lines.wait_for(LATE)
    say_late(fake, defined, RESULT)
    state = plugin.finish(call)
    assert (state["exitCode"], state["result"]["neededBackfills"]) == (0, ["b0001"])


def test_without_a_result_it_fails_and_the_next_run_reads_the_same_tasks_log(plugin, defined, fake):
    fake.scripts = [TaskScript.ends(0)]
    inputs = plugin.checked("TaskRun", defined.task(expectsResult=True, timeoutSeconds=2))
    with pytest.raises(Error) as failed:
        plugin.create("TaskRun", inputs)
    for part in ("ended with 0, and its last line is not known", "logs:PutLogEvents", "reads its log again"):
        assert part in failed.value.text
    assert f"log group /{defined.name}/app" in failed.value.text
    read = plugin.read("TaskRun", inputs, failed.value.kept)
    assert plugin.diff("TaskRun", inputs, inputs, read) == ["exitCode"]
    say_late(fake, defined, RESULT)
    state = plugin.update("TaskRun", inputs, read)
    assert (state["exitCode"], state["result"]["revision"]) == (0, "abc")
    assert fake.count("run_task") == 1
    assert plugin.diff("TaskRun", inputs, inputs, state) == []


def test_twin_where_none_is_expected_the_same_task_is_a_success_that_says_nothing(plugin, defined, fake):
    fake.scripts = [TaskScript.ends(0)]
    state = plugin.create("TaskRun", plugin.checked("TaskRun", defined.task()))
    assert (state["exitCode"], state.get("result") or {}) == (0, {})


def test_a_last_line_that_is_no_result_is_none(plugin, defined, fake):
    fake.scripts = [TaskScript.ends(0, RESULT, "bye")]
    with pytest.raises(Error, match="or the image is not one whose command ends with a result"):
        plugin.create("TaskRun", plugin.checked("TaskRun", defined.task(expectsResult=True, timeoutSeconds=2)))
