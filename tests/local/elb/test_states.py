"""The state machine of target health, without a network."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local.elb.model import Group, HealthCheck
from local.elb.prober import matches
from local.elb.targets import Key, Outcome, Registry

ARN = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/tg/0123456789abcdef"
KEY: Key = (ARN, "127.64.0.1", 8080)
CHECK = HealthCheck(
    path="/", port=None, interval=5, timeout=2, healthy_threshold=3, unhealthy_threshold=2, matcher="200"
)
PASSED = Outcome(passed=True)
FAILED = Outcome(passed=False, reason="Target.Timeout", description="Request timed out")


class Clock:
    """A time that tests set."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def registry(clock: Clock) -> Registry:
    return make(clock)


def make(clock: Clock, *, used: bool = True) -> Registry:
    """A registry with one target in one group."""
    registry = Registry(changed=lambda: None, clock=clock)
    group = Group(arn=ARN, port=8080, check=CHECK, deregistration_delay=10, sticky_cookie_seconds=0)
    registry.configure({ARN: group}, frozenset({ARN} if used else ()))
    registry.register(KEY)
    return registry


def observe(registry: Registry, *outcomes: Outcome) -> list[str]:
    """The states after each outcome."""
    states = []
    for outcome in outcomes:
        ((key, watch),) = registry.watches()
        registry.observe(key, watch, outcome)
        states.append(registry.health(KEY).state)
    return states


def test_one_passed_check_makes_a_new_target_healthy(registry: Registry) -> None:
    assert registry.health(KEY).reason == "Elb.RegistrationInProgress"
    assert observe(registry, PASSED) == ["healthy"]


def test_thresholds_count_checks_in_a_row(registry: Registry) -> None:
    assert observe(registry, FAILED) == ["initial"]
    assert registry.health(KEY).reason == "Elb.InitialHealthChecking"
    assert observe(registry, FAILED) == ["unhealthy"]
    assert registry.health(KEY).reason == "Target.Timeout"
    assert observe(registry, PASSED, PASSED, FAILED, PASSED, PASSED, PASSED) == ["unhealthy"] * 5 + ["healthy"]
    assert observe(registry, FAILED, PASSED, FAILED, FAILED) == ["healthy"] * 3 + ["unhealthy"]


@settings(deadline=None)
@given(st.lists(st.booleans(), max_size=40))
def test_only_a_row_of_checks_changes_the_state(results: list[bool]) -> None:
    registry = make(Clock())
    states = observe(registry, *(PASSED if passed else FAILED for passed in results))
    for index, state in enumerate(states):
        before = states[index - 1] if index else "initial"
        if (before, state) in {("initial", "unhealthy"), ("healthy", "unhealthy")}:
            assert results[index - 1 : index + 1] == [False, False]
        if (before, state) == ("unhealthy", "healthy"):
            assert results[index - 2 : index + 1] == [True] * 3
        if (before, state) == ("initial", "healthy"):
            assert results[index]
        assert (before, state) not in {("healthy", "initial"), ("unhealthy", "initial")}


def test_a_stale_watch_changes_nothing(registry: Registry) -> None:
    ((key, watch),) = registry.watches()
    registry.deregister(KEY)
    registry.register(KEY)
    registry.observe(key, watch, PASSED)
    assert registry.health(KEY).state == "initial"
    assert registry.check(key, watch) is None


def test_drained_after_three_quiet_looks_in_a_row(registry: Registry) -> None:
    observe(registry, PASSED)
    assert not registry.drained(KEY)
    registry.deregister(KEY)
    for busy in (False, False, True, False, False):
        registry.look(lambda _, busy=busy: busy)
        assert not registry.drained(KEY)
    assert registry.look(lambda _: False)
    assert registry.drained(KEY)
    assert registry.health(KEY).reason == "Target.NotRegistered"


def test_drained_when_the_delay_is_over(registry: Registry, clock: Clock) -> None:
    observe(registry, PASSED)
    registry.deregister(KEY)
    clock.now = 9.9
    registry.look(lambda _: True)
    assert not registry.drained(KEY)
    clock.now = 10.0
    registry.look(lambda _: True)
    assert registry.drained(KEY)


def test_an_unused_group_checks_nothing_and_lets_go_at_once(clock: Clock) -> None:
    registry = make(clock, used=False)
    assert registry.health(KEY).reason == "Target.NotInUse"
    assert list(registry.watches()) == []
    registry.deregister(KEY)
    assert registry.drained(KEY)


def test_a_deleted_group_takes_its_targets_along(registry: Registry) -> None:
    registry.configure({}, frozenset())
    assert registry.drained(KEY)


@pytest.mark.parametrize(
    ("matcher", "status", "expected"),
    [("200", 200, True), ("200", 204, False), ("200,204", 204, True), ("200-299", 250, True), ("200-299", 300, False)],
)
def test_matchers(matcher: str, status: int, expected: bool) -> None:
    assert matches(matcher, status) is expected
