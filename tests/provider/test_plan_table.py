"""The plan as a table: what is live, what is wanted, what follows."""

from dataclasses import dataclass

import pytest

from provider.plan import History, Plan, Slot, Wanted, held_by_freeze, plan, same_shares


def slot(version, desired=2, healthy=None):
    return Slot(
        version=version,
        image=f"repo@{version}",
        desired_count=desired,
        healthy_count=desired if healthy is None else healthy,
    )


@dataclass(frozen=True, kw_only=True)
class Case:
    name: str
    live: tuple[int, int] | None
    blue: Slot | None
    green: Slot | None
    wanted: str
    lineage: str = ""
    settled: str | None = None
    setting: int | None = None  # desired_count that was obeyed; 2 is wanted in every case
    given: tuple[int, int] | None = None  # counts that the last plan asked for
    previous: str = "warm"
    # expected
    action: str
    target: str
    start: tuple[int, int]
    holds: tuple[str, str]
    counts: tuple[int, int]
    gate: str = "expand"
    reset: bool = False
    obeyed: int = 2


V1, V2, V3 = slot("v1"), slot("v2"), slot("v3")
TEN1, TEN2 = slot("v1", 10), slot("v2", 10)  # scaled from outside
OFF1 = slot("v1", 0)

CASES = [
    Case(name="first release, no rule yet", live=None, blue=None, green=None, wanted="v1",
         action="first", target="blue", start=(100, 0), holds=("v1", "v1"), counts=(2, 0)),
    Case(name="first release, rule there", live=(100, 0), blue=None, green=None, wanted="v1",
         action="first", target="blue", start=(100, 0), holds=("v1", "v1"), counts=(2, 0)),
    Case(name="first release, rule starts on green", live=(0, 1), blue=None, green=None, wanted="v1",
         action="first", target="green", start=(0, 1), holds=("v1", "v1"), counts=(0, 2)),
    Case(name="nothing to do after the first",
         live=(100, 0), blue=V1, green=OFF1, wanted="v1", lineage="v1", settled="blue",
         action="none", target="blue", start=(100, 0), holds=("v1", "v1"), counts=(2, 0)),
    Case(name="second release", live=(100, 0), blue=V1, green=OFF1, wanted="v2", lineage="v1", settled="blue",
         action="release", target="green", start=(100, 0), holds=("v1", "v2"), counts=(2, 2)),
    Case(name="third release goes over the warm one", live=(0, 100), blue=V1, green=V2, wanted="v3", lineage="v1 v2",
         action="release", target="blue", start=(0, 100), holds=("v3", "v2"), counts=(2, 2)),
    Case(name="rollback to the warm color", live=(0, 100), blue=V1, green=V2, wanted="v1", lineage="v1 v2",
         action="rollback", target="blue", start=(0, 100), holds=("v1", "v2"), counts=(2, 2), gate="check"),
    Case(name="rollback to a version that no color holds",
         live=(0, 100), blue=V2, green=V3, wanted="v1", lineage="v1 v2 v3",
         action="rollback", target="blue", start=(0, 100), holds=("v1", "v3"), counts=(2, 2), gate="check"),
    Case(name="two bad releases that never got traffic: the good one serves",
         live=(100, 0), blue=V1, green=slot("v3", 2, 0), wanted="v1", lineage="v1 v2 v3", settled="blue",
         action="none", target="blue", start=(100, 0), holds=("v1", "v3"), counts=(2, 0), gate="check"),
    Case(name="good, bad, and a bad one in place of the good: the good one is released again, in one step",
         live=(0, 100), blue=slot("v3", 2, 0), green=V2, wanted="v1", lineage="v1 v2 v3", settled="green",
         action="rollback", target="blue", start=(0, 100), holds=("v1", "v2"), counts=(2, 2), gate="check"),
    Case(name="rollback to a color that was retired brings it up", live=(0, 100), blue=OFF1, green=V2, wanted="v1",
         lineage="v1 v2", settled="blue",
         action="rollback", target="blue", start=(0, 100), holds=("v1", "v2"), counts=(2, 2), gate="check"),
    Case(name="forward again after a rollback", live=(100, 0), blue=V1, green=V2, wanted="v2", lineage="v1 v2",
         action="release", target="green", start=(100, 0), holds=("v1", "v2"), counts=(2, 2)),
    Case(name="previous retired", live=(0, 100), blue=V1, green=V2, wanted="v2", lineage="v1 v2", previous="retired",
         action="none", target="green", start=(0, 100), holds=("v1", "v2"), counts=(0, 2)),
    Case(name="retired and released in one",
         live=(0, 100), blue=V1, green=V2, wanted="v3", lineage="v1 v2", previous="retired",
         action="release", target="blue", start=(0, 100), holds=("v3", "v2"), counts=(2, 0)),
    Case(name="warm again does not start what was retired",
         live=(0, 100), blue=OFF1, green=V2, wanted="v2", lineage="v1 v2",
         action="none", target="green", start=(0, 100), holds=("v1", "v2"), counts=(0, 2)),
    Case(name="resumed shift", live=(90, 10), blue=V1, green=V2, wanted="v2", lineage="v1 v2", settled="blue",
         action="resume", target="green", start=(90, 10), holds=("v1", "v2"), counts=(2, 2)),
    Case(name="interrupted shift given up",
         live=(90, 10), blue=V1, green=V2, wanted="v1", lineage="v1 v2", settled="blue",
         action="rollback", target="blue", start=(90, 10), holds=("v1", "v2"), counts=(2, 2), gate="check"),
    Case(name="interrupted shift, then another version", live=(90, 10), blue=V1, green=V2, wanted="v3", lineage="v1 v2",
         settled="blue", action="release", target="green", start=(100, 0), holds=("v1", "v3"),
         counts=(2, 2), reset=True),
    Case(name="the same when most had gone over", live=(10, 90), blue=V1, green=V2, wanted="v3", lineage="v1 v2",
         settled="blue", action="release", target="green", start=(100, 0), holds=("v1", "v3"),
         counts=(2, 2), reset=True),
    Case(name="never back to a color that serves nothing", live=(50, 50), blue=slot("v1", 2, 0), green=V2, wanted="v3",
         lineage="v1 v2", settled="blue", action="release", target="blue", start=(0, 100), holds=("v3", "v2"),
         counts=(2, 2), reset=True),
    Case(name="interrupted, state lost: back to the heavier", live=(20, 80), blue=V1, green=V2, wanted="v3",
         action="release", target="blue", start=(0, 100), holds=("v3", "v2"), counts=(2, 2), reset=True),
    Case(name="flipped by hand", live=(100, 0), blue=V1, green=V2, wanted="v2", lineage="v1 v2", settled="green",
         action="release", target="green", start=(100, 0), holds=("v1", "v2"), counts=(2, 2)),
    Case(name="a first version that never served gets no tasks",
         live=(100, 0), blue=slot("v1", 2, 0), green=OFF1, wanted="v2",
         lineage="v1", action="release", target="green", start=(100, 0), holds=("v1", "v2"), counts=(0, 2)),
    Case(name="a bad release given up", live=(100, 0), blue=V1, green=slot("v2", 2, 0), wanted="v1", lineage="v1 v2",
         action="none", target="blue", start=(100, 0), holds=("v1", "v2"), counts=(2, 0), gate="check"),
    Case(name="no weight anywhere: where the version is", live=(0, 0), blue=V1, green=V2, wanted="v2", lineage="v1 v2",
         action="release", target="green", start=(0, 0), holds=("v1", "v2"), counts=(2, 2)),
    Case(name="no weight anywhere: spare the last good one",
         live=(0, 0), blue=V1, green=V2, wanted="v3", lineage="v1 v2",
         settled="blue", action="release", target="green", start=(0, 0), holds=("v1", "v3"), counts=(2, 2)),
    Case(name="the live service was deleted", live=(100, 0), blue=None, green=V1, wanted="v1", lineage="v1",
         action="release", target="green", start=(100, 0), holds=("v1", "v1"), counts=(0, 2)),
    Case(name="the live service was deleted, the version is nowhere", live=(100, 0), blue=None, green=V1, wanted="v2",
         lineage="v1", action="release", target="blue", start=(100, 0), holds=("v2", "v1"), counts=(2, 2)),
    Case(name="state lost: a known idle version counts as newer", live=(0, 100), blue=V1, green=V2, wanted="v1",
         action="release", target="blue", start=(0, 100), holds=("v1", "v2"), counts=(2, 2)),
    Case(name="release of a color scaled from outside", live=(100, 0), blue=TEN1, green=OFF1, wanted="v2", lineage="v1",
         settled="blue", setting=2, given=(2, 0),
         action="release", target="green", start=(100, 0), holds=("v1", "v2"), counts=(10, 10)),
    Case(name="rollback from a color scaled from outside",
         live=(0, 100), blue=V1, green=TEN2, wanted="v1", lineage="v1 v2", settled="blue", setting=2, given=(2, 2),
         action="rollback", target="blue", start=(0, 100), holds=("v1", "v2"), counts=(10, 10), gate="check"),
    Case(name="resumed while the old color is scaled from outside",
         live=(90, 10), blue=TEN1, green=V2, wanted="v2", lineage="v1 v2", settled="blue", setting=2, given=(2, 2),
         action="resume", target="green", start=(90, 10), holds=("v1", "v2"), counts=(10, 10)),
    Case(name="scaled from outside is nobody's business", live=(0, 100), blue=V1, green=TEN2, wanted="v2",
         lineage="v1 v2", settled="blue", setting=2, given=(2, 2),
         action="none", target="green", start=(0, 100), holds=("v1", "v2"), counts=(2, 2)),
    Case(name="scaled from outside, state lost", live=(0, 100), blue=V1, green=TEN2, wanted="v2",
         action="none", target="green", start=(0, 100), holds=("v1", "v2"), counts=(2, 10)),
    Case(name="a lowered setting is obeyed", live=(0, 100), blue=TEN1, green=TEN2, wanted="v2", lineage="v1 v2",
         settled="blue", setting=4, given=(10, 10),
         action="none", target="green", start=(0, 100), holds=("v1", "v2"), counts=(2, 2)),
    Case(name="a raised setting takes nothing away", live=(0, 100), blue=TEN1, green=TEN2, wanted="v2", lineage="v1 v2",
         settled="blue", setting=1, given=(10, 10),
         action="none", target="green", start=(0, 100), holds=("v1", "v2"), counts=(10, 10)),
    Case(name="a lowered setting waits for the release", live=(100, 0), blue=slot("v1", 4), green=OFF1, wanted="v2",
         lineage="v1", settled="blue", setting=4, given=(4, 0), obeyed=4,
         action="release", target="green", start=(100, 0), holds=("v1", "v2"), counts=(4, 4)),
]  # fmt: skip


def made(case: Case) -> Plan:
    live = None if case.live is None else {"blue": case.live[0], "green": case.live[1]}
    wanted = Wanted(version=case.wanted, image=f"repo@{case.wanted}", desired_count=2, previous=case.previous)
    counts = dict(zip(("blue", "green"), case.given or (), strict=case.given is not None))
    history = History(lineage=tuple(case.lineage.split()), settled=case.settled, setting=case.setting, counts=counts)
    return plan(live, {"blue": case.blue, "green": case.green}, wanted, history)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_plan(case):
    found = made(case)
    assert (found.action, found.target, found.gate, found.reset) == (case.action, case.target, case.gate, case.reset)
    assert (found.live_weights["blue"], found.live_weights["green"]) == case.start
    assert tuple(found.colors[color].version for color in ("blue", "green")) == case.holds
    assert tuple(found.colors[color].desired_count for color in ("blue", "green")) == case.counts
    assert found.weights == {found.target: 100, found.previous: 0}
    assert found.setting == case.obeyed


def test_a_color_that_has_the_version_keeps_its_image():
    wanted = Wanted(version="v1", image="repo@rebuilt", desired_count=2)
    found = plan({"blue": 0, "green": 100}, {"blue": V1, "green": V2}, wanted, History(lineage=("v1", "v2")))
    assert found.colors["blue"].image == V1.image


def test_a_version_that_failed_at_its_gate_is_new_after_a_hotfix():
    wanted = Wanted(version="v3", image="i", desired_count=2)
    live, slots = {"blue": 100, "green": 0}, {"blue": slot("v2.1"), "green": V2}
    history = History(lineage=("v1", "v2", "v2.1"), untried="v2.1", settled="green")
    found = plan(live, slots, wanted, history)
    assert (found.action, found.gate, found.untried) == ("release", "expand", True)
    assert found.lineage == ("v1", "v2", "v2.1", "v3")


def test_the_lineage_keeps_no_version_that_was_only_asked_for():
    wanted = Wanted(version="v2.1", image="i", desired_count=2)
    live, slots = {"blue": 0, "green": 100}, {"blue": V1, "green": V2}
    found = plan(live, slots, wanted, History(lineage=("v1", "v2", "v3"), untried="v3", settled="green"))
    assert found.lineage == ("v1", "v2", "v2.1")


def test_back_from_a_version_that_has_a_part_of_the_weight_only_is_one_check():
    live, slots = {"blue": 10, "green": 90}, {"blue": V3, "green": V2}
    history = History(lineage=("v1", "v2", "v3"), untried="v3", settled="green")
    found = plan(live, slots, Wanted(version="v2", image="i", desired_count=2), history)
    assert (found.action, found.gate, found.lineage) == ("rollback", "check", ("v1", "v2"))


def test_the_lineage_grows_in_the_order_of_first_releases():
    wanted = Wanted(version="v3", image="repo@v3", desired_count=2)
    found = plan({"blue": 0, "green": 100}, {"blue": V1, "green": V2}, wanted, History(lineage=("v1",)))
    assert found.lineage == ("v1", "v2", "v3")


def test_the_lineage_is_bounded_and_an_old_version_still_counts_as_older():
    many = tuple(f"v{number}" for number in range(300))
    slots = {"blue": slot("v299"), "green": slot("v298")}
    found = plan(
        {"blue": 1, "green": 0}, slots, Wanted(version="v5", image="i", desired_count=1), History(lineage=many)
    )
    assert found.action == "rollback"
    assert len(found.lineage) == 100


@pytest.mark.parametrize(
    ("name", "held"),
    [("second release", "move the weights"), ("rollback to the warm color", "move the weights"),
     ("resumed shift", "move the weights"), ("interrupted shift, then another version", "move the weights"),
     ("previous retired", "retire blue, the way back"), ("first release, no rule yet", None),
     ("nothing to do after the first", None), ("a raised setting takes nothing away", None),
     ("warm again does not start what was retired", None)],
)  # fmt: skip
def test_what_a_freeze_holds(name, held):
    (case,) = [each for each in CASES if each.name == name]
    live = None if case.live is None else {"blue": case.live[0], "green": case.live[1]}
    assert held_by_freeze(made(case), live, {"blue": case.blue, "green": case.green}) == held


@pytest.mark.parametrize(
    ("one", "two", "same"),
    [((1, 1), (50, 50), True), ((1, 0), (100, 0), True), ((90, 10), (9, 1), True), ((90, 10), (10, 90), False),
     ((0, 0), (0, 0), True), ((0, 0), (100, 0), False)],
)  # fmt: skip
def test_same_shares(one, two, same):
    assert same_shares({"blue": one[0], "green": one[1]}, {"blue": two[0], "green": two[1]}) is same
