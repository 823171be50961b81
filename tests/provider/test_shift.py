"""`TrafficShift` over gRPC against the fake AWS."""

import pytest

from tests.provider.plugin_process import Error
from tests.provider.shifting import alarm, begin_and_wait

pytestmark = pytest.mark.slow


def shift(plugin, stack, **more):
    return plugin.create("TrafficShift", plugin.checked("TrafficShift", stack.shift(**more)))


def steps(plugin):
    return [line.split(": ")[1].split(",")[0] for line in plugin.lines.lasting() if line.startswith("step ")]


def test_it_moves_in_steps_and_reads_back(plugin, live):
    state = shift(plugin, live)
    assert steps(plugin) == ["blue 90 / green 10", "blue 50 / green 50", "blue 0 / green 100"]
    assert live.weights() == (0, 100)
    assert state["weights"] == {"blue": 0, "green": 100}
    assert state["plan"] == "blue 100 / green 0 -> blue 0 / green 100"


def test_stickiness_stays_as_it_is(plugin, live):
    shift(plugin, live)
    assert live.forward()["TargetGroupStickinessConfig"] == {"Enabled": True, "DurationSeconds": 77}


def test_a_preview_says_the_plan_and_changes_nothing(plugin, live, fake):
    state = plugin.create("TrafficShift", plugin.checked("TrafficShift", live.shift()), preview=True)
    assert state["plan"] == "blue 100 / green 0 -> blue 0 / green 100"
    assert fake.count("modify_rule") == 0


def test_weights_that_the_plan_did_not_see_are_refused(plugin, live, fake):
    live.set_weights(70, 30)
    with pytest.raises(Error) as refused:
        shift(plugin, live)
    assert "live weights are blue 70 / green 30" in refused.value.text
    assert "when they were blue 100 / green 0" in refused.value.text
    assert fake.count("modify_rule") == 0


def test_the_twin_that_saw_them_shifts(plugin, live):
    live.set_weights(70, 30)
    shift(plugin, live, seen=(70, 30))
    assert steps(plugin) == ["blue 50 / green 50", "blue 0 / green 100"]


def test_wanted_weights_that_are_live_already_make_no_call(plugin, live, fake):
    live.set_weights(0, 100)
    shift(plugin, live)
    assert fake.count("modify_rule") == 0


def test_an_unhealthy_target_is_refused_before_anything_moves(plugin, live, fake):
    fake.health["green"] = ("unhealthy", "Target.Timeout")
    with pytest.raises(Error) as refused:
        shift(plugin, live)
    assert "green has 0 healthy targets, 2 are needed" in refused.value.text
    assert "Target.Timeout" in refused.value.text
    assert "was not begun" in refused.value.text
    assert fake.count("modify_rule") == 0


def test_a_target_smaller_than_the_live_color_is_refused(plugin, live):
    live.serve("green", "v2", 1)
    fake_desired(live, 2)
    with pytest.raises(Error, match="green has 1 healthy targets, 2 are needed"):
        shift(plugin, live)


def fake_desired(stack, count):
    """ECS wants more than runs: the service is stuck at one task."""
    stack.settle()
    stack.fake.service["green"] = "stuck"
    stack.fake.client("ecs").update_service(cluster=stack.name, service=f"{stack.name}-green", desiredCount=count)


def test_a_target_that_is_meant_to_be_smaller_is_refused_too(plugin, live, fake):
    """The live color was scaled from outside; what takes over must carry the same load."""
    live.serve("blue", "v1", 4)
    live.settle()
    with pytest.raises(Error, match="green has 2 healthy targets, 4 are needed"):
        shift(plugin, live)
    assert fake.count("modify_rule") == 0


def test_the_twin_of_the_same_size_shifts(plugin, live):
    live.serve("blue", "v1", 4)
    live.serve("green", "v2", 4)
    live.settle()
    shift(plugin, live)
    assert live.weights() == (0, 100)


def test_a_rollback_to_a_smaller_color_is_refused_too(plugin, live):
    live.set_weights(0, 100)
    live.serve("green", "v2", 4)
    live.settle()
    with pytest.raises(Error, match="blue has 2 healthy targets, 4 are needed"):
        shift(plugin, live, weights=(100, 0), seen=(0, 100), rollback=True)
    assert live.weights() == (0, 100)


def test_a_firing_alarm_is_refused(plugin, live, fake):
    alarm(fake, "errors", "ALARM")
    with pytest.raises(Error, match=r"alarm errors \(5xx above 1\) is firing"):
        shift(plugin, live, alarms=["errors"])
    assert live.weights() == (100, 0)


def test_a_firing_composite_alarm_is_refused(plugin, live, fake):
    alarm(fake, "errors", "ALARM")
    watch = fake.client("cloudwatch")
    watch.put_composite_alarm(AlarmName="any", AlarmRule='ALARM("errors")')
    watch.set_alarm_state(AlarmName="any", StateValue="ALARM", StateReason="one of them")
    with pytest.raises(Error, match=r"alarm any \(one of them\) is firing"):
        shift(plugin, live, alarms=["any"])


def test_an_alarm_that_does_not_exist_guards_nothing_and_is_refused(plugin, live):
    with pytest.raises(Error, match="alarm nowhere does not exist"):
        shift(plugin, live, alarms=["nowhere"])


def test_a_rollback_takes_one_step_whatever_the_alarm_says(plugin, live, fake):
    alarm(fake, "errors", "ALARM")
    live.set_weights(0, 100)
    shift(plugin, live, weights=(100, 0), seen=(0, 100), rollback=True, alarms=["errors"], bakeSeconds=15)
    assert steps(plugin) == ["blue 100 / green 0"]
    assert live.weights() == (100, 0)


def test_an_alarm_during_the_bake_puts_the_weights_back(plugin, live, fake):
    alarm(fake, "errors", "OK")
    call = begin_and_wait(plugin, live, alarms=["errors"])
    assert live.weights() == (90, 10)
    fake.client("cloudwatch").set_alarm_state(AlarmName="errors", StateValue="ALARM", StateReason="bad")
    with pytest.raises(Error) as failed:
        plugin.finish(call)
    assert "stopped at blue 90 / green 10: alarm errors (bad) is firing" in failed.value.text
    assert "back at blue 100 / green 0" in failed.value.text
    assert live.weights() == (100, 0)


def test_a_target_that_falls_ill_during_the_bake_puts_the_weights_back(plugin, live, fake):
    call = begin_and_wait(plugin, live)
    fake.health["green"] = ("unhealthy", "Target.FailedHealthChecks")
    with pytest.raises(Error, match=r"green has 0 healthy targets.*back at blue 100 / green 0"):
        plugin.finish(call)
    assert live.weights() == (100, 0)


def test_cancel_puts_the_weights_back(plugin, live):
    call = begin_and_wait(plugin, live)
    plugin.cancel()
    plugin.cancel()  # the engine sends it again at the end
    with pytest.raises(Error, match=r"the run was canceled\. The weights are back at blue 100 / green 0"):
        plugin.finish(call)
    assert live.weights() == (100, 0)


def test_the_time_limit_puts_the_weights_back(plugin, live):
    inputs = plugin.checked("TrafficShift", live.shift(bakeSeconds=15))
    with pytest.raises(Error, match=r"the time limit of 1 s is over\. The weights are back"):
        plugin.create("TrafficShift", inputs, timeout=1.0)
    assert live.weights() == (100, 0)


def test_weights_are_put_back_though_aws_fails_at_first(plugin, live, fake):
    call = begin_and_wait(plugin, live)
    fake.failing["modify_rule"] = 3
    plugin.cancel()
    with pytest.raises(Error, match="The weights are back"):
        plugin.finish(call)
    assert live.weights() == (100, 0)


def test_a_way_back_that_stays_shut_is_said_with_what_to_do(plugin, live, fake):
    call = begin_and_wait(plugin, live)
    fake.failing["modify_rule"] = 1000
    plugin.cancel()
    with pytest.raises(Error) as failed:
        plugin.finish(call)
    assert "could NOT be put back to blue 100 / green 0" in failed.value.text
    assert live.rule in failed.value.text


def test_somebody_elses_weights_during_the_shift_are_left_alone(plugin, live):
    call = begin_and_wait(plugin, live)
    live.set_weights(60, 40)
    with pytest.raises(Error, match=r"somebody else moved the weights: they are blue 60 / green 40.*left as they are"):
        plugin.finish(call)
    assert live.weights() == (60, 40)


def test_sigterm_to_the_plugin_waits_until_the_weights_are_back(plugin, live):
    call = begin_and_wait(plugin, live)
    plugin.used_up = True
    plugin.process.terminate()
    with pytest.raises(Error, match="The weights are back"):
        plugin.finish(call)
    assert plugin.process.wait(10) == 0
    assert live.weights() == (100, 0)


def test_diff_compares_what_was_read_with_what_is_wanted(plugin, live):
    inputs = plugin.checked("TrafficShift", live.shift())
    state = plugin.create("TrafficShift", inputs)
    assert plugin.read("TrafficShift", inputs, state) == state
    assert plugin.diff("TrafficShift", inputs, inputs, state) == []
    live.set_weights(50, 50)
    read = plugin.read("TrafficShift", inputs, state)
    assert read["weights"] == {"blue": 50, "green": 50}
    assert plugin.diff("TrafficShift", inputs, inputs, read) == ["weights"]


def test_other_steps_or_alarms_alone_are_no_change(plugin, live):
    inputs = plugin.checked("TrafficShift", live.shift())
    state = plugin.create("TrafficShift", inputs)
    other = plugin.checked("TrafficShift", live.shift(bakeSeconds=5, steps=[100], seen=(0, 100)))
    assert plugin.diff("TrafficShift", inputs, other, state) == []
