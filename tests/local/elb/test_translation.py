"""Rules as routes, patterns as expressions, targets as endpoints: without Envoy."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local.contracts import TargetHealth
from local.elb import patterns
from local.elb.config import endpoints
from local.elb.model import Forward, Group, HealthCheck, Redirect, Rule, WeightedGroup
from local.elb.routes import Cluster, NotModeledError, rule_routes


def full(expression: str, text: str) -> bool:
    """As Envoy matches: the whole string."""
    return re.fullmatch(expression, text) is not None


letters = st.text("ab./+(", max_size=8)


@settings(deadline=None)
@given(st.text("ab./+(*?", max_size=6), letters)
def test_wildcards_mean_what_they_do_in_file_names(pattern: str, text: str) -> None:
    assert full(patterns.wildcard(pattern), text) is fnmatchcase(text, pattern)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("shop.example.com", True),
        ("SHOP.Example.com:8080", True),
        ("example.com", False),
        ("a.example.com.evil", False),
    ],
)
def test_hosts(host: str, expected: bool) -> None:
    assert full(patterns.host(["*.example.com"]), host) is expected


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/a?version=v1", True),
        ("/a?x=1&version=v", True),
        ("/a?version=v1&x=1", True),
        ("/a?xversion=v1", False),
        ("/a?version=w", False),
        ("/version=v1", False),
        ("/a?x=/?version=v1", False),
        ("/a?other=any", True),
    ],
)
def test_query_strings(target: str, expected: bool) -> None:
    assert full(patterns.query([{"Key": "version", "Value": "v*"}, {"Value": "any"}]), target) is expected


@pytest.mark.parametrize(
    ("address", "expected"), [("10.1.0.0", True), ("10.1.3.255", True), ("10.1.4.0", False), ("110.1.0.0", False)]
)
def test_networks(address: str, expected: bool) -> None:
    assert full(patterns.networks(["10.1.0.0/22"]), address) is expected


def routes(action: Any, *conditions: dict[str, Any]) -> list[dict[str, Any]]:
    """The routes of a rule whose clusters are named like the ARNs."""
    return rule_routes(Rule(arn="rule", priority=1, conditions=conditions, action=action), Cluster, 80)


def weights(blue: int, green: int, sticky: int = 0) -> Forward:
    groups = (WeightedGroup(arn="blue", weight=blue), WeightedGroup(arn="green", weight=green))
    return Forward(groups=groups, sticky_seconds=sticky)


def test_both_groups_stay_in_the_route_and_nothing_is_tried_again() -> None:
    (route,) = routes(weights(100, 0))
    clusters = route["route"]["weighted_clusters"]["clusters"]
    assert [(one["name"], one["weight"]) for one in clusters] == [("blue", 100), ("green", 0)]
    assert "retry_policy" not in route["route"]


def test_a_sticky_route_only_for_groups_with_weight() -> None:
    cookie, rest = routes(weights(100, 0, sticky=60))
    assert "blue" in cookie["match"]["headers"][0]["string_match"]["safe_regex"]["regex"]
    assert "headers" not in rest["match"]


def test_no_weight_at_all_is_503() -> None:
    (route,) = routes(weights(0, 0))
    assert route["direct_response"] == {"status": 503}


@pytest.mark.parametrize(
    "action",
    [
        Redirect(status=301, host="a.#{host}"),
        Redirect(status=301, query="a=b&#{query}"),
        Redirect(status=301, path="/#{host}/#{path}"),
    ],
)
def test_templates_that_cannot_be_expressed_are_named(action: Redirect) -> None:
    with pytest.raises(NotModeledError, match="not modeled"):
        routes(action)


def test_unknown_conditions_are_named() -> None:
    with pytest.raises(NotModeledError, match="moon-phase"):
        routes(weights(1, 0), {"Field": "moon-phase"})


GROUP = Group(
    arn="arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/tg/0123456789abcdef",
    port=8080,
    check=HealthCheck(
        path="/", port=None, interval=5, timeout=2, healthy_threshold=2, unhealthy_threshold=2, matcher="200"
    ),
    deregistration_delay=1,
    sticky_cookie_seconds=0,
)


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        (["healthy", "unhealthy", "initial", "draining"], ["HEALTHY", "UNHEALTHY", "UNHEALTHY", "DRAINING"]),
        (["unhealthy", "initial", "draining"], ["HEALTHY", "HEALTHY", "DRAINING"]),
        (["draining"], ["DRAINING"]),
    ],
)
def test_fail_open_takes_every_target_but_those_that_drain(states: list[Any], expected: list[str]) -> None:
    members = {(f"127.64.0.{n}", 8080): TargetHealth(state=state) for n, state in enumerate(states)}
    hosts = endpoints(GROUP, members)["endpoints"][0]["lb_endpoints"]
    assert [host["health_status"] for host in hosts] == expected
