"""What previews show, and what a run without a change does."""

import pytest

from tests.provider.task_script import TaskScript

pytestmark = pytest.mark.slow


@pytest.fixture
def released(engine, fake):
    fake.scripts = [TaskScript.ends(0)]
    engine.up().ok()
    fake.calls.clear()
    return engine


def test_a_preview_of_a_release_shows_color_versions_and_weights(engine, fake):
    shown = engine.preview("--diff").ok().text
    plan = "release of v2 to green: blue keeps v1, green keeps v2; weights blue 100 / green 0 -> blue 0 / green 100"
    assert plan in shown, shown
    assert 'trigger        : "v2/expand"' in shown  # what follows from the plan is known too
    assert fake.calls == []


def test_a_preview_of_no_change_is_empty(released, fake):
    shown = released.preview("--expect-no-changes").ok().text
    assert "7 unchanged" in shown
    assert "[diff:" not in shown, shown
    released.preview("--expect-no-changes", "--refresh").ok()
    assert fake.calls == []


def test_an_up_with_an_unrelated_change_makes_no_call_to_the_rule(released, stack, fake):
    released.spec["beside"]["trigger"] = "2"
    fake.scripts = [TaskScript.ends(0)]
    released.up().ok()
    assert [name for name, _ in fake.calls] == ["run_task"]
    assert stack.weights() == (0, 100)


def scale(stack, color, count):
    """As autoscaling would."""
    stack.fake.client("ecs").update_service(cluster=stack.name, service=stack.services[color], desiredCount=count)
    stack.fake.calls.clear()


def test_tasks_added_from_outside_are_no_change_and_a_release_takes_them_over(released, stack, fake):
    scale(stack, "green", 5)
    released.preview("--expect-no-changes").ok()
    assert fake.calls == []
    released.spec["release"] |= {"version": "v1", "image": None}
    fake.scripts = [TaskScript.ends(0)]
    released.up().ok()
    ecs = stack.fake.client("ecs")
    found = ecs.describe_services(cluster=stack.name, services=[stack.services["blue"]])["services"][0]
    assert found["desiredCount"] == 5
    assert stack.weights() == (100, 0)
    released.preview("--expect-no-changes").ok()


def test_a_plain_preview_starts_from_the_live_weights(released, stack):
    stack.set_weights(30, 70)
    shown = released.preview("--diff").ok().text
    assert "blue : 30 => 0" in shown, shown
    assert "green: 70 => 100" in shown, shown
    released.up().ok()
    assert stack.weights() == (0, 100)


def test_weights_moved_after_the_plan_are_refused_and_the_next_run_plans_from_them(engine, stack, fake):
    fake.scripts = [TaskScript.ends(0)]
    fake.on_call["update_service"] = lambda _: by_hand(stack)
    refused = engine.up()
    assert refused.code == 1
    assert (
        "the live weights are blue 80 / green 20, the plan was made when they were blue 100 / green 0" in refused.text
    )
    assert stack.weights() == (80, 20)
    fake.on_call.clear()
    engine.up().ok()
    assert stack.weights() == (0, 100)


def by_hand(stack):
    """Straight into the store: this runs inside a call, and a second one would wait for it."""
    from moto.elbv2.models import elbv2_backends

    for rule in elbv2_backends["123456789012"]["eu-west-1"].describe_rules(None, [stack.rule]):
        for one in rule.actions[0].data["ForwardConfig"]["TargetGroups"]:
            one["Weight"] = 80 if "blue" in one["TargetGroupArn"] else 20


def test_twin_without_the_hand_it_shifts(engine, stack, fake):
    fake.scripts = [TaskScript.ends(0)]
    engine.up().ok()
    assert stack.weights() == (0, 100)


def test_rollback_is_one_step_back_to_the_warm_color(released, stack, fake):
    released.spec["release"] |= {"version": "v1", "image": None}
    fake.scripts = [TaskScript.ends(0)]
    shown = released.up().ok().text
    assert "rollback of v1 to blue: blue keeps v1, green keeps v2" in shown
    assert stack.weights() == (100, 0)
    assert fake.count("modify_rule") == 1


def test_destroy_works_though_everything_is_gone(released, stack, fake):
    fake.client("elbv2").delete_rule(RuleArn=stack.rule)
    released.run("destroy", "--yes", "--skip-preview").ok()
    assert released.state().get("resources", []) == []


def test_bad_input_is_refused_in_the_preview_with_property_and_reason(engine, fake):
    engine.spec["shift"]["steps"] = [50, 20]
    engine.spec["release"]["previous"] = "cold"
    shown = engine.preview()
    assert shown.code != 0
    assert "previous" in shown.text
    assert "is 'cold'; expected warm or retired" in shown.text
    assert fake.calls == []
