"""Conditions, answers of the load balancer itself, and the headers it adds."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.local.elb.elb_stage import NOT_FOUND, Stage, forward, request

pytestmark = pytest.mark.slow


def fixed(text: str) -> dict[str, Any]:
    config = {"StatusCode": "200", "MessageBody": text, "ContentType": "text/plain"}
    return {"Type": "fixed-response", "FixedResponseConfig": config}


def values(field: str, config: str, *given: Any, **more: Any) -> dict[str, Any]:
    return {"Field": field, config: {"Values": list(given), **more}}


def header(name: str, *given: str) -> dict[str, Any]:
    return values("http-header", "HttpHeaderConfig", *given, HttpHeaderName=name)


def test_every_kind_of_condition(stage: Stage) -> None:
    balancer, address = stage.balancer()
    listener = stage.listener(balancer, NOT_FOUND)
    path = values("path-pattern", "PathPatternConfig", "/img/*.png", "/exact")
    conditions: dict[str, list[dict[str, Any]]] = {
        "both": [path, header("X-Two", "yes")],
        "path": [path],
        "host": [values("host-header", "HostHeaderConfig", "*.Example.com")],
        "header": [header("bluegreen-color", "green", "gr?y")],
        "method": [values("http-request-method", "HttpRequestMethodConfig", "DELETE")],
        "query": [values("query-string", "QueryStringConfig", {"Key": "version", "Value": "v*"}, {"Value": "any"})],
        "source": [values("source-ip", "SourceIpConfig", "10.0.0.0/8"), header("x-from", "*")],
        "local": [values("source-ip", "SourceIpConfig", "0.0.0.0/1", "128.0.0.0/1"), header("x-from", "*")],
    }
    for priority, (name, wanted) in enumerate(conditions.items(), 1):
        stage.rule(listener, priority, fixed(name), *wanted)
    asked: dict[tuple[str, str], tuple[str, dict[str, str]]] = {
        ("GET", "/img/a/b.png"): ("path", {}),
        ("GET", "/img/a.PNG"): ("nothing here", {}),
        ("GET", "/exact?x=1"): ("path", {}),
        ("POST", "/exact"): ("both", {"x_two": "YES"}),
        ("GET", "/exact/"): ("nothing here", {}),
        ("GET", "/h1"): ("host", {"host": "shop.example.com:8080"}),
        ("GET", "/h2"): ("nothing here", {"host": "example.com"}),
        ("GET", "/c1"): ("header", {"bluegreen_color": "GREEN"}),
        ("GET", "/c2"): ("header", {"bluegreen_color": "gray"}),
        ("GET", "/c3"): ("nothing here", {"bluegreen_color": "greenish"}),
        ("DELETE", "/m"): ("method", {}),
        ("GET", "/q?a=1&version=V2"): ("query", {}),
        ("GET", "/q?other=ANY&a=1"): ("query", {}),
        ("GET", "/q?version=2"): ("nothing here", {}),
        ("GET", "/version=v2"): ("nothing here", {}),
        ("GET", "/s"): ("local", {"x_from": "1", "x_lb_source_address": "10.1.1.1"}),
    }
    for (method, target), (name, headers) in asked.items():
        assert request(address, target, method=method, **headers).body == name, (method, target, headers)


def test_a_fixed_response_as_given(stage: Stage) -> None:
    balancer, address = stage.balancer()
    config = {"StatusCode": "503", "ContentType": "application/json", "MessageBody": '{"sorry": true}'}
    stage.listener(balancer, {"Type": "fixed-response", "FixedResponseConfig": config})
    answer = request(address)
    assert (answer.status, answer.body, answer.headers["content-type"]) == (503, '{"sorry": true}', "application/json")


@pytest.mark.parametrize(
    ("config", "location"),
    [
        ({"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"}, "https://{host}:443/a/b?c=d"),
        ({"Host": "other.example", "StatusCode": "HTTP_302"}, "http://other.example:8080/a/b?c=d"),
        ({"Path": "/new/#{path}", "StatusCode": "HTTP_302"}, "http://{host}:8080/new/a/b?c=d"),
        ({"Path": "/only", "Query": "x=y", "StatusCode": "HTTP_302"}, "http://{host}:8080/only?x=y"),
        ({"Path": "/#{path}", "Query": "", "Host": "n.example", "StatusCode": "HTTP_302"}, "http://n.example:8080/a/b"),
    ],
)
def test_redirects(stage: Stage, config: dict[str, str], location: str) -> None:
    balancer, address = stage.balancer()
    stage.listener(balancer, {"Type": "redirect", "RedirectConfig": config})
    answer = request(address, "/a/b?c=d")
    assert answer.status == int(config["StatusCode"][-3:])
    assert answer.headers["location"] == location.format(host=address)


def test_headers_towards_the_target(stage: Stage) -> None:
    site = stage.site("one")
    group = stage.group(site)
    balancer, address = stage.balancer()
    stage.listener(balancer, forward({group: 1}))
    stage.healthy(group)
    request(address, x_forwarded_for="192.0.2.7", x_request_id="mine", x_forwarded_port="1")
    assert re.fullmatch(r"192\.0\.2\.7,[0-9.]+", site.last["x-forwarded-for"])
    assert (site.last["x-forwarded-port"], site.last["x-forwarded-proto"]) == ("8080", "http")
    assert site.last["host"] == f"{address}:8080"
    assert site.last["x-request-id"] == "mine"
    assert re.fullmatch(r"Root=1-[0-9a-f]{8}-[0-9a-f]{24}", site.last["x-amzn-trace-id"])
    assert not [name for name in site.last if name.startswith(("x-envoy", "x-lb"))]
    request(address, x_amzn_trace_id="Root=1-67891233-abcdef012345678912345678;Sampled=1")
    assert re.fullmatch(r"Self=1-[0-9a-f]{8}-[0-9a-f]{24};Root=1-67891233-.*;Sampled=1", site.last["x-amzn-trace-id"])


def test_a_target_that_breaks_off_is_502(stage: Stage) -> None:
    site = stage.site("one")
    group = stage.group(site)
    balancer, address = stage.balancer()
    stage.listener(balancer, forward({group: 1}))
    stage.healthy(group)
    answer = request(address, "/reset")
    assert (answer.status, answer.headers["x-lb-reason"]) == (502, "UC")
    assert "502 Bad Gateway" in answer.body
    assert site.seen.count("/reset") == 1  # an ALB does not try again


def test_an_idle_request_is_504(stage: Stage) -> None:
    site = stage.site("one")
    group = stage.group(site)
    balancer, address = stage.balancer()
    stage.elb.modify_load_balancer_attributes(
        LoadBalancerArn=balancer, Attributes=[{"Key": "idle_timeout.timeout_seconds", "Value": "1"}]
    )
    stage.listener(balancer, forward({group: 1}))
    stage.healthy(group)
    assert request(address, "/slow").status == 504
