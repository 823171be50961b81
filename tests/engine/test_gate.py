"""The gate under the real engine: what depends on a failed task is not touched, and a failed task stays failed."""

import pytest

from tests.provider.task_script import TaskScript

pytestmark = pytest.mark.slow
GOOD = TaskScript.ends(0, '{"result": {"revision": "r1"}}')


def commands(fake):
    return [call["overrides"]["containerOverrides"][0]["command"][0] for name, call in fake.calls if name == "run_task"]


def scripts_by_command(fake, **scripts):
    """Which script a task gets, by the first word of its command: two gates run at the same time."""

    def choose(arguments):
        fake.scripts = [scripts[arguments["overrides"]["containerOverrides"][0]["command"][0]]]

    fake.on_call["run_task"] = choose


def test_a_failed_gate_stops_what_depends_on_it_and_nothing_else(engine, stack, fake):
    scripts_by_command(fake, expand=TaskScript.ends(3, "LockNotAvailable: canceling statement"), true=GOOD)
    failed = engine.up()
    assert failed.code == 1
    assert "exited with code 3" in failed.text
    assert "LockNotAvailable" in failed.text
    assert stack.weights() == (100, 0)
    assert engine.resource("start") is None
    assert engine.resource("shift") is None
    assert engine.resource("beside")["outputs"]["exitCode"] == 0
    assert engine.resource("expand")["outputs"]["exitCode"] == 3

    scripts_by_command(fake, expand=GOOD, true=GOOD)
    fake.calls.clear()
    engine.up().ok()
    assert stack.weights() == (0, 100)
    assert commands(fake) == ["expand"]


def test_twin_without_the_edge_the_shift_does_not_wait_for_the_gate(engine, stack, fake):
    engine.spec["edges"] = False
    scripts_by_command(fake, expand=TaskScript.ends(3), true=GOOD)
    assert engine.up("--continue-on-error").code == 1
    assert stack.weights() == (0, 100)


def test_continue_on_error_does_not_open_the_gate(engine, stack, fake):
    scripts_by_command(fake, expand=TaskScript.ends(3), true=GOOD)
    assert engine.up("--continue-on-error").code == 1
    assert stack.weights() == (100, 0)


def test_a_failed_gate_is_still_failed_after_a_refresh(engine, stack, fake):
    scripts_by_command(fake, expand=TaskScript.ends(3), true=GOOD)
    assert engine.up().code == 1
    engine.run("refresh", "--yes").ok()
    assert "initErrors" not in engine.resource("expand")  # the trap: the engine has forgotten

    fake.calls.clear()
    assert engine.up().code == 1
    assert commands(fake) == ["expand"]
    assert stack.weights() == (100, 0)

    scripts_by_command(fake, expand=GOOD, true=GOOD)
    engine.up("--refresh").ok()
    assert stack.weights() == (0, 100)


def test_an_update_that_fails_is_tried_again(engine, stack, fake):
    scripts_by_command(fake, expand=GOOD, true=GOOD)
    engine.up().ok()
    stack.serve("blue", "v3")
    engine.spec["release"] |= {"version": "v3", "image": "repo@sha256:v3"}
    engine.spec["task"]["task_definitions"] = engine.spec["capacity"]["task_definitions"] = stack.definitions
    scripts_by_command(fake, expand=TaskScript.ends(4))
    assert engine.up().code == 1
    assert stack.weights() == (0, 100)
    scripts_by_command(fake, expand=GOOD)
    engine.up().ok()
    assert stack.weights() == (100, 0)
