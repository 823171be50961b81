"""Injected faults, and the log of calls."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.calls import KEPT, CallLog
from local.faults import BadFault, Faults, error_of


def test_a_fault_meets_its_calls_and_no_others():
    faults = Faults()
    faults.add({"service": "ecs", "action": "RunTask", "kind": "throttle", "times": 2, "skip": 1})
    assert faults.take("ecs", "StopTask") is None
    assert faults.take("rds", "RunTask") is None
    met = [faults.take("ecs", "RunTask") for _ in range(4)]
    assert [one and one.kind for one in met] == [None, "throttle", "throttle", None]
    assert faults.waiting() == []


@given(times=st.integers(1, 20), skip=st.integers(0, 20))
def test_a_fault_meets_exactly_as_many_as_asked(times, skip):
    faults = Faults()
    faults.add({"service": "*", "action": "*", "kind": "fail", "times": times, "skip": skip})
    met = [faults.take("ecs", "RunTask") is not None for _ in range(times + skip + 5)]
    assert met == [False] * skip + [True] * times + [False] * 5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "explode"}, "the kind of a fault is one of throttle, fail, delay, lose; found 'explode'"),
        ({"times": 0}, "times is at least 1"),
        ({"times": "2"}, "times is a whole number; found '2'"),
        ({"skip": -1}, "skip at least 0"),
        ({"status": 200}, "status is from 400 to 599; found 200"),
        ({"kind": "delay"}, "a delay needs seconds"),
        ({"kind": "delay", "seconds": 1e6}, "seconds is from 0 to 300"),
        ({"seconds": "long"}, "seconds is a number; found 'long'"),
        ({"servise": "ecs"}, "a fault has no attribute servise; it has action, code"),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(change, message):
    faults = Faults()
    with pytest.raises(BadFault, match=message):
        faults.add({"service": "ecs", "action": "RunTask", "kind": "fail", **change})
    assert faults.waiting() == []


def test_the_error_of_a_fault_is_the_service_s_own():
    faults = Faults()
    throttle = faults.add({"service": "ec2", "action": "*", "kind": "throttle"})
    assert error_of(throttle, "ec2") == ("RequestLimitExceeded", "Rate exceeded")
    assert error_of(throttle, "rds") == ("Throttling", "Rate exceeded")
    own = faults.add({"service": "ec2", "action": "*", "kind": "fail", "code": "Odd", "message": "very"})
    assert error_of(own, "ec2") == ("Odd", "very")
    assert faults.clear() == 2


def test_concurrent_starts_and_clears_of_faults_lose_none():
    faults = Faults()

    def work():
        for _ in range(200):
            faults.add({"service": "a", "action": "b", "kind": "fail"})
            faults.take("a", "b")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults.waiting() == []


def test_the_log_keeps_the_last_calls_and_counts_all():
    log = CallLog()
    for number in range(KEPT + 5):
        log.note(time=0.0, service="ecs", action=f"Action{number % 2}", status=200, seconds=0.0, fault=None)
    report = log.report(since=KEPT)
    assert report["last"] == KEPT + 5
    assert sum(report["counts"].values()) == KEPT + 5
    assert [one["number"] for one in report["calls"]] == list(range(KEPT + 1, KEPT + 6))
    assert len(log.report()["calls"]) == KEPT
    assert log.report(service="rds")["calls"] == []
