"""Asking for the old version, under the real engine: what runs, in which order, and what is refused."""

import pytest

from tests.engine.test_gate import commands, scripts_by_command
from tests.provider.task_script import TaskScript

pytestmark = pytest.mark.slow
GOOD = TaskScript.ends(0)
REFUSED = TaskScript.ends(3, "NotServable: c0002 was applied, v1 does not know it; the oldest version that can is v2")


@pytest.fixture
def released(engine, fake):
    """v2 has all the traffic, blue is warm with v1."""
    fake.scripts = [GOOD]
    engine.spec["smoke"] = {**engine.spec["task"], "name": "smoke", "command": ["smoke"]}
    engine.up().ok()
    fake.calls.clear()
    return engine


def back_to_v1(engine):
    engine.spec["release"] |= {"version": "v1", "image": None}


def retire(stack, color="blue"):
    ecs = stack.fake.client("ecs")
    ecs.update_service(cluster=stack.name, service=stack.services[color], desiredCount=0)
    stack.settle()
    stack.fake.calls.clear()


def world(stack):
    """All of AWS that a release may change."""
    ecs = stack.fake.client("ecs")
    services = ecs.describe_services(cluster=stack.name, services=list(stack.services.values()))["services"]
    kept = ("serviceName", "status", "desiredCount", "runningCount", "taskDefinition")
    return {
        "rule": stack.forward(),
        "services": [{key: one[key] for key in kept} for one in services],
        "definitions": ecs.list_task_definitions()["taskDefinitionArns"],
    }


def order(fake):
    """The changing calls, as `operation` or `operation of what`."""
    found = []
    for name, call in fake.calls:
        if name == "run_task":
            found.append(call["overrides"]["containerOverrides"][0]["command"][0])
        elif name == "update_service":
            found.append(f"tasks {call['desired_count']}")
        else:
            found.append(name)
    return found


def test_the_way_back_is_one_check_and_one_step(released, stack, fake):
    before = world(stack)
    back_to_v1(released)
    shown = released.up().ok().text
    assert commands(fake) == ["expand", "smoke"]
    assert order(fake) == ["expand", "smoke", "modify_rule"]
    assert "rollback of v1 to blue" in shown
    assert "step 1 of 1: blue 100 / green 0" in shown
    assert world(stack) | {"rule": None} == before | {"rule": None}


def test_across_a_contract_it_is_refused_before_anything_changes(released, stack, fake):
    before = world(stack)
    scripts_by_command(fake, expand=REFUSED, smoke=GOOD, true=GOOD)
    back_to_v1(released)
    refused = released.up()
    assert refused.code == 1
    assert "exited with code 3" in refused.text
    assert "the oldest version that can is v2" in refused.text
    assert order(fake) == ["expand"]
    assert world(stack) == before


def test_twin_without_the_edge_from_the_check_it_goes_back_to_what_can_not_serve(released, stack, fake):
    released.spec["edges"] = False
    scripts_by_command(fake, expand=REFUSED, smoke=GOOD, true=GOOD)
    back_to_v1(released)
    assert released.up("--continue-on-error").code == 1
    assert stack.weights() == (100, 0)


def test_a_retired_color_is_checked_then_brought_up_then_tested_then_shifted_to(released, stack, fake):
    retire(stack)
    before = world(stack)
    scripts_by_command(fake, expand=REFUSED, smoke=GOOD, true=GOOD)
    back_to_v1(released)
    assert released.up().code == 1
    assert order(fake) == ["expand"]  # not even brought up
    assert world(stack) == before

    scripts_by_command(fake, expand=GOOD, smoke=TaskScript.ends(1, "no answer"), true=GOOD)
    fake.calls.clear()
    assert released.up().code == 1
    assert order(fake) == ["expand", "tasks 2", "smoke"]
    assert stack.weights() == (0, 100)

    scripts_by_command(fake, expand=GOOD, smoke=GOOD, true=GOOD)
    fake.calls.clear()
    released.up().ok()
    assert order(fake) == ["smoke", "modify_rule"]
    assert stack.weights() == (100, 0)


def test_after_two_bad_releases_the_good_one_is_the_target(engine, stack, fake):
    """Not `one revision back`, which would be the first bad one."""
    fake.scripts = [GOOD]
    for version in ("v2", "v3"):
        stack.serve("green", version, 0)
        engine.spec["release"] |= {"version": version, "image": f"repo@sha256:{version}"}
        engine.spec["task"]["task_definitions"] = engine.spec["capacity"]["task_definitions"] = stack.definitions
        fake.health["green"] = ("unhealthy", "Target.Timeout")
        engine.spec["capacity"]["timeout_seconds"] = 2
        assert engine.up().code == 1
    back_to_v1(engine)
    fake.calls.clear()
    engine.up().ok()
    assert stack.weights() == (100, 0)
    assert fake.count("modify_rule") == 0


def test_a_run_that_only_repairs_says_what_it_finishes(engine, fake):
    scripts_by_command(fake, expand=TaskScript.ends(3), true=GOOD)
    assert engine.up().code == 1
    back_to_v1(engine)
    assert "finishing" not in engine.preview().ok().text  # of v2, which nobody asks for any more
    engine.spec["release"] |= {"version": "v2", "image": "repo@sha256:v2"}
    scripts_by_command(fake, expand=GOOD, true=GOOD)
    line = "finishing the release of v2 to green: weights blue 100 / green 0 -> blue 0 / green 100"
    assert line in engine.preview().ok().text
    assert line in engine.up().ok().text
    assert "finishing" not in engine.preview("--expect-no-changes").ok().text


def test_a_gate_waits_for_its_own_task_only(engine, fake):
    """A service that never becomes steady does not hold it up; the wait for the service ends by its own limit."""
    fake.scripts = [GOOD]
    fake.service["green"] = "stuck"
    engine.spec["capacity"]["timeout_seconds"] = 2
    failed = engine.up()
    assert failed.code == 1
    assert "the time limit of 2 s is over" in failed.text
    assert engine.resource("expand")["outputs"]["exitCode"] == 0
    assert engine.resource("shift") is None
