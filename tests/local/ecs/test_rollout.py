"""The decisions of the service scheduler: a table, and properties of a service that follows them."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local.ecs.rollout import Member, backoff_seconds, breaker_threshold, decide


def old(key, good=True):
    return Member(key=key, primary=False, good=good)


def new(key, good=True, **fields):
    return Member(key=key, primary=True, good=good, proven=fields.pop("proven", good), **fields)


def step(members, desired=2, minimum=100, maximum=200, may_start=True):
    decision = decide(
        desired=desired, minimum_percent=minimum, maximum_percent=maximum, may_start=may_start, members=members
    )
    return decision.start, set(decision.stop)


TABLE = {
    "an empty service starts all": ([], {}, 2, set()),
    "a service at its count rests": ([new("a"), new("b")], {}, 0, set()),
    "a release starts all at 200 percent": ([old("a"), old("b")], {}, 2, set()),
    "the old stay while the new are not good": ([old("a"), old("b"), new("c", False), new("d", False)], {}, 0, set()),
    "one good new one frees one old one": ([old("a"), old("b"), new("c"), new("d", False)], {}, 0, {"a"}),
    "all good frees all old": ([old("a"), old("b"), new("c"), new("d")], {}, 0, {"a", "b"}),
    "an old one that serves nobody goes first": ([old("a", False), old("b")], {}, 2, {"a"}),
    "at 100 percent with minimum 50 the old make room": (
        [old("a"), old("b")],
        {"minimum": 50, "maximum": 100},
        1,
        {"a"},
    ),
    "at 150 percent one is started beside": ([old("a"), old("b")], {"maximum": 150}, 1, set()),
    "nothing is started while it may not": ([old("a")], {"may_start": False}, 0, set()),
    "the newest goes when fewer are wanted": ([new("a"), new("b"), new("c")], {}, 0, {"c"}),
    "one that is not good goes before a good one": ([new("a", False), new("b"), new("c")], {}, 0, {"a"}),
    "none is wanted": ([old("a"), new("b"), new("c", bad=True)], {"desired": 0}, 0, {"a", "b", "c"}),
    "a sick one that never was good is replaced at once": ([new("a"), new("b", False, bad=True)], {}, 1, {"b"}),
    "a sick one that was good waits for its replacement": (
        [new("a"), new("b", False, bad=True, proven=True)],
        {},
        1,
        set(),
    ),
    "and goes when it is good": ([new("a"), new("b", False, bad=True, proven=True), new("c")], {}, 0, {"b"}),
    "or at once when there is no room": (
        [new("a"), new("b", False, bad=True, proven=True)],
        {"maximum": 100},
        0,
        {"b"},
    ),
    "but not while nothing may start": (
        [new("a"), new("b", False, bad=True, proven=True)],
        {"maximum": 100, "may_start": False},
        0,
        set(),
    ),
}


@pytest.mark.parametrize("case", TABLE)
def test_table(case):
    members, options, start, stop = TABLE[case]
    assert step(members, **options) == (start, stop)


@pytest.mark.parametrize(("desired", "threshold"), [(0, 3), (1, 3), (6, 3), (7, 4), (100, 50), (400, 200), (1000, 200)])
def test_breaker_threshold(desired, threshold):
    assert breaker_threshold(desired) == threshold


def test_the_back_off_grows_to_a_limit():
    waits = [backoff_seconds(failures) for failures in range(40)]
    assert waits == sorted(waits)
    assert (waits[0], waits[1], waits[-1]) == (0.0, 0.5, 30.0)


MEMBERS = st.lists(
    st.builds(
        dict,
        primary=st.booleans(),
        health=st.sampled_from(["good", "starting", "bad"]),
        proven=st.booleans(),
    ),
    max_size=12,
)


def members_of(drawn):
    return [
        Member(
            key=str(index),
            primary=one["primary"],
            good=one["health"] == "good",
            bad=one["health"] == "bad",
            proven=one["proven"] or one["health"] == "good",
        )
        for index, one in enumerate(drawn)
    ]


@given(
    drawn=MEMBERS,
    desired=st.integers(0, 6),
    minimum=st.integers(0, 100),
    maximum=st.integers(100, 300),
    may_start=st.booleans(),
)
def test_a_step_keeps_the_limits(drawn, desired, minimum, maximum, may_start):
    members = members_of(drawn)
    start, stop = step(members, desired, minimum, maximum, may_start)
    good = sum(member.good for member in members)
    left = sum(member.good for member in members if member.key not in stop)
    assert left >= min(good, math.ceil(desired * minimum / 100))
    if start:
        assert len(members) - len(stop) + start <= desired * maximum // 100
    assert start >= 0
    assert may_start or start == 0


@settings(max_examples=200)
@given(
    drawn=MEMBERS,
    desired=st.integers(0, 5),
    minimum=st.integers(0, 100),
    maximum=st.integers(100, 300),
)
def test_every_start_ends_at_the_wanted_count_of_good_primary_tasks(drawn, desired, minimum, maximum):
    if desired and math.floor(desired * maximum / 100) <= math.ceil(desired * minimum / 100):
        maximum = 200  # no task may go and none may come: such a service cannot roll on ECS either
    members = members_of(drawn)
    for turn in range(40):
        start, stop = step(members, desired, minimum, maximum)
        members = [member for member in members if member.key not in stop]
        # What started in the turn before becomes good.
        members = [
            member
            if member.bad or member.good
            else Member(key=member.key, primary=member.primary, good=True, proven=True)
            for member in members
        ]
        members += [Member(key=f"{turn}.{n}", primary=True, good=False) for n in range(start)]
    assert len(members) == desired
    assert all(member.primary and member.good for member in members)
