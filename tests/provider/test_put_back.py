"""How long putting the weights back may take, on a clock of the test's own."""

import threading
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from provider import aws, choice, live
from provider.rpc.messages import Fail

BOUND_SECONDS = 10.0
GROUPS = {"blue": "b", "green": "g"}
ACTIONS = [{"Type": "forward", "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": "b", "Weight": 90}]}}]


class Clock:
    """Time that passes only where somebody waits for it."""

    def __init__(self):
        self.now = 100.0

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


class Elb:
    """Answers each operation as the test says; `calls` has when each came."""

    def __init__(self, clock, **answers):
        self.clock, self.answers, self.calls = clock, answers, []

    def _call(self, operation):
        self.calls.append(operation)
        answer = self.answers.get(operation)
        if answer is not None:
            answer(self.clock)
        return {"Rules": [{"Actions": ACTIONS}]}

    def describe_rules(self, **_):
        return self._call("describe_rules")

    def modify_rule(self, **_):
        return self._call("modify_rule")


def throttled(clock):
    clock.now += 0.05
    raise ClientError({"Error": {"Code": "Throttling", "Message": "Rate exceeded"}}, "any")


def silent(clock):
    clock.now += aws.QUICK_READ_SECONDS
    raise ReadTimeoutError(endpoint_url="http://elb")


def slow_answer(clock):
    clock.now += 2.5


@pytest.fixture
def clock(monkeypatch):
    made = Clock()
    time = SimpleNamespace(monotonic=made.monotonic, sleep=made.sleep)
    for module in (aws, choice, live):
        monkeypatch.setattr(module, "time", time)
    monkeypatch.setattr(aws, "random", SimpleNamespace(uniform=lambda _low, high: high))
    return made


def put_back(monkeypatch, clock, **answers):
    """The problem, the seconds that it took, and the calls."""
    elb, caller = Elb(clock, **answers), aws.Aws("eu-west-1", None, threading.Event())
    monkeypatch.setattr(caller, "_make", lambda *_, **__: elb)
    begun = clock.now

    def restore(left):
        live.write_weights(caller, "rule", GROUPS, {"blue": 100, "green": 0}, stubborn=True, seconds=left)

    problem = choice.within(choice.LAST_TRY_SECONDS, restore)
    return problem, clock.now - begun, elb.calls


@pytest.mark.parametrize("write", [None, throttled, silent], ids=["good", "throttled", "silent"])
@pytest.mark.parametrize("read", [throttled, silent, slow_answer], ids=["throttled", "silent", "slow"])
def test_reading_and_writing_share_one_bound(monkeypatch, clock, read, write):
    problem, seconds, calls = put_back(monkeypatch, clock, describe_rules=read, modify_rule=write)
    assert seconds < BOUND_SECONDS, calls
    assert (problem is None) == (read is slow_answer and write is None)
    assert isinstance(problem, Fail | None)


def test_a_read_that_took_all_the_time_is_not_followed_by_a_write(monkeypatch, clock):
    def late(clock):
        clock.now += 6.5

    problem, _, calls = put_back(monkeypatch, clock, describe_rules=late)
    assert calls == ["describe_rules"]
    assert "took all of the 6 s" in str(problem)


def test_throttling_that_ends_in_time_costs_nothing_but_the_time(monkeypatch, clock):
    left = iter(range(4))

    def at_first(clock):
        if next(left, None) is not None:
            throttled(clock)

    problem, _, calls = put_back(monkeypatch, clock, describe_rules=at_first, modify_rule=at_first)
    assert problem is None
    assert calls[-1] == "modify_rule"
