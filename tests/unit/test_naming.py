"""Names are legal for every service that gets them, stable, and never shared by two stacks."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra import naming
from infra.naming import COLORS

ANY_TEXT = st.text(max_size=200)
TYPICAL = st.from_regex(r"[A-Za-z0-9/_.-]{1,60}", fullmatch=True)
LOAD_BALANCING = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,30}[A-Za-z0-9])?")
# The strictest of all: RDS. Starts with a letter, single hyphens, none at the end, at most 63.
DATABASE = re.compile(r"[a-z](?:-?[a-z0-9])*")


@given(project=ANY_TEXT, stack=ANY_TEXT | TYPICAL)
def test_a_prefix_is_legal_for_every_service(project: str, stack: str) -> None:
    prefix = naming.prefix(project, stack)
    assert DATABASE.fullmatch(prefix)
    assert len(prefix) <= naming.PREFIX_LIMIT


@given(project=ANY_TEXT, stack=ANY_TEXT | TYPICAL)
def test_names_at_the_load_balancer_fit(project: str, stack: str) -> None:
    prefix = naming.prefix(project, stack)
    names = [naming.load_balancer(prefix), *(naming.target_group(prefix, color) for color in COLORS)]
    for name in names:
        assert LOAD_BALANCING.fullmatch(name), name
    assert not names[0].startswith("internal-")
    assert names[1] != names[2]


@given(one=TYPICAL, two=TYPICAL)
def test_two_stacks_never_share_a_name(one: str, two: str) -> None:
    if one == two:
        return
    prefixes = naming.prefix("bluegreen", one), naming.prefix("bluegreen", two)
    assert prefixes[0] != prefixes[1]
    assert naming.load_balancer(prefixes[0]) != naming.load_balancer(prefixes[1])
    assert naming.target_group(prefixes[0], "blue") != naming.target_group(prefixes[1], "blue")


@pytest.mark.parametrize(
    ("one", "two"),
    [("Fix-1", "fix-1"), ("a/b", "a-b"), ("a--b", "a-b"), ("x" * 99 + "1", "x" * 99 + "2"), ("ação", "acao")],
)
def test_stacks_that_look_alike_stay_apart(one: str, two: str) -> None:
    assert naming.prefix("bluegreen", one) != naming.prefix("bluegreen", two)


def test_a_name_that_fits_is_left_alone() -> None:
    prefix = naming.prefix("bluegreen", "local")
    assert prefix == "bluegreen-local"
    assert naming.load_balancer(prefix) == "bluegreen-local"
    assert naming.target_group(prefix, "green") == "bluegreen-local-green"
    assert naming.service(prefix, "blue") == "bluegreen-local-blue"
    assert naming.migrate_family(prefix, "blue") == "bluegreen-local-blue-migrate"
    assert naming.log_group(prefix, "app") == "/bluegreen-local/app"


def test_a_long_name_is_cut_and_keeps_a_hash_of_the_whole() -> None:
    prefix = naming.prefix("bluegreen", "a-branch-of-twenty-one")
    assert re.fullmatch(r"bluegreen-a-branch-of-twe-[0-9a-f]{6}", naming.target_group(prefix, "blue"))


def test_the_word_that_aws_keeps_for_itself_is_avoided() -> None:
    assert naming.load_balancer(naming.prefix("internal", "dev")) == "lb-internal-dev"
