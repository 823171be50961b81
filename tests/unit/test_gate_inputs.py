"""What the steps of a release are told: triggers, limits, what is pending, and where to look."""

import dataclasses
from typing import Any

import pytest

from infra import schema
from provider import resources
from tests.unit.cutter import Cutter
from tests.unit.program import OUTPUTS, run_program
from tests.unit.recording import Recording

RUN, CAPACITY, SHIFT = "bluegreen:index:TaskRun", "bluegreen:index:ServiceCapacity", "bluegreen:index:TrafficShift"
SERVICE, RULE = "aws:ecs/service:Service", "aws:lb/listenerRule:ListenerRule"


@pytest.fixture(scope="module")
def recording() -> Recording:
    return run_program(previous="retired")


def test_a_failing_shift_does_what_the_setting_says() -> None:
    shift = run_program(onFailure="freeze").one("bluegreen:index:TrafficShift").inputs
    assert shift["onFailure"] == "freeze"
    assert shift["versions"] == {"blue": "v1", "green": shift["versions"]["green"]}
    assert run_program().one("bluegreen:index:TrafficShift").inputs["onFailure"] == "rollback"


def test_expand_and_contract_run_again_for_another_database(recording: Recording) -> None:
    identity = recording.one(RUN, "schema-roles").inputs["trigger"]
    assert identity
    for name in ("schema-expand", "schema-backfill", "cutover-backfill", "cutover-contract"):
        assert f"/{identity}" in recording.one(RUN, name).inputs["trigger"], name


def adoption_waits_for_the_roles(recording: Recording) -> None:
    assert "schema-roles" in recording.needs(RUN, "schema-adopt")


def expand_waits_for_the_adoption(recording: Recording) -> None:
    assert "schema-adopt" in recording.needs(RUN, "schema-expand")


ADOPTION = [
    (adoption_waits_for_the_roles, resources.TaskRun, "schema-adopt", "schema-roles"),
    (expand_waits_for_the_adoption, resources.TaskRun, "schema-expand", "schema-adopt"),
]


def test_a_database_is_adopted_between_the_roles_and_the_expand_and_only_when_asked_for(recording: Recording) -> None:
    assert "schema-adopt" not in {each.name for each in recording.of(RUN)}
    adopting = run_program(adopt="e0001")
    for check, *_ in ADOPTION:
        check(adopting)
    adopt = adopting.one(RUN, "schema-adopt").inputs
    assert adopt["command"] == ["python", "-m", "migrations", "adopt", "--through", "e0001"]
    # Once for a database and a revision, and not again for each release.
    assert (adopt["color"], adopt["trigger"]) == ("green", "e0001/db-ABC/first")
    with Cutter(edge[1:] for edge in ADOPTION) as cutter:
        damaged = run_program(adopt="e0001", cached=False)
    assert not cutter.left
    for check, *_ in ADOPTION:
        with pytest.raises(AssertionError):
            check(damaged)


def test_drift_is_judged_as_the_setting_says(recording: Recording) -> None:
    assert "MIGRATION_REFUSE_DRIFT" not in recording.one(RUN, "schema-expand").inputs["environment"]
    strict = run_program(previous="retired", refuseDrift="any")
    for name in ("schema-expand", "cutover-contract"):
        assert strict.one(RUN, name).inputs["environment"]["MIGRATION_REFUSE_DRIFT"] == "any"
    for name in ("schema-roles", "schema-backfill", "cutover-backfill"):
        assert "MIGRATION_REFUSE_DRIFT" not in strict.one(RUN, name).inputs["environment"], "it would run again"


def test_the_backfill_has_its_own_limit_and_is_told_what_is_pending() -> None:
    recording = run_program(backfillTimeoutSeconds="7200", backfillSettings='["SHARE_PERCENT=25"]')
    backfill, gate = (recording.one(RUN, name).inputs for name in ("cutover-backfill", "schema-expand"))
    assert (backfill["timeoutSeconds"], gate["timeoutSeconds"]) == (7200, 900)
    assert (backfill["skip"], backfill["pending"]) == (False, ["b1"])
    assert backfill["environment"] == {
        "MIGRATION_ACTOR": "somebody",
        "MIGRATION_BACKFILL_SHARE_PERCENT": "25",
        "MIGRATION_SERVICE": "bluegreen-test",
    }
    assert "pending" not in gate


def test_what_the_image_needs_filled_is_filled_before_it_serves_and_the_rest_after() -> None:
    recording = run_program(backfillTimeoutSeconds="7200", backfillSettings='["SHARE_PERCENT=25"]')
    before, after = (recording.one(RUN, name).inputs for name in ("schema-backfill", "cutover-backfill"))
    assert (before["pending"], after["pending"]) == (["b0"], ["b1"])
    assert before["command"] == [*after["command"], "--needed"]
    for same in ("timeoutSeconds", "environment", "color"):
        assert before[same] == after[same]
    assert before["trigger"] != after["trigger"]


def a_contract_has_the_rows_looked_at_once_more(recording: Recording) -> None:
    """Whatever the gate found: the previous version has written rows since then."""
    backfill = recording.one(RUN, "cutover-backfill").inputs
    assert backfill["pending"] == ["b1", "c1"]
    assert "/before-contract/" in backfill["trigger"], "a run for the same version, before it was retired, is not one"


def the_gate_is_part_of_the_trigger(recording: Recording) -> None:
    """Filled is what the gate found that ran last, and not what another one found of the same version."""
    gate = OUTPUTS[RUN]("schema-expand", {})["taskArn"]
    for name in ("schema-backfill", "cutover-backfill"):
        assert recording.one(RUN, name).inputs["trigger"].endswith(f"/{gate}"), name


def test_another_run_of_the_gate_has_the_backfills_run_again(recording: Recording) -> None:
    the_gate_is_part_of_the_trigger(recording)


def test_before_a_contract_the_rows_are_looked_at_once_more(recording: Recording) -> None:
    a_contract_has_the_rows_looked_at_once_more(recording)
    kept = run_program(previous="warm")
    with pytest.raises(AssertionError):
        a_contract_has_the_rows_looked_at_once_more(kept)
    assert kept.one(RUN, "cutover-backfill").inputs["pending"] == ["b1"]


def test_where_no_contract_is_pending_a_change_of_previous_runs_no_backfill(monkeypatch: pytest.MonkeyPatch) -> None:
    told = OUTPUTS[RUN]("schema-expand", {})
    told = {**told, "result": {**told["result"], "pendingContracts": []}}
    monkeypatch.setitem(OUTPUTS, RUN, lambda _name, _inputs: told)
    warm, retired = (run_program(previous=one, cached=False) for one in ("warm", "retired"))
    for name in ("trigger", "pending"):
        assert len({str(one.one(RUN, "cutover-backfill").inputs[name]) for one in (warm, retired)}) == 1


def on_the_way_back(monkeypatch: pytest.MonkeyPatch, **settings: Any) -> Recording:
    back = {**OUTPUTS["bluegreen:index:Release"]("release", {"version": "v1"}), "action": "rollback", "rollback": True}
    monkeypatch.setitem(OUTPUTS, "bluegreen:index:Release", lambda _name, _inputs: back)
    return run_program(cached=False, **settings)


def a_rollback_fills_what_the_image_needs(recording: Recording) -> None:
    backfill = recording.one(RUN, "schema-backfill").inputs
    assert backfill["pending"] == ["b0"]
    assert not backfill.get("skip")


def test_a_rollback_skips_the_later_backfill_and_never_what_the_image_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    recording = on_the_way_back(monkeypatch)
    later = recording.one(RUN, "cutover-backfill").inputs
    assert (later["skip"], later["pending"]) == (True, ["b1"])
    a_rollback_fills_what_the_image_needs(recording)


def test_before_a_contract_the_rows_are_looked_at_also_on_the_way_back(monkeypatch: pytest.MonkeyPatch) -> None:
    recording = on_the_way_back(monkeypatch, previous="retired")
    assert not recording.one(RUN, "cutover-backfill").inputs.get("skip")
    a_contract_has_the_rows_looked_at_once_more(recording)


def test_twin_a_needed_backfill_that_a_rollback_skips_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    made = schema.migration

    def skipping(*given: Any, **named: Any) -> resources.TaskRunArgs:
        args = made(*given, **named)
        return dataclasses.replace(args, skip=True) if "pending" in named else args

    monkeypatch.setattr(schema, "migration", skipping)
    with pytest.raises(AssertionError):
        a_rollback_fills_what_the_image_needs(on_the_way_back(monkeypatch))


def test_a_gate_of_an_older_image_that_names_no_backfills_has_none_pending(monkeypatch: pytest.MonkeyPatch) -> None:
    told = {**OUTPUTS[RUN]("schema-expand", {}), "result": {"revision": "e2"}}
    monkeypatch.setitem(OUTPUTS, RUN, lambda _name, _inputs: told)
    assert run_program(cached=False).one(RUN, "cutover-backfill").inputs["pending"] == []


def test_a_gate_that_told_nothing_leaves_nothing_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """No result is not "nothing is pending": both backfills run and find out, and the contract looks at all."""
    told = {**OUTPUTS[RUN]("schema-expand", {}), "result": {}}
    monkeypatch.setitem(OUTPUTS, RUN, lambda _name, _inputs: told)
    recording = run_program(previous="retired", cached=False)
    for name in ("schema-backfill", "cutover-backfill"):
        assert recording.one(RUN, name).inputs.get("pending") is None
    assert recording.one(RUN, "cutover-contract").inputs["evidence"].get("pending") is None


def test_every_run_must_tell_its_result(recording: Recording) -> None:
    assert [each.name for each in recording.of(RUN) if not each.inputs.get("expectsResult")] == []


def test_the_shift_knows_the_settled_color_and_capacities_their_least(recording: Recording) -> None:
    release = recording.one("bluegreen:index:Release").inputs
    assert recording.one(SHIFT).inputs["settledColor"] == "blue"
    for name in ("cutover-start", "cutover-previous"):
        assert recording.one(CAPACITY, name).inputs["leastCount"] == release["desiredCount"]


def test_a_freeze_can_keep_the_tasks_of_the_previous_color(recording: Recording) -> None:
    rule = recording.one("bluegreen:index:Release").inputs["listenerRuleArn"]
    assert recording.one(CAPACITY, "cutover-previous").inputs["listenerRuleArn"] == rule
    assert "listenerRuleArn" not in recording.one(CAPACITY, "cutover-start").inputs, "it only adds tasks"


def test_the_release_is_planned_from_the_live_rule(recording: Recording) -> None:
    inputs = recording.one("bluegreen:index:Release").inputs
    assert inputs["listenerRuleArn"].endswith("listener-rule/traffic-traffic")
    assert set(inputs["targetGroupArns"]) == set(inputs["services"]) == {"blue", "green"}
    assert (inputs["container"], inputs["previous"], inputs["desiredCount"]) == ("app", "retired", 2)


def test_the_shift_gets_its_weights_from_the_plan_and_its_pace_from_the_settings() -> None:
    inputs = run_program(steps=[25, 100], bakeSeconds=7, alarms=["errors"]).one(SHIFT).inputs
    assert inputs["weights"] == {"blue": 0, "green": 100}
    assert inputs["seenWeights"] == {"blue": 100, "green": 0}
    assert (inputs["steps"], inputs["bakeSeconds"], inputs["alarms"], inputs["rollback"]) == (
        [25, 100],
        7,
        ["errors"],
        False,
    )


def test_migrations_run_in_the_image_that_is_to_be_released(recording: Recording) -> None:
    expand = recording.one(RUN, "schema-expand").inputs
    version = recording.one("bluegreen:index:Release").inputs["version"]
    assert expand["color"] == "green"
    assert expand["command"] == ["python", "-m", "migrations", "expand"]
    assert expand["container"] == "migrate"
    assert expand["trigger"] == f"{version}/expand/db-ABC/first"


def test_roles_do_not_run_again_for_a_release(recording: Recording) -> None:
    roles = recording.one(RUN, "schema-roles").inputs
    assert (roles["color"], roles["trigger"]) == ("blue", "db-ABC/first")


def test_the_smoke_test_goes_to_the_target_color_through_the_test_listener(recording: Recording) -> None:
    smoke = recording.one(RUN, "cutover-smoke").inputs
    assert smoke["environment"] == {"SMOKE_HEADER": "bluegreen-color: green", "SMOKE_URL": "http://lb.test:8081"}
    assert smoke["command"] == ["python", "-m", "app.smoke"]
    assert smoke["container"] == "app"


def test_the_previous_color_keeps_what_the_plan_says(recording: Recording) -> None:
    assert recording.one(CAPACITY, "cutover-start").inputs["color"] == "green"
    assert recording.one(CAPACITY, "cutover-previous").inputs["color"] == "blue"
