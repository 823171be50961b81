"""A contract is given what it takes to look whether the old color is gone."""

import pytest

from infra.evidence import Quiet
from tests.unit.program import run_program

RUN = "bluegreen:index:TaskRun"


def test_a_contract_is_held_back_by_evidence_about_the_previous_color() -> None:
    recording = run_program(previous="retired", contractQuietSeconds="120")
    contract = recording.one(RUN, "cutover-contract").inputs
    given = contract["evidence"]
    assert given["color"] == "blue"
    rule = recording.one("bluegreen:index:TrafficShift").inputs
    assert given["listenerRuleArn"] == rule["listenerRuleArn"]
    assert given["targetGroupArns"] == rule["targetGroupArns"]
    assert given["services"] == rule["services"]
    app = recording.one("bluegreen:index:ServiceCapacity", "cutover-start").inputs["taskDefinitions"]
    assert given["taskDefinitions"] == app
    assert given["taskDefinitions"] != contract["taskDefinitions"]  # both families of a color are looked at
    assert (given["quietSeconds"], given["periodSeconds"], given["delaySeconds"]) == (120, 60, 180)
    assert given["pending"] == ["c1"]
    # What it waits is not taken from the time that the task itself may take.
    assert contract["timeoutSeconds"] == given["waitSeconds"] + 900
    assert given["waitSeconds"] == 120 + 60 + 180


def test_no_other_task_waits_for_evidence() -> None:
    recording = run_program(previous="retired")
    assert [run.name for run in recording.of(RUN) if run.inputs.get("evidence")] == ["cutover-contract"]


@pytest.mark.parametrize(("seconds", "wait"), [(0, 240), (300, 540), (86400, 900)])
def test_it_waits_no_longer_than_a_task_may_take(seconds: int, wait: int) -> None:
    assert Quiet(seconds=seconds, period=60, delay=180).wait(900) == wait
