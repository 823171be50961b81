"""`ServiceCapacity` over gRPC against the fake AWS."""

import pytest

from tests.provider.plugin_process import Error
from tests.provider.test_freeze import freeze, thaw

pytestmark = pytest.mark.slow


@pytest.fixture
def idle(stack):
    """Both services are there without tasks, as the program creates them."""
    stack.serve("blue", "v1", 0)
    stack.serve("green", "v2", 0)
    return stack


def bring(plugin, stack, color="green", count=2, **more):
    inputs = plugin.checked("ServiceCapacity", stack.capacity(color, count, **more))
    return inputs, plugin.create("ServiceCapacity", inputs)


def test_it_sets_the_count_and_waits_until_all_are_healthy(plugin, idle, fake):
    _, state = bring(plugin, idle)
    found = fake.client("ecs").describe_services(cluster=idle.name, services=[f"{idle.name}-green"])["services"][0]
    assert (found["desiredCount"], found["runningCount"]) == (2, 2)
    assert state["runningCount"] == state["desiredCount"] == 2
    assert state["taskDefinition"] == idle.definitions["green"]
    plugin.lines.wait_for("green to 2 tasks: steady")


def frozen(plugin, idle):
    """Blue has two tasks, and somebody freezes the weights."""
    bring(plugin, idle, "blue", 2)
    idle.fake.calls.clear()
    freeze(idle)


def test_a_freeze_that_came_after_the_plan_keeps_the_way_back(plugin, idle, fake):
    frozen(plugin, idle)
    with pytest.raises(Error) as refused:
        bring(plugin, idle, "blue", 0, listenerRuleArn=idle.rule)
    assert "blue to 0 tasks: refused, the weights are frozen since 2026-01-02T03:04:05Z" in refused.value.text
    assert "its 2 tasks are left, as a way back. Lift the freeze with `make thaw" in refused.value.text
    assert fake.count("update_service") == 0
    bring(plugin, idle, "blue", 3, listenerRuleArn=idle.rule)  # more tasks take no way back
    thaw(idle)
    assert bring(plugin, idle, "blue", 0, listenerRuleArn=idle.rule)[1]["runningCount"] == 0


def test_twin_without_the_rule_its_tasks_are_gone(plugin, idle, fake):
    frozen(plugin, idle)
    assert bring(plugin, idle, "blue", 0)[1]["runningCount"] == 0
    assert fake.count("update_service") == 1


def test_a_count_that_is_there_makes_no_call(plugin, idle, fake):
    bring(plugin, idle)
    fake.calls.clear()
    bring(plugin, idle)
    assert fake.count("update_service") == 0


def test_it_is_not_steady_before_the_targets_are_healthy(plugin, idle, fake):
    fake.health["green"] = ("initial", "Elb.RegistrationInProgress")
    call = plugin.begin("ServiceCapacity", plugin.checked("ServiceCapacity", idle.capacity()))
    plugin.lines.wait_for("2 running, 0 of 2 healthy")
    assert not call.done()
    fake.health.clear()
    assert plugin.finish(call)["runningCount"] == 2


def test_down_to_nothing_waits_until_no_task_runs(plugin, idle, fake):
    bring(plugin, idle)
    bring(plugin, idle, count=0)
    found = fake.client("ecs").describe_services(cluster=idle.name, services=[f"{idle.name}-green"])["services"][0]
    assert (found["desiredCount"], found["runningCount"]) == (0, 0)


def test_down_to_nothing_waits_for_tasks_that_are_still_draining(plugin, idle, fake):
    bring(plugin, idle)
    fake.service["green"] = "drain"
    call = plugin.begin("ServiceCapacity", plugin.checked("ServiceCapacity", idle.capacity(count=0)))
    plugin.lines.wait_for("2 still there")
    assert not call.done()
    fake.service.clear()
    assert plugin.finish(call)["runningCount"] == 0


def test_tasks_that_keep_stopping_end_the_wait_early_with_the_reason(plugin, idle, fake):
    fake.service["green"] = "crash"
    with pytest.raises(Error) as failed:
        bring(plugin, idle)
    assert "tasks have stopped" in failed.value.text
    assert "EssentialContainerExited" in failed.value.text
    assert "container app exited with code 1" in failed.value.text


def test_steady_on_another_task_definition_is_a_failure_that_names_both(plugin, idle, fake):
    """A circuit breaker that rolls back, or a person, sets the service to what it had before."""
    wanted, before = idle.definitions["green"], idle.define("green", "v1")
    idle.definitions["green"] = wanted
    fake.service["green"] = "stuck"
    call = plugin.begin("ServiceCapacity", plugin.checked("ServiceCapacity", idle.capacity()))
    plugin.lines.wait_for("0 running, 2 pending")
    fake.client("ecs").update_service(cluster=idle.name, service=f"{idle.name}-green", taskDefinition=before)
    fake.service.clear()
    with pytest.raises(Error) as failed:
        plugin.finish(call)
    for definition in (wanted, before):
        assert definition.rsplit("/", 1)[-1] in failed.value.text
    assert "was set to" in failed.value.text


def test_old_crashes_do_not_count(plugin, idle, fake):
    fake.service["green"] = "crash"
    with pytest.raises(Error):
        bring(plugin, idle)
    fake.service.clear()
    bring(plugin, idle)


def test_a_failed_deployment_ends_the_wait(plugin, idle, fake):
    fake.service["green"] = "stuck"
    call = plugin.begin("ServiceCapacity", plugin.checked("ServiceCapacity", idle.capacity()))
    plugin.lines.wait_for("0 running, 2 pending")
    service_of(idle).deployments[0].update(rolloutState="FAILED", rolloutStateReason="circuit breaker was triggered")
    with pytest.raises(Error, match="circuit breaker was triggered"):
        plugin.finish(call)


def test_a_deployment_that_had_failed_is_tried_again(plugin, idle, fake):
    fake.service["green"] = "stuck"
    idle.serve("green", "v2", 2)
    service_of(idle).deployments[0].update(taskDefinition=idle.definitions["green"], rolloutState="FAILED")
    fake.calls.clear()
    call = plugin.begin("ServiceCapacity", plugin.checked("ServiceCapacity", idle.capacity()))
    plugin.lines.wait_for("green to 2 tasks (from 2)")
    assert fake.calls[0][1]["force_new_deployment"] is True
    fake.service.clear()
    plugin.finish(call)


def service_of(stack):
    from moto.ecs.models import ecs_backends

    services = ecs_backends["123456789012"]["eu-west-1"].services
    return next(one for one in services.values() if one.name == f"{stack.name}-green")


def test_the_time_limit_says_what_is_missing_and_why(plugin, idle, fake):
    fake.health["green"] = ("unhealthy", "Target.ResponseCodeMismatch")
    with pytest.raises(Error) as failed:
        bring(plugin, idle, timeoutSeconds=1)
    assert "the time limit of 1 s is over" in failed.value.text
    assert "is unhealthy: Target.ResponseCodeMismatch" in failed.value.text
    assert "No weight was moved" in failed.value.text


def test_cancel_ends_the_wait(plugin, idle, fake):
    fake.service["green"] = "stuck"
    call = plugin.begin("ServiceCapacity", plugin.checked("ServiceCapacity", idle.capacity()))
    plugin.lines.wait_for("0 running, 2 pending")
    plugin.cancel()
    with pytest.raises(Error, match="green to 2 tasks: canceled after"):
        plugin.finish(call)


def test_another_task_definition_than_the_programs_is_refused(plugin, idle):
    idle.definitions["green"] = idle.definitions["blue"]
    with pytest.raises(Error, match="somebody changed it beside this program"):
        bring(plugin, idle)


def test_a_service_that_is_not_there_is_named(plugin, stack):
    stack.define("blue", "v1")
    stack.define("green", "v1")
    with pytest.raises(Error, match=r"ECS service t.*-green of color green does not exist"):
        bring(plugin, stack)


def test_diff_sees_a_count_changed_by_hand_and_nothing_of_the_other_color(plugin, idle, fake):
    inputs, state = bring(plugin, idle)
    assert plugin.read("ServiceCapacity", inputs, state) == state
    assert plugin.diff("ServiceCapacity", inputs, inputs, state) == []
    definitions = {**idle.definitions, "blue": "arn:other:9"}
    other = plugin.checked("ServiceCapacity", idle.capacity(taskDefinitions=definitions))
    assert plugin.diff("ServiceCapacity", inputs, other, state) == []
    fake.client("ecs").update_service(cluster=idle.name, service=f"{idle.name}-green", desiredCount=1)
    read = plugin.read("ServiceCapacity", inputs, state)
    assert plugin.diff("ServiceCapacity", inputs, inputs, read) == ["desiredCount"]


def test_another_task_definition_of_the_color_is_another_wait(plugin, idle):
    inputs, state = bring(plugin, idle)
    idle.define("green", "v3")
    other = plugin.checked("ServiceCapacity", idle.capacity())
    assert plugin.diff("ServiceCapacity", inputs, other, state) == ["taskDefinitions"]


def desired(stack, color="green"):
    ecs = stack.fake.client("ecs")
    return ecs.describe_services(cluster=stack.name, services=[stack.services[color]])["services"][0]["desiredCount"]


def scale(stack, count, color="green"):
    """As autoscaling or somebody with the console would."""
    stack.fake.client("ecs").update_service(cluster=stack.name, service=stack.services[color], desiredCount=count)
    stack.fake.calls.clear()


@pytest.fixture
def least(plugin, idle):
    """Green has 3 tasks as asked, and may be scaled from outside above 2."""
    return bring(plugin, idle, count=3, leastCount=2)


@pytest.mark.parametrize("count", [2, 5])
def test_a_count_from_outside_above_the_least_is_no_drift(plugin, idle, least, fake, count):
    inputs, state = least
    scale(idle, count)
    read = plugin.read("ServiceCapacity", inputs, state)
    assert plugin.diff("ServiceCapacity", inputs, inputs, read) == []
    # Something else made it an update: the count stays all the same.
    assert plugin.update("ServiceCapacity", inputs, read)["runningCount"] == count
    assert (desired(idle), fake.count("update_service")) == (count, 0)


def test_a_count_from_outside_below_the_least_is_raised_to_it(plugin, idle, least):
    inputs, state = least
    scale(idle, 1)
    read = plugin.read("ServiceCapacity", inputs, state)
    assert plugin.diff("ServiceCapacity", inputs, inputs, read) == ["desiredCount"]
    assert plugin.update("ServiceCapacity", inputs, read)["desiredCount"] == desired(idle) == 2


@pytest.mark.parametrize(("asked", "result"), [(2, 2), (4, 5), (6, 6), (0, 0)], ids=["less", "more", "most", "none"])
def test_less_than_before_is_obeyed_and_more_takes_nothing_away(plugin, idle, least, asked, result):
    inputs, state = least
    scale(idle, 5)
    read = plugin.read("ServiceCapacity", inputs, state)
    new = plugin.checked("ServiceCapacity", idle.capacity(count=asked, leastCount=2))
    assert plugin.diff("ServiceCapacity", inputs, new, read) == (["desiredCount"] if result != 5 else [])
    assert plugin.update("ServiceCapacity", new, read, inputs)["desiredCount"] == desired(idle) == result


def test_another_color_gets_at_least_what_is_asked(plugin, idle, least):
    inputs, state = least
    scale(idle, 1, "blue")
    new = plugin.checked("ServiceCapacity", idle.capacity("blue", count=2, leastCount=2))
    assert plugin.update("ServiceCapacity", new, state, inputs)["desiredCount"] == desired(idle, "blue") == 2


def test_without_a_least_every_other_count_is_drift(plugin, idle):
    inputs, state = bring(plugin, idle)
    scale(idle, 3)
    read = plugin.read("ServiceCapacity", inputs, state)
    assert plugin.diff("ServiceCapacity", inputs, inputs, read) == ["desiredCount"]
    assert plugin.update("ServiceCapacity", inputs, read)["desiredCount"] == desired(idle) == 2
