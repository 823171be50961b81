"""Target health as DescribeTargetHealth tells it and as traffic feels it."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from local.elb.reader import backends
from tests.local.elb.elb_stage import NOT_FOUND, Stage, forward, request
from tests.support.until import until

pytestmark = pytest.mark.slow


def quick(group: str, interval: float = 0.1, timeout: float = 0.5) -> None:
    """Check more often than the API allows, so that thresholds are reached within a test."""
    for backend in backends():
        if group in backend.target_groups:
            backend.target_groups[group].health_check_interval_seconds = interval
            backend.target_groups[group].health_check_timeout_seconds = timeout


def test_unused_until_something_forwards_to_the_group(stage: Stage) -> None:
    site = stage.site("one")
    group = stage.group(site)
    assert stage.states(group) == {site.address: ("unused", "Target.NotInUse")}
    balancer, _ = stage.balancer()
    listener = stage.listener(balancer, NOT_FOUND)
    rule = stage.rule(listener, 1, forward({group: 0, stage.group(): 1}))
    stage.healthy(group)  # also with weight 0
    stage.elb.delete_rule(RuleArn=rule)
    assert stage.states(group) == {site.address: ("unused", "Target.NotInUse")}


def test_thresholds_and_reasons(stage: Stage) -> None:
    site, other = stage.site("one"), stage.site("two")
    group = stage.group(site, other, UnhealthyThresholdCount=2, Matcher={"HttpCode": "200-299"})
    quick(group)
    balancer, address = stage.balancer()
    stage.listener(balancer, forward({group: 1}))
    stage.healthy(group)
    site.health = 500
    mismatch = ("unhealthy", "Target.ResponseCodeMismatch")
    until(lambda: stage.states(group)[site.address] == mismatch)
    described = stage.elb.describe_target_health(TargetGroupArn=group, Targets=[{"Id": site.address}])
    assert described["TargetHealthDescriptions"][0]["TargetHealth"]["Description"] == (
        "Health checks failed with these codes: [500]"
    )
    until(lambda: {request(address).body for _ in range(10)} == {"two"})
    site.health = 204
    stage.healthy(group)
    other.close()
    until(lambda: stage.states(group)[other.address] == ("unhealthy", "Target.FailedHealthChecks"))


def test_a_target_that_does_not_answer_in_time(stage: Stage) -> None:
    site = stage.site("one")
    group = stage.group(site, HealthCheckPath="/slow", UnhealthyThresholdCount=2)
    quick(group, timeout=0.1)
    balancer, _ = stage.balancer()
    stage.listener(balancer, forward({group: 1}))
    until(lambda: stage.states(group)[site.address] == ("unhealthy", "Target.Timeout"))


def test_a_new_target_gets_nothing_before_its_first_passed_check(stage: Stage) -> None:
    ready, starting = stage.site("ready"), stage.site("starting")
    starting.health = 503
    group = stage.group(ready, UnhealthyThresholdCount=10)
    balancer, address = stage.balancer()
    stage.listener(balancer, forward({group: 1}))
    stage.healthy(group)
    stage.elb.register_targets(TargetGroupArn=group, Targets=[{"Id": starting.address}])
    until(lambda: stage.states(group)[starting.address][0] == "initial")
    assert {request(address).body for _ in range(20)} == {"ready"}
    starting.health = 200
    stage.healthy(group)
    until(lambda: {request(address).body for _ in range(10)} == {"ready", "starting"})


def test_with_no_healthy_target_all_of_them_serve(stage: Stage) -> None:
    one, two, leaving = stage.site("one"), stage.site("two"), stage.site("leaving")
    group = stage.group(one, two, leaving, delay=60, UnhealthyThresholdCount=2)
    quick(group)
    balancer, address = stage.balancer()
    stage.listener(balancer, forward({group: 1}))
    stage.healthy(group)
    one.health = two.health = leaving.health = 500
    until(lambda: {state for state, _ in stage.states(group).values()} == {"unhealthy"})
    until(lambda: {request(address).body for _ in range(12)} == {"one", "two", "leaving"})
    stage.elb.deregister_targets(TargetGroupArn=group, Targets=[{"Id": leaving.address}])
    until(lambda: "leaving" not in {request(address).body for _ in range(12)})


def test_without_any_target_503(stage: Stage) -> None:
    group = stage.group()
    balancer, address = stage.balancer()
    stage.listener(balancer, forward({group: 1}))
    answer = request(address)
    assert (answer.status, answer.headers["x-lb-reason"], answer.headers["server"]) == (503, "UH", "awselb/2.0")


def test_draining_waits_for_the_request_in_flight_and_takes_no_new_one(stage: Stage) -> None:
    old, new = stage.site("old"), stage.site("new")
    group = stage.group(old, delay=60)
    balancer, address = stage.balancer()
    stage.listener(balancer, forward({group: 1}))
    stage.healthy(group)
    got: list[Any] = []
    slow = threading.Thread(target=lambda: got.append(request(address, "/slow")))
    slow.start()
    assert old.started.acquire(timeout=10)
    stage.elb.register_targets(TargetGroupArn=group, Targets=[{"Id": new.address}])
    stage.healthy(group)
    stage.balancing.deregister(group, old.address, 8080)
    assert stage.states(group)[old.address] == ("draining", "Target.DeregistrationInProgress")
    until(lambda: {request(address).body for _ in range(10)} == {"new"})
    assert not stage.balancing.drained(group, old.address, 8080)
    old.release.set()
    slow.join()
    assert (got[0].status, got[0].body) == (200, "old")
    until(lambda: stage.balancing.drained(group, old.address, 8080))
    assert list(stage.states(group)) == [new.address]
    assert stage.balancing.health(group, old.address, 8080).reason == "Target.NotRegistered"


def test_draining_ends_with_the_deregistration_delay(stage: Stage) -> None:
    site = stage.site("hanging")
    group = stage.group(site, delay=1)
    balancer, address = stage.balancer()
    stage.listener(balancer, forward({group: 1}))
    stage.healthy(group)
    slow = threading.Thread(target=request, args=(address, "/slow"))
    slow.start()
    assert site.started.acquire(timeout=10)
    stage.balancing.deregister(group, site.address, 8080)
    until(lambda: stage.balancing.drained(group, site.address, 8080))
    assert not site.release.is_set()
    site.release.set()
    slow.join()


def test_a_target_can_come_back_while_it_drains(stage: Stage) -> None:
    site = stage.site("one")
    group = stage.group(site, delay=60)
    balancer, address = stage.balancer()
    stage.listener(balancer, forward({group: 1}))
    stage.healthy(group)
    stage.elb.deregister_targets(TargetGroupArn=group, Targets=[{"Id": site.address}])
    stage.elb.register_targets(TargetGroupArn=group, Targets=[{"Id": site.address}])
    stage.healthy(group)
    until(lambda: request(address).body == "one")


def test_targets_are_told_apart_by_port(stage: Stage) -> None:
    site = stage.site("one")
    group = stage.group()
    ports = [{"Id": site.address, "Port": port} for port in (8080, 8081)]
    balancer, _ = stage.balancer()
    stage.listener(balancer, forward({group: 1}))
    stage.elb.register_targets(TargetGroupArn=group, Targets=ports)

    def states() -> dict[int, str]:
        found = stage.elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
        return {one["Target"]["Port"]: one["TargetHealth"]["State"] for one in found}

    until(lambda: states()[8080] == "healthy")
    assert states()[8081] == "initial"
    stage.elb.deregister_targets(TargetGroupArn=group, Targets=ports[1:])
    until(lambda: list(states()) == [8080])
