"""The report in the program: the last step of a release, with what all the others say."""

import pytest

from tests.unit.program import REGION, run_program
from tests.unit.recording import Recording

KIND = "bluegreen:index:ReleaseReport"


@pytest.fixture(scope="module")
def recording() -> Recording:
    return run_program()


def test_it_comes_after_everything_of_the_release(recording: Recording) -> None:
    report = recording.one(KIND)
    steps = [each for each in recording.resources if each.type.startswith("bluegreen:index:") and each.type != KIND]
    assert len(steps) >= 7
    for each in steps:
        assert recording.waits_for(report, each), each.name


def test_with_contracts_it_comes_after_them_and_has_their_facts_too() -> None:
    retired = run_program(previous="retired")
    assert retired.waits_for(retired.one(KIND), retired.one("bluegreen:index:TaskRun", "cutover-contract"))
    assert len(retired.one(KIND).inputs["results"]) == len(run_program().one(KIND).inputs["results"]) + 1


def test_it_is_told_the_plan_and_the_settings(recording: Recording) -> None:
    told = recording.one(KIND).inputs
    release = recording.one("bluegreen:index:Release").inputs
    assert told["version"] == release["version"] == told["treeVersion"]
    assert (told["previousVersion"], told["targetColor"], told["action"]) == ("v1", "green", "release")
    assert (told["weights"], told["liveWeights"]) == ({"blue": 0, "green": 100}, {"blue": 100, "green": 0})
    assert (told["region"], told["cpu"], told["memory"], told["architecture"]) == (REGION, 256, 512, "X86_64")
    assert (told["steps"], told["bakeSeconds"], told["previous"]) == ([10, 50, 100], 60, "warm")
    assert told["listenerRuleArn"] == recording.one("bluegreen:index:TrafficShift").inputs["listenerRuleArn"]


def test_a_version_that_is_asked_for_is_not_taken_for_the_tree() -> None:
    told = run_program(version="v1").one(KIND).inputs
    assert told["version"] == "v1"
    assert told["treeVersion"] != "v1"


def test_what_a_failing_shift_does_is_told() -> None:
    assert run_program(onFailure="freeze").one(KIND).inputs["onFailure"] == "freeze"


def test_what_is_adopted_is_told(recording: Recording) -> None:
    assert run_program(adopt="e0001").one(KIND).inputs["adopt"] == "e0001"
    assert recording.one(KIND).inputs.get("adopt") is None
