"""A shift that an earlier run left in the middle, over gRPC against the fake AWS."""

import pytest

from tests.provider.plugin_process import Error
from tests.provider.shifting import alarm, begin_and_wait

pytestmark = pytest.mark.slow


@pytest.fixture
def interrupted(live):
    """A machine died after the first step to green; blue is the last settled color."""
    live.set_weights(90, 10)
    return live


def resumed(plugin, stack, **more):
    inputs = {"seen": (90, 10), "settledColor": "blue", **more}
    return plugin.create("TrafficShift", plugin.checked("TrafficShift", stack.shift(**inputs)))


def test_a_resumed_shift_that_can_not_go_on_takes_all_weight_off_the_color_on_trial(plugin, interrupted, fake):
    fake.health["green"] = ("unhealthy", "Target.Timeout")
    with pytest.raises(Error, match=r"to green was not resumed: green has 0.*back at blue 100 / green 0"):
        resumed(plugin, interrupted)
    assert interrupted.weights() == (100, 0)


def test_a_resumed_shift_with_a_firing_alarm_does_too(plugin, interrupted, fake):
    alarm(fake, "errors", "ALARM")
    with pytest.raises(Error, match=r"alarm errors .* is firing\. The weights are back at blue 100 / green 0"):
        resumed(plugin, interrupted, alarms=["errors"])
    assert interrupted.weights() == (100, 0)


def test_a_resumed_shift_that_is_stopped_on_its_way_does_too(plugin, interrupted, fake):
    call = begin_and_wait(plugin, interrupted, seen=(90, 10), settledColor="blue")
    assert interrupted.weights() == (50, 50)
    fake.health["green"] = ("unhealthy", "Target.FailedHealthChecks")
    with pytest.raises(Error, match=r"stopped at blue 50 / green 50: green has 0.*back at blue 100 / green 0"):
        plugin.finish(call)
    assert interrupted.weights() == (100, 0)


def test_twin_without_a_settled_color_they_stay_where_they_were(plugin, interrupted, fake):
    fake.health["green"] = ("unhealthy", "Target.Timeout")
    with pytest.raises(Error, match="The weights are still blue 90 / green 10"):
        resumed(plugin, interrupted, settledColor=None)
    assert interrupted.weights() == (90, 10)


def test_weights_never_go_back_to_a_settled_color_that_serves_nothing(plugin, interrupted, fake):
    fake.health |= {"green": ("unhealthy", "Target.Timeout"), "blue": ("unhealthy", "Target.Timeout")}
    with pytest.raises(Error, match="The weights are still blue 90 / green 10"):
        resumed(plugin, interrupted)


def test_a_resumed_shift_that_goes_well_ends_where_it_should(plugin, interrupted):
    resumed(plugin, interrupted)
    assert interrupted.weights() == (0, 100)
