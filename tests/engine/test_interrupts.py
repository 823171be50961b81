"""Ctrl-C, SIGTERM and kill -9 of the engine, in a shift and in a migration; and the run after that."""

import signal

import psutil
import pytest

from tests.engine.engine_run import interrupt, kill_engine, plugins_of, when
from tests.provider.task_script import TaskScript

pytestmark = pytest.mark.slow
SECONDS = 60


@pytest.fixture
def shifting(engine, fake):
    """An `up` that has made the first step of its shift and bakes."""
    fake.scripts = [TaskScript.ends(0)]
    engine.spec["shift"]["bake_seconds"] = 25
    moved = when(fake, "modify_rule")
    process = engine.start("up", "--yes", "--skip-preview")
    assert moved.wait(SECONDS), engine.finish(process)
    return process


def repaired(engine, stack):
    engine.spec["shift"]["bake_seconds"] = 0
    engine.up().ok()
    assert stack.weights() == (0, 100)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_a_canceled_shift_puts_the_weights_back(engine, stack, shifting, number):
    interrupt(shifting, number)
    ended = engine.finish(shifting)
    assert ended.code == 1
    assert stack.weights() == (100, 0)
    assert "The weights are back at blue 100 / green 0" in ended.text
    assert not engine.state().get("pending_operations")
    repaired(engine, stack)


def test_a_killed_engine_in_a_shift_leaves_the_weights_put_back_and_no_process(engine, stack, shifting):
    kill_engine(shifting)
    assert stack.weights() == (100, 0)
    locked = engine.up()
    assert locked.code != 0
    assert "locked" in locked.text
    engine.run("cancel", "--yes").ok()
    repaired(engine, stack)


def test_a_second_interrupt_does_not_stop_the_way_back(engine, stack, shifting):
    interrupt(shifting)
    interrupt(shifting)
    assert engine.finish(shifting).code != 0
    assert stack.weights() == (100, 0)
    repaired(engine, stack)


def kill_everything(process):
    """Engine, host and plugins at once, as when a machine dies: nobody can put anything back."""
    everyone = [*plugins_of(process), psutil.Process(process.pid)]
    for one in everyone:
        one.suspend()
    for one in everyone:
        one.kill()
    process.wait(10)
    _, alive = psutil.wait_procs(everyone, 10)
    assert not alive


def test_a_shift_whose_machine_died_is_resumed_from_the_live_weights(engine, stack, shifting):
    kill_everything(shifting)
    assert stack.weights() == (90, 10)
    engine.run("cancel", "--yes").ok()
    shown = engine.preview().ok().text
    assert "weights blue 90 / green 10 -> blue 0 / green 100" in shown
    repaired(engine, stack)


def test_a_resumed_shift_that_fails_leaves_nothing_on_the_color_on_trial(engine, stack, fake, shifting):
    kill_everything(shifting)
    engine.run("cancel", "--yes").ok()
    fake.health["green"] = ("unhealthy", "Target.Timeout")
    failed = engine.up()
    assert failed.code == 1
    assert "The weights are back at blue 100 / green 0" in failed.text
    assert stack.weights() == (100, 0)
    fake.health.clear()
    repaired(engine, stack)


def test_a_shift_whose_machine_died_is_taken_back_before_another_version_is_released(engine, stack, fake, shifting):
    kill_everything(shifting)
    engine.run("cancel", "--yes").ok()
    engine.spec["shift"]["bake_seconds"] = 0
    engine.spec["release"] |= {"version": "v3", "image": "repo@sha256:v3"}
    announced = "an interrupted shift left blue 90 / green 10: first the weights go back to blue 100 / green 0"
    assert announced in engine.preview().ok().text
    assert stack.weights() == (90, 10)
    fake.scripts = [TaskScript.ends(1)]
    assert engine.up().code == 1  # the gate of v3 fails, after the weights went back
    assert stack.weights() == (100, 0)


def test_twin_a_shift_that_nobody_interrupts_goes_on(engine, stack, fake):
    fake.scripts = [TaskScript.ends(0)]
    engine.up().ok()
    assert stack.weights() == (0, 100)


def test_a_killed_engine_in_a_migration_leaves_its_task_to_the_next_run(engine, stack, fake):
    script = TaskScript(lines=('{"result": {"revision": "r1"}}',))
    good = TaskScript.ends(0)

    def choose(arguments):
        fake.scripts = [script if "expand" in arguments["overrides"]["containerOverrides"][0]["command"] else good]
        if fake.scripts == [script]:
            begun.set()

    begun = when(fake, "run_task")
    fake.on_call["run_task"] = choose
    process = engine.start("up", "--yes", "--skip-preview")
    assert begun.wait(SECONDS), engine.finish(process)
    kill_engine(process)
    assert fake.count("stop_task") == 0
    engine.run("cancel", "--yes").ok()
    script.release.set()
    ended = engine.up().ok()
    assert "taking over task" in ended.text
    runs = [call for name, call in fake.calls if name == "run_task"]
    assert sum("expand" in str(one["overrides"]) for one in runs) == 1
    assert stack.weights() == (0, 100)


def test_a_canceled_migration_is_stopped_and_run_again(engine, stack, fake):
    fake.scripts = [TaskScript()]
    begun = when(fake, "run_task")
    process = engine.start("up", "--yes", "--skip-preview")
    assert begun.wait(SECONDS), engine.finish(process)
    interrupt(process)
    ended = engine.finish(process)
    assert ended.code == 1
    assert "is stopped: canceled after" in ended.text
    assert fake.count("stop_task") >= 1
    assert f":task/{stack.name}/" in ended.text  # which one it was: the state has no resource yet that could tell
    fake.scripts = [TaskScript.ends(0)]
    engine.up().ok()
    assert stack.weights() == (0, 100)
