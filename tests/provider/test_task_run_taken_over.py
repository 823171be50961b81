"""`TaskRun` after a run that was killed: the task that it left is taken over, or is not. Over gRPC, fake AWS."""

import json

import pytest

from tests.provider.plugin_process import Error, PluginProcess
from tests.provider.task_script import TaskScript

pytestmark = pytest.mark.slow
RESULT = json.dumps({"result": {"revision": "abc"}})


@pytest.fixture
def defined(stack):
    stack.define("blue", "v1")
    stack.define("green", "v2")
    return stack


def start_like_a_killed_run(plugin, defined, script):
    """A run whose plugin is gone: the task is there, and no state knows it."""
    defined.fake.scripts = [script]
    call = plugin.begin("TaskRun", plugin.checked("TaskRun", defined.task()))
    plugin.lines.wait_for("RUNNING")
    plugin.used_up = True
    plugin.process.kill()
    with pytest.raises(Error):
        plugin.finish(call)


def test_a_running_task_of_a_killed_run_is_taken_over(plugin, plugins, defined, fake):
    script = TaskScript(lines=(RESULT,))
    start_like_a_killed_run(plugin, defined, script)
    again = second(plugins, fake)
    call = again.begin("TaskRun", again.checked("TaskRun", defined.task()))
    again.lines.wait_for("taking over task")
    script.release.set()
    assert again.finish(call)["exitCode"] == 0
    assert fake.count("run_task") == 1


def second(plugins, fake):
    running, kept = plugins
    running.close()
    kept.append(running.enter_context(PluginProcess(fake.endpoint)))
    return kept[-1]


def test_a_task_that_succeeded_while_nobody_watched_is_taken_over(plugin, plugins, defined, fake):
    script = TaskScript(lines=(RESULT,))
    start_like_a_killed_run(plugin, defined, script)
    ended(fake, script)
    again = second(plugins, fake)
    state = again.create("TaskRun", again.checked("TaskRun", defined.task()))
    assert state["result"]["revision"] == "abc"
    assert fake.count("run_task") == 1


def test_one_that_succeeded_with_another_task_definition_is_not(plugin, plugins, defined, fake):
    script = TaskScript(lines=(RESULT,))
    start_like_a_killed_run(plugin, defined, script)
    ended(fake, script)
    defined.define("blue", "v3")
    fake.scripts = [TaskScript.ends(0, RESULT)]
    again = second(plugins, fake)
    again.create("TaskRun", again.checked("TaskRun", defined.task()))
    assert fake.count("run_task") == 2


def test_a_task_that_failed_while_nobody_watched_is_not(plugin, plugins, defined, fake):
    script = TaskScript(exit_code=1)
    start_like_a_killed_run(plugin, defined, script)
    ended(fake, script)
    fake.scripts = [TaskScript.ends(0, RESULT)]
    again = second(plugins, fake)
    assert again.create("TaskRun", again.checked("TaskRun", defined.task()))["exitCode"] == 0
    assert fake.count("run_task") == 2


def ended(fake, script):
    import threading

    script.release.set()
    pause = threading.Event()
    for _ in range(200):
        if not fake._running:
            return
        pause.wait(0.02)
    raise AssertionError("still running")


def test_another_trigger_takes_nothing_over(plugin, plugins, defined, fake):
    script = TaskScript(lines=(RESULT,))
    start_like_a_killed_run(plugin, defined, script)
    fake.scripts = [TaskScript.ends(0, RESULT)]
    again = second(plugins, fake)
    again.create("TaskRun", again.checked("TaskRun", defined.task("v2")))
    assert fake.count("run_task") == 2
    ended(fake, script)


def test_an_old_success_of_the_same_trigger_is_not_taken_for_a_new_run(plugin, defined, fake):
    """v1 checked, v2 expanded, v1 checked again: the first answer may be wrong by now."""
    fake.scripts = [TaskScript.ends(0, RESULT)]
    one = plugin.checked("TaskRun", defined.task("v1"))
    two = plugin.checked("TaskRun", defined.task("v2"))
    state = plugin.create("TaskRun", one)
    state = plugin.update("TaskRun", two, state, one)
    third = plugin.update("TaskRun", one, state, two)
    assert fake.count("run_task") == 3
    assert third["taskArn"] not in {state["taskArn"]}
