"""Steps of a shift."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provider.steps import rising, steps_to

QUICK = settings(max_examples=300, database=None, deadline=None)
WEIGHTS = st.tuples(st.integers(0, 999), st.integers(0, 999)).filter(any)
PERCENTS = st.lists(st.integers(1, 99), unique=True, max_size=5).map(lambda some: [*sorted(some), 100])


def pair(blue, green):
    return {"blue": blue, "green": green}


@pytest.mark.parametrize(
    ("start", "wanted", "percents", "expected"),
    [
        ((100, 0), (0, 100), [10, 50, 100], [(90, 10), (50, 50), (0, 100)]),
        ((0, 100), (100, 0), [10, 50, 100], [(10, 90), (50, 50), (100, 0)]),
        ((90, 10), (0, 100), [10, 50, 100], [(50, 50), (0, 100)]),
        ((50, 50), (0, 100), [10, 50, 100], [(0, 100)]),
        ((100, 0), (50, 50), [10, 50, 100], [(95, 5), (75, 25), (50, 50)]),
        ((1, 0), (0, 1), [50, 100], [(50, 50), (0, 1)]),
        ((0, 0), (0, 100), [50, 100], [(50, 50), (0, 100)]),
        ((100, 0), (0, 100), [100], [(0, 100)]),
    ],
)
def test_steps(start, wanted, percents, expected):
    assert [(one["blue"], one["green"]) for one in steps_to(pair(*start), pair(*wanted), percents)] == expected


@QUICK
@given(start=WEIGHTS, wanted=WEIGHTS, percents=PERCENTS)
def test_the_rising_color_only_rises_and_the_last_step_is_what_is_wanted(start, wanted, percents):
    start, wanted = pair(*start), pair(*wanted)
    up = rising(start, wanted)
    steps = steps_to(start, wanted, percents)
    assert steps[-1] == wanted
    shares = [one[up] / sum(one.values()) for one in (start, *steps)]
    assert all(one <= two + 1e-9 for one, two in pairwise(shares))
    assert all(0 <= weight <= 999 for one in steps for weight in one.values())
