"""Freezing the weights, over gRPC against the fake AWS: what sets the flag, and what the flag stops."""

import re

import pytest

from provider.freeze import BY, SINCE, WHY
from tests.provider.plugin_process import Error
from tests.provider.shifting import alarm, begin_and_wait

pytestmark = pytest.mark.slow


def tags(stack):
    found = stack.fake.client("elbv2").describe_tags(ResourceArns=[stack.rule])["TagDescriptions"]
    return {tag["Key"]: tag["Value"] for one in found for tag in one["Tags"]}


def freeze(stack, why="look at the orders"):
    """As a person with the AWS CLI would."""
    named = ((SINCE, "2026-01-02T03:04:05Z"), (BY, "somebody"), (WHY, why))
    stack.fake.client("elbv2").add_tags(
        ResourceArns=[stack.rule], Tags=[{"Key": key, "Value": value} for key, value in named]
    )


def thaw(stack):
    stack.fake.client("elbv2").remove_tags(ResourceArns=[stack.rule], TagKeys=[SINCE, BY, WHY])


def shift(plugin, stack, **more):
    return plugin.create("TrafficShift", plugin.checked("TrafficShift", stack.shift(**more)))


def ill(fake):
    fake.health["green"] = ("unhealthy", "Target.FailedHealthChecks")


def firing(fake):
    fake.client("cloudwatch").set_alarm_state(AlarmName="errors", StateValue="ALARM", StateReason="bad, very")


FAILURES = {
    "health": (ill, {}, "green has 0 healthy targets"),
    "alarm": (firing, {"alarms": ["errors"]}, r"alarm errors \(bad, very\) is firing"),
}


# A shift that fails ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("failure", FAILURES)
def test_with_freeze_a_failing_shift_leaves_the_weights_and_says_so_on_the_rule(plugin, live, fake, failure):
    fails, more, said = FAILURES[failure]
    alarm(fake, "errors", "OK")
    call = begin_and_wait(plugin, live, onFailure="freeze", **more)
    fails(fake)
    with pytest.raises(Error) as failed:
        plugin.finish(call)
    assert re.search(said, failed.value.text)
    assert "were left as last set, blue 90 / green 10, and the weights are frozen since" in failed.value.text
    assert "make thaw" in failed.value.text
    assert live.weights() == (90, 10)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", tags(live)[SINCE])
    assert re.search(said.replace(r"\(", "").replace(r"\)", "").replace(",", ""), tags(live)[WHY])
    assert tags(live)[BY]


@pytest.mark.parametrize("failure", FAILURES)
def test_twin_with_rollback_they_go_back_and_nothing_is_frozen(plugin, live, fake, failure):
    fails, more, _ = FAILURES[failure]
    alarm(fake, "errors", "OK")
    call = begin_and_wait(plugin, live, **more)
    fails(fake)
    with pytest.raises(Error, match="The weights are back at blue 100 / green 0"):
        plugin.finish(call)
    assert live.weights() == (100, 0)
    assert SINCE not in tags(live)


def test_a_canceled_shift_goes_back_also_with_freeze(plugin, live):
    call = begin_and_wait(plugin, live, onFailure="freeze")
    plugin.cancel()
    with pytest.raises(Error, match=r"the run was canceled\. The weights are back at blue 100 / green 0"):
        plugin.finish(call)
    assert live.weights() == (100, 0)
    assert SINCE not in tags(live)


def test_weights_never_go_back_to_a_color_without_a_healthy_target(plugin, live, fake):
    """Its tasks are gone, or refuse to serve the schema as it is now."""
    alarm(fake, "errors", "OK")
    call = begin_and_wait(plugin, live, alarms=["errors"])
    fake.health["blue"] = ("unhealthy", "Target.ResponseCodeMismatch")
    firing(fake)
    with pytest.raises(Error) as failed:
        plugin.finish(call)
    assert "blue 90 / green 10: blue, where they came from, has no healthy target" in failed.value.text
    assert "going forward is the way" in failed.value.text
    assert live.weights() == (90, 10)
    assert SINCE in tags(live)


def test_a_freeze_that_can_not_be_noted_is_said_with_what_to_do(plugin, live, fake, monkeypatch):
    from moto.elbv2.models import ELBv2Backend

    def refused(*_):
        raise RuntimeError("no")

    call = begin_and_wait(plugin, live, onFailure="freeze")
    monkeypatch.setattr(ELBv2Backend, "add_tags", refused)
    ill(fake)
    with pytest.raises(Error, match=r"(?s)could NOT be noted on listener rule .*make freeze STACK="):
        plugin.finish(call)
    assert live.weights() == (90, 10)


def test_the_message_says_what_ran_and_which_version_still_fits(plugin, live, fake):
    call = begin_and_wait(plugin, live, versions={"blue": "v1", "green": "v2"})
    ill(fake)
    with pytest.raises(Error, match="expand has run, no contract of this release: v1 on blue still fits it"):
        plugin.finish(call)


def test_nothing_is_frozen_by_a_shift_that_was_not_begun(plugin, live, fake):
    ill(fake)
    with pytest.raises(Error, match="was not begun"):
        shift(plugin, live, onFailure="freeze")
    assert SINCE not in tags(live)


def test_a_resumed_shift_that_fails_stays_where_it_was_with_freeze(plugin, live, fake):
    live.set_weights(90, 10)
    ill(fake)
    with pytest.raises(Error, match=r"to green was not resumed: green has 0 .*frozen since"):
        shift(plugin, live, seen=(90, 10), settledColor="blue", onFailure="freeze")
    assert live.weights() == (90, 10)


def test_another_word_is_refused(plugin, live):
    _, failures = plugin.check("TrafficShift", live.shift(onFailure="thaw"))
    assert failures == {"onFailure": "is 'thaw'; expected rollback or freeze"}


# What a freeze stops -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rollback", [False, True], ids=["release", "rollback"])
def test_a_frozen_rule_is_not_shifted(plugin, live, fake, rollback):
    freeze(live)
    with pytest.raises(Error) as refused:
        shift(plugin, live, rollback=rollback)
    assert "frozen since 2026-01-02T03:04:05Z by somebody: look at the orders" in refused.value.text
    assert fake.count("modify_rule") == 0
    thaw(live)
    shift(plugin, live, rollback=rollback)  # the twin
    assert live.weights() == (0, 100)


def test_a_frozen_resumed_shift_is_not_put_back_either(plugin, live, fake):
    live.set_weights(90, 10)
    freeze(live)
    ill(fake)
    with pytest.raises(Error, match="was not begun: the weights are frozen"):
        shift(plugin, live, seen=(90, 10), settledColor="blue")
    assert live.weights() == (90, 10)


def test_a_freeze_by_hand_holds_a_shift_that_is_under_way(plugin, live):
    call = begin_and_wait(plugin, live)
    freeze(live)
    with pytest.raises(Error, match=r"frozen since .* stopped, and left them at blue 90 / green 10"):
        plugin.finish(call)
    assert live.weights() == (90, 10)


def released(plugin, stack, version="v1"):
    inputs = plugin.checked("Release", stack.release(version))
    state = plugin.create("Release", inputs)
    for color, one in state["colors"].items():
        stack.serve(color, one["version"], one["desiredCount"])
    stack.set_weights(state["weights"]["blue"], state["weights"]["green"])
    stack.settle()
    return inputs, state


def test_a_frozen_release_is_refused_in_up_and_only_announced_in_a_preview(plugin, stack):
    inputs, state = released(plugin, stack)
    freeze(stack)
    new = plugin.checked("Release", stack.release("v2"))
    read = plugin.read("Release", inputs, state)
    plugin.lines.wait_for("the weights are frozen since 2026-01-02T03:04:05Z by somebody: look at the orders")
    plugin.lines.wait_for("aws elbv2 remove-tags --resource-arns")
    planned = plugin.update("Release", new, read, inputs, preview=True)
    assert planned["targetColor"] == "green"
    plugin.lines.wait_for("`pulumi up` will be refused: it would move the weights")
    with pytest.raises(Error) as refused:
        plugin.update("Release", new, read, inputs)
    assert "this run would move the weights, and the weights are frozen since 2026-01-02" in refused.value.text
    thaw(stack)
    assert plugin.update("Release", new, read, inputs)["targetColor"] == "green"


def test_an_interrupted_shift_is_not_put_back_under_a_freeze(plugin, stack, fake):
    inputs, first = released(plugin, stack)
    new = plugin.checked("Release", stack.release("v2"))
    second = plugin.update("Release", new, first, inputs)
    stack.serve("green", "v2")
    stack.set_weights(90, 10)
    freeze(stack)
    other = plugin.checked("Release", stack.release("v3"))
    with pytest.raises(Error, match="would move the weights"):
        plugin.update("Release", other, second, new)
    assert fake.count("modify_rule") == 0


def test_a_release_on_record_that_is_still_to_be_finished_is_refused_too(plugin, stack):
    """Its plan is the same as before, so only the freeze makes it differ."""
    inputs, first = released(plugin, stack)
    new = plugin.checked("Release", stack.release("v2"))
    second = plugin.update("Release", new, first, inputs)
    stack.serve("green", "v2")
    assert plugin.diff("Release", new, new, plugin.read("Release", new, second)) == []
    plugin.lines.wait_for("finishing the release of v2 to green: weights blue 100 / green 0 -> blue 0 / green 100")
    freeze(stack)
    read = plugin.read("Release", new, second)
    assert plugin.diff("Release", new, new, read) == ["frozen"]
    with pytest.raises(Error, match="would move the weights"):
        plugin.update("Release", new, read, new)


def test_under_a_freeze_the_way_back_is_not_retired(plugin, stack):
    inputs, first = released(plugin, stack)
    new = plugin.checked("Release", stack.release("v2"))
    second = plugin.update("Release", new, first, inputs)
    stack.serve("green", "v2")
    stack.set_weights(0, 100)
    stack.settle()
    freeze(stack)
    retired = plugin.checked("Release", stack.release("v2", previous="retired"))
    with pytest.raises(Error, match="would retire blue, the way back"):
        plugin.update("Release", retired, plugin.read("Release", new, second), new)


def test_what_moves_nothing_passes_under_a_freeze(plugin, stack):
    inputs, first = released(plugin, stack)
    freeze(stack)
    read = plugin.read("Release", inputs, first)
    assert plugin.diff("Release", inputs, inputs, read) == []
    more = plugin.checked("Release", stack.release("v1", desiredCount=3))
    assert plugin.update("Release", more, read, inputs)["targetCount"] == 3


def test_a_freeze_is_seen_though_the_state_is_lost(plugin, stack):
    released(plugin, stack)
    freeze(stack)
    with pytest.raises(Error, match="would move the weights"):
        plugin.create("Release", plugin.checked("Release", stack.release("v2")))
