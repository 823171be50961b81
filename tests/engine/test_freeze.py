"""A freeze under the real engine: what a failing shift leaves, what the next runs say and do, and how it is lifted."""

import pytest

from tests.engine.engine_run import when
from tests.provider.task_script import TaskScript
from tests.provider.test_freeze import freeze, tags, thaw

pytestmark = pytest.mark.slow
SECONDS = 60


def test_a_failing_shift_freezes_and_no_run_moves_the_weights_until_it_is_lifted(engine, stack, fake):
    fake.scripts = [TaskScript.ends(0)]
    engine.spec["shift"] |= {"bake_seconds": 20, "on_failure": "freeze"}
    moved = when(fake, "modify_rule")
    process = engine.start("up", "--yes", "--skip-preview")
    assert moved.wait(SECONDS), engine.finish(process)
    fake.health["green"] = ("unhealthy", "Target.FailedHealthChecks")
    failed = engine.finish(process)
    assert failed.code == 1
    assert "and the weights are frozen since" in failed.text
    assert "v1 on blue still fits it" in failed.text
    assert stack.weights() == (90, 10)

    fake.health.clear()
    fake.on_call.clear()
    fake.calls.clear()
    shown = engine.preview().ok().text
    assert "warning: the weights are frozen since" in shown
    assert "`pulumi up` will be refused: it would move the weights" in shown
    for version in ("v2", "v1"):
        engine.spec["release"] |= {"version": version, "image": f"repo@sha256:{version}"}
        refused = engine.up()
        assert refused.code == 1
        assert "this run would move the weights, and the weights are frozen since" in refused.text
    assert fake.calls == []
    assert stack.weights() == (90, 10)

    thaw(stack)
    engine.spec["shift"]["bake_seconds"] = 0
    engine.spec["release"] |= {"version": "v2", "image": "repo@sha256:v2"}
    engine.up().ok()
    assert stack.weights() == (0, 100)


def test_a_freeze_by_hand_is_no_change_and_what_moves_nothing_passes(engine, stack, fake):
    fake.scripts = [TaskScript.ends(0)]
    engine.up().ok()
    freeze(stack)
    shown = engine.up("--refresh", "--expect-no-changes").ok().text
    assert "frozen since 2026-01-02T03:04:05Z by somebody: look at the orders" in shown
    engine.spec["beside"]["trigger"] = "2"
    engine.up().ok()
    assert tags(stack)
    assert stack.weights() == (0, 100)
