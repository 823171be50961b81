"""`Release` over gRPC against the fake AWS."""

import pytest

from tests.provider.plugin_process import Error

MANIFEST = '{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json"}'
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


def planned(plugin, stack, version, **more):
    inputs = plugin.checked("Release", stack.release(version, **more))
    return inputs, plugin.create("Release", inputs)


def finish(stack, state):
    """What the rest of a release does: services get their versions, then the weights move."""
    for color, one in state["colors"].items():
        stack.serve(color, one["version"], one["desiredCount"])
    stack.set_weights(state["weights"]["blue"], state["weights"]["green"])


def test_a_first_preview_knows_the_whole_plan_before_there_is_a_rule(plugin, stack):
    unknowns = {"listenerRuleArn": UNKNOWN, "cluster": UNKNOWN, "targetGroupArns": UNKNOWN}
    inputs = plugin.checked("Release", stack.release("v1", **unknowns))
    preview = plugin.create("Release", inputs, preview=True)
    _, made = planned(plugin, stack, "v1")
    for key in ("action", "targetColor", "weights", "liveWeights", "colors", "targetCount", "previousCount", "gate"):
        assert preview[key] == made[key]
    assert (preview["action"], preview["firstRelease"]) == ("first", True)


def test_a_second_release_goes_to_the_other_color(plugin, stack):
    _, first = planned(plugin, stack, "v1")
    finish(stack, first)
    _, second = planned(plugin, stack, "v2")
    assert (second["targetColor"], second["liveColor"]) == ("green", "blue")
    assert second["weights"] == {"blue": 0, "green": 100}
    assert second["colors"]["blue"]["version"] == "v1"
    plugin.lines.wait_for(
        "release of v2 to green: blue keeps v1, green v1 -> v2; weights blue 100 / green 0 -> blue 0 / green 100"
    )


def test_nothing_is_shown_and_nothing_differs_when_aws_is_as_planned(plugin, stack):
    inputs, state = planned(plugin, stack, "v1")
    finish(stack, state)
    read = plugin.read("Release", inputs, state)
    assert read == state
    assert plugin.diff("Release", inputs, inputs, read) == []


def test_weights_moved_by_hand_are_seen_and_differ(plugin, stack):
    inputs, state = planned(plugin, stack, "v1")
    finish(stack, state)
    stack.serve("green", "v0")
    stack.set_weights(0, 100)
    read = plugin.read("Release", inputs, state)
    assert read["observed"]["weights"] == {"blue": 0, "green": 100}
    assert plugin.diff("Release", inputs, inputs, read) == ["observed"]
    again = plugin.update("Release", inputs, read)
    assert (again["targetColor"], again["liveWeights"]) == ("blue", {"blue": 0, "green": 100})
    assert "observed" not in again


def test_a_release_that_failed_before_its_shift_is_the_same_plan_again(plugin, stack):
    inputs, first = planned(plugin, stack, "v1")
    finish(stack, first)
    new = plugin.checked("Release", stack.release("v2"))
    state = plugin.update("Release", new, first, inputs)
    stack.serve("green", "v2")  # and then the smoke test failed
    read = plugin.read("Release", new, state)
    assert plugin.diff("Release", new, new, read) == []


def test_more_tasks_change_the_counts_and_not_the_story(plugin, stack):
    inputs, first = planned(plugin, stack, "v1")
    finish(stack, first)
    new = plugin.checked("Release", stack.release("v2"))
    second = plugin.update("Release", new, first, inputs)
    finish(stack, second)
    more = plugin.checked("Release", stack.release("v2", desiredCount=3))
    read = plugin.read("Release", new, second)
    assert plugin.diff("Release", new, more, read) == ["desiredCount"]
    third = plugin.update("Release", more, read, new)
    story = ("action", "gate", "liveColor", "liveWeights", "firstRelease")
    assert [third[key] for key in story] == [second[key] for key in story]
    assert third["targetCount"] == 3
    plugin.lines.wait_for("no release: green serves v2 already; blue 2 -> 3 tasks, green 2 -> 3 tasks")


def test_a_release_takes_over_as_many_tasks_as_are_in_service(plugin, stack):
    """Autoscaling has set 10, the setting says 2."""
    inputs, first = planned(plugin, stack, "v1")
    finish(stack, first)
    stack.serve("blue", "v1", 10)
    assert plugin.diff("Release", inputs, inputs, plugin.read("Release", inputs, first)) == []
    new = plugin.checked("Release", stack.release("v2"))
    second = plugin.update("Release", new, first, inputs)
    assert (second["targetCount"], second["previousCount"], second["settledCount"]) == (10, 10, 2)
    plugin.lines.wait_for("green gets 10 tasks, as many as are in service, though desiredCount is 2")
    finish(stack, second)
    assert plugin.diff("Release", new, new, plugin.read("Release", new, second)) == []


def test_a_lowered_setting_is_obeyed_alone_and_waits_for_a_release(plugin, stack):
    inputs, first = planned(plugin, stack, "v1", desiredCount=4)
    finish(stack, first)
    new = plugin.checked("Release", stack.release("v2", desiredCount=2))
    second = plugin.update("Release", new, first, inputs)
    assert (second["targetCount"], second["settledCount"]) == (4, 4)
    finish(stack, second)
    read = plugin.read("Release", new, second)
    assert plugin.diff("Release", new, new, read) != []
    third = plugin.update("Release", new, read, new)
    assert (third["targetCount"], third["settledCount"]) == (2, 2)
    finish(stack, third)
    assert plugin.diff("Release", new, new, plugin.read("Release", new, third)) == []


def test_rollback_is_known_by_the_lineage(plugin, stack):
    inputs, first = planned(plugin, stack, "v1")
    finish(stack, first)
    new = plugin.checked("Release", stack.release("v2"))
    second = plugin.update("Release", new, first, inputs)
    finish(stack, second)
    back = plugin.update("Release", inputs, second, new)
    assert (back["action"], back["gate"], back["targetColor"]) == ("rollback", "check", "blue")
    assert back["colors"]["blue"]["image"] == first["colors"]["blue"]["image"]


def test_a_version_that_failed_at_its_gate_is_no_rollback_after_a_hotfix(plugin, stack):
    inputs, state = planned(plugin, stack, "v1")
    finish(stack, state)
    for version, finishes in (("v2", True), ("v3", False), ("v2.1", True)):
        new = plugin.checked("Release", stack.release(version))
        state = plugin.update("Release", new, plugin.read("Release", inputs, state), inputs)
        assert state["gate"] == "expand"
        inputs = new
        if finishes:
            finish(stack, state)
    again = plugin.update("Release", plugin.checked("Release", stack.release("v3")), state, inputs)
    assert (again["action"], again["gate"], again["rollback"]) == ("release", "expand", False)
    assert again["lineage"] == ["v1", "v2", "v2.1", "v3"]
    back = plugin.update("Release", plugin.checked("Release", stack.release("v2")), state, inputs)
    assert (back["action"], back["gate"]) == ("rollback", "check")


def test_a_state_of_an_earlier_provider_shows_nothing_and_is_read(plugin, stack):
    inputs, state = planned(plugin, stack, "v1")
    finish(stack, state)
    old = {key: one for key, one in state.items() if key != "untried"}
    assert plugin.diff("Release", inputs, inputs, plugin.read("Release", inputs, old)) == []
    failed = {**old, "version": "v3", "lineage": ["v1", "v3"]}
    hotfix = plugin.update("Release", plugin.checked("Release", stack.release("v2")), failed, inputs)
    assert hotfix["lineage"] == ["v1", "v2"]


def test_an_interrupted_shift_is_put_back_in_up_and_only_announced_in_a_preview(plugin, stack, fake):
    inputs, first = planned(plugin, stack, "v1")
    finish(stack, first)
    new = plugin.checked("Release", stack.release("v2"))
    second = plugin.update("Release", new, first, inputs)
    stack.serve("green", "v2")
    stack.set_weights(90, 10)
    other = plugin.checked("Release", stack.release("v3"))
    preview = plugin.update("Release", other, second, new, preview=True)
    plugin.lines.wait_for("first the weights go back to blue 100 / green 0")
    assert stack.weights() == (90, 10)
    assert fake.count("modify_rule") == 0
    state = plugin.update("Release", other, second, new)
    assert stack.weights() == (100, 0)
    assert preview["liveWeights"] == state["liveWeights"] == {"blue": 100, "green": 0}
    assert (state["reset"], state["targetColor"]) == (True, "green")


def test_an_interrupted_shift_of_the_same_version_is_resumed(plugin, stack):
    inputs, first = planned(plugin, stack, "v1")
    finish(stack, first)
    new = plugin.checked("Release", stack.release("v2"))
    second = plugin.update("Release", new, first, inputs)
    stack.serve("green", "v2")
    stack.set_weights(50, 50)
    read = plugin.read("Release", new, second)
    assert plugin.diff("Release", new, new, read) == ["observed"]
    third = plugin.update("Release", new, read, new)
    assert (third["action"], third["reset"]) == ("resume", False)
    assert third["liveWeights"] == {"blue": 50, "green": 50}


def test_a_version_without_an_image_is_found_in_ecr_or_refused_by_name(plugin, stack, fake):
    ecr = fake.client("ecr")
    ecr.create_repository(repositoryName=stack.name)
    ecr.put_image(repositoryName=stack.name, imageTag="v7", imageManifest=MANIFEST)
    stack.serve("blue", "v1")
    found = planned(plugin, stack, "v7", image=None)[1]
    assert found["image"].startswith("123456789012.dkr.ecr.eu-west-1.amazonaws.com/")
    assert "@sha256:" in found["image"]
    with pytest.raises(Error, match=r"version v8 does not exist in ECR repository .* there are: v7"):
        planned(plugin, stack, "v8", image=None)


def test_a_version_that_a_color_holds_needs_neither_image_nor_ecr(plugin, stack):
    stack.serve("blue", "v1")
    assert planned(plugin, stack, "v1", image=None)[1]["image"] == "repo@sha256:v1"


def test_a_rule_that_sends_requests_elsewhere_is_refused(plugin, stack, fake):
    other = fake.client("elbv2").create_target_group(Name=f"{stack.name}-x", TargetType="lambda")["TargetGroups"][0]
    actions = stack.actions(50, 0)
    actions[0]["ForwardConfig"]["TargetGroups"].append({"TargetGroupArn": other["TargetGroupArn"], "Weight": 50})
    fake.client("elbv2").modify_rule(RuleArn=stack.rule, Actions=actions)
    with pytest.raises(Error, match="target group of neither color"):
        planned(plugin, stack, "v1")
