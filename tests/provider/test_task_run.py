"""`TaskRun` over gRPC against the fake AWS."""

import json

import pytest

from tests.provider.plugin_process import Error
from tests.provider.task_script import TaskScript

pytestmark = pytest.mark.slow

RESULT = json.dumps({"result": {"revision": "abc", "applied": ["abc"]}})


@pytest.fixture
def defined(stack):
    stack.define("blue", "v1")
    stack.define("green", "v2")
    return stack


def run(plugin, stack, *scripts, **more):
    stack.fake.scripts = list(scripts)
    return plugin.create("TaskRun", plugin.checked("TaskRun", stack.task(**more)))


def fail(plugin, stack, *scripts, **more):
    with pytest.raises(Error) as failed:
        run(plugin, stack, *scripts, **more)
    return failed.value


def test_success_gives_exit_code_result_and_log_place(plugin, defined):
    state = run(plugin, defined, TaskScript.ends(0, "upgrading", RESULT))
    assert state["exitCode"] == 0
    assert state["result"] == {"revision": "abc", "applied": ["abc"]}
    assert state["logGroup"] == f"/{defined.name}/app"
    assert state["logStream"] == f"blue/app/{state['taskArn'].rsplit('/', 1)[-1]}"
    assert state["startedAt"]


def test_it_says_its_phases_and_the_tasks_own_lines(plugin, defined):
    script = TaskScript(lines=("upgrading", RESULT))
    defined.fake.scripts = [script]
    call = plugin.begin("TaskRun", plugin.checked("TaskRun", defined.task()))
    plugin.lines.wait_for("expand: upgrading")  # while it runs, not only afterwards
    script.release.set()
    plugin.finish(call)
    lines = plugin.lines.lasting()
    for text in ("started, python -m migrations expand", "PROVISIONING", "RUNNING", "STOPPED", "expand: upgrading"):
        assert any(text in line for line in lines), text


def test_a_line_that_begins_with_the_name_itself_has_it_once(plugin, defined):
    run(plugin, defined, TaskScript.ends(0, "expand: waits for a lock", "and expand: goes on", RESULT))
    lines = [line for line in plugin.lines.lasting() if "waits for a lock" in line or "goes on" in line]
    assert [line[line.index("expand: ") :] for line in lines] == [
        "expand: waits for a lock",
        "expand: and expand: goes on",
    ]


def test_lines_for_cloudwatch_are_not_shown(plugin, defined):
    run(plugin, defined, TaskScript.ends(0, "half done", '{"_aws": {"Timestamp": 1}, "BackfillRows": 7}', RESULT))
    lines = plugin.lines.lasting()
    assert any("expand: half done" in line for line in lines)
    assert not any("BackfillRows" in line for line in lines)


def test_the_command_and_environment_reach_the_named_container(plugin, defined, fake):
    run(plugin, defined, TaskScript.ends(0), environment={"B": "2", "A": "1"})
    override = fake.calls[-1][1]["overrides"]["containerOverrides"][0]
    assert override["name"] == "app"
    assert override["command"] == ["python", "-m", "migrations", "expand"]
    given = [one for one in override["environment"] if not one["name"].startswith("MIGRATION_")]
    assert given == [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]


def test_a_nonzero_exit_fails_and_keeps_the_task_in_state(plugin, defined):
    failed = fail(plugin, defined, TaskScript.ends(3, "line one", "psycopg.errors.LockNotAvailable"))
    assert "exited with code 3" in failed.text
    assert "LockNotAvailable" in failed.text
    assert f"log group /{defined.name}/app" in failed.text
    assert failed.kept["taskArn"] in failed.text
    assert failed.kept["exitCode"] == 3


def test_a_failure_ends_with_the_advice_and_other_advice_alone_is_no_other_run(plugin, defined):
    assert fail(plugin, defined, TaskScript.ends(3), advice="Go back or go on").text.endswith("\nGo back or go on")
    inputs = plugin.checked("TaskRun", defined.task(advice="one"))
    defined.fake.scripts = [TaskScript.ends(0)]
    state = plugin.create("TaskRun", inputs)
    assert plugin.diff("TaskRun", inputs, plugin.checked("TaskRun", defined.task(advice="two")), state) == []


def test_a_task_that_never_ran_is_told_apart_from_one_that_failed(plugin, defined):
    pull = "CannotPullContainerError: pull image manifest has been retried"
    failed = fail(plugin, defined, TaskScript(exit_code=None, reason=pull, container_reason="CannotPullContainerError"))
    assert "never started" in failed.text
    assert pull in failed.text
    assert "TaskFailedToStart" in failed.text
    assert "exitCode" not in failed.kept


def test_a_start_that_failed_for_a_passing_reason_is_tried_once_more(plugin, defined, fake):
    late = TaskScript(exit_code=None, reason="ResourceInitializationError: context deadline: i/o timeout")
    assert run(plugin, defined, late, TaskScript.ends(0, RESULT))["exitCode"] == 0
    plugin.lines.wait_for("trying once more")
    assert fake.count("run_task") == 2
    fake.calls.clear()
    assert "never started" in fail(plugin, defined, late, late, late, trigger="v2").text
    assert fake.count("run_task") == 2


def test_a_start_that_failed_for_good_is_not(plugin, defined, fake):
    fail(plugin, defined, TaskScript(exit_code=None, reason="CannotPullContainerError: not found"))
    assert fake.count("run_task") == 1


def test_failures_of_run_task_are_read(plugin, defined, fake):
    fake.refuses = "AccessDenied"
    failed = fail(plugin, defined, TaskScript.ends(0))
    assert "ECS did not start the task: AccessDenied" in failed.text
    assert failed.kept is None


def test_what_a_task_prints_can_not_hide_anything_in_the_terminal(plugin, defined):
    failed = fail(plugin, defined, TaskScript.ends(1, "\x1b[2K<{%reset%}> gone \u202eback"))
    shown = "\\x1b[2K<{\\x25reset%}> gone \\u202eback"
    assert shown in failed.text
    assert shown in " ".join(plugin.lines.lasting())


def test_only_the_last_lines_are_in_the_message(plugin, defined):
    failed = fail(plugin, defined, TaskScript.ends(1, *(f"line {n}" for n in range(40))))
    assert "line 25" in failed.text
    assert "line 24\n" not in failed.text


def test_a_container_that_is_not_there_is_refused_before_anything_runs(plugin, defined, fake):
    failed = fail(plugin, defined, TaskScript.ends(0), container="migrate")
    assert "has no container 'migrate'; it has ['app']" in failed.text
    assert fake.count("run_task") == 0


def test_the_exit_code_of_the_named_container_counts_whatever_its_place(plugin, defined, fake):
    """A sidecar that is listed first and ends with 0 must not hide the failure."""
    script = TaskScript(exit_code=7)
    fake.scripts = [script]
    call = plugin.begin("TaskRun", plugin.checked("TaskRun", defined.task()))
    plugin.lines.wait_for("RUNNING")
    with fake.lock:
        task, _, _ = next(iter(fake._running.values()))
        sidecar = type("Sidecar", (), {})()
        sidecar.__dict__.update(vars(task.containers[0]) | {"name": "logs", "exitCode": 0, "exit_code": 0})
        own = task.containers[0]
        task.containers = [own]
        fake._end = lambda one, code, *more: (
            type(fake)._end(fake, one, code, *more),
            one.containers.insert(0, sidecar),
        )
        script.release.set()
    try:
        with pytest.raises(Error, match="container app exited with code 7"):
            plugin.finish(call)
    finally:
        del fake._end


def test_a_failed_run_differs_until_it_has_succeeded_also_after_a_refresh(plugin, defined):
    inputs = plugin.checked("TaskRun", defined.task())
    failed = fail(plugin, defined, TaskScript.ends(1))
    read = plugin.read("TaskRun", inputs, failed.kept)  # the engine's own mark is gone after this
    assert plugin.diff("TaskRun", inputs, inputs, read) == ["exitCode"]
    defined.fake.scripts = [TaskScript.ends(0, RESULT)]
    state = plugin.update("TaskRun", inputs, read)
    assert state["taskArn"] != failed.kept["taskArn"]
    assert plugin.diff("TaskRun", inputs, inputs, state) == []


@pytest.mark.parametrize(
    ("change", "again"),
    [
        ({"trigger": "v2"}, True),
        ({"command": ["true"]}, True),
        ({"environment": {"A": "1"}}, True),
        ({"color": "green"}, True),
        ({"timeoutSeconds": 5}, False),
        ({"subnets": ["subnet-1"]}, False),
        ({"taskDefinitions": {"blue": "b:9", "green": "g:9"}}, False),
    ],
)
def test_what_makes_it_run_again(plugin, defined, change, again):
    inputs = plugin.checked("TaskRun", defined.task())
    state = {**inputs, "exitCode": 0, "taskArn": "arn"}
    other = plugin.checked("TaskRun", defined.task(**change))
    assert bool(plugin.diff("TaskRun", inputs, other, state)) is again


def test_a_preview_runs_nothing(plugin, defined, fake):
    plugin.create("TaskRun", plugin.checked("TaskRun", defined.task()), preview=True)
    assert fake.count("run_task") == 0


def test_cancel_stops_the_task_and_says_so(plugin, defined, fake):
    fake.scripts = [TaskScript()]
    call = plugin.begin("TaskRun", plugin.checked("TaskRun", defined.task()))
    plugin.lines.wait_for("RUNNING")
    plugin.cancel()
    with pytest.raises(Error) as failed:
        plugin.finish(call)
    assert "is stopped: canceled after" in failed.value.text
    assert failed.value.kept["taskArn"]
    assert fake.count("stop_task") == 1


def test_the_time_limit_stops_the_task(plugin, defined, fake):
    fake.scripts = [TaskScript()]
    inputs = plugin.checked("TaskRun", defined.task(timeoutSeconds=1))
    with pytest.raises(Error, match="is stopped: the time limit of 1 s is over"):
        plugin.create("TaskRun", inputs)
    assert fake.count("stop_task") == 1
