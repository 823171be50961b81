"""Listener rules as Envoy routes: conditions, weighted and sticky forwarding, fixed responses, redirects.

One rule becomes one route, or a few when its target groups are sticky: a request that brings the cookie of a group
goes to it as long as the group's weight is above 0, so a flip to weight 0 moves everybody at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from local.elb import patterns
from local.elb.model import Action, FixedResponse, Forward, Listener, Redirect, Rule, WeightedGroup

GROUP_COOKIE = "AWSALBTG"
TARGET_COOKIE = "AWSALB"
SOURCE_HEADER = "x-lb-source-address"  # set by the listener before routing, removed before forwarding
PROBE_HEADER = "x-lb-configuration"  # asks a listener which configuration its worker has

SESSION_FILTER = "envoy.filters.http.stateful_session"
TYPE = "type.googleapis.com/envoy."

Json = dict[str, Any]


@dataclass(frozen=True)
class Cluster:
    """What a route must know of a target group: its cluster's name, and its own stickiness in seconds (0: none)."""

    name: str
    sticky_seconds: int = 0


Clusters = Callable[[str], Cluster]


class NotModeledError(ValueError):
    """A condition or action that the API knows and this data plane does not."""


def route_configuration(listener: Listener, clusters: Clusters, version: str, token: str) -> Json:
    """The routes of one listener. `version` is what a request with the probe header (value `token`) is told.

    Raises NotModeledError when a rule cannot be expressed.
    """
    probe = {
        "name": "probe",
        "match": {"prefix": "/", "headers": [_exact(PROBE_HEADER, token)]},
        "direct_response": {"status": 200, "body": {"inline_string": version}},
    }
    routes = [route for rule in listener.rules for route in rule_routes(rule, clusters, listener.port)]
    return {
        "name": listener.name,
        "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [probe, *routes]}],
        "validate_clusters": False,
        "request_headers_to_add": [_overwrite("x-forwarded-port", str(listener.port))],
        "request_headers_to_remove": [SOURCE_HEADER, "x-envoy-internal", "x-envoy-external-address"],
    }


def rule_routes(rule: Rule, clusters: Clusters, port: int) -> list[Json]:
    """The routes of one rule of a listener on this port, in the order in which they must be tried."""
    match = rule_match(rule.conditions)
    if isinstance(rule.action, Forward):
        return _forward(rule.action, match, clusters)
    return [{"name": _kind(rule.action), "match": match, **_answer(rule.action, port)}]


def rule_match(conditions: tuple[Mapping[str, Any], ...]) -> Json:
    """The match of a rule: all of its conditions."""
    match: Json = {"prefix": "/"}
    headers: list[Json] = []
    for condition in conditions:
        field = condition.get("Field", "")
        if field == "path-pattern":
            match = {"safe_regex": {"regex": patterns.path(_values(condition, "PathPatternConfig"))}}
        else:
            headers.append(_condition(field, condition))
    return {**match, "headers": headers} if headers else match


def _condition(field: str, condition: Mapping[str, Any]) -> Json:
    if field == "host-header":
        return _regex(":authority", patterns.host(_values(condition, "HostHeaderConfig")))
    if field == "http-header":
        name = condition["HttpHeaderConfig"]["HttpHeaderName"]
        return _regex(name.lower(), patterns.header(_values(condition, "HttpHeaderConfig")))
    if field == "http-request-method":
        return _regex(":method", patterns.any_of(map(re.escape, _values(condition, "HttpRequestMethodConfig"))))
    if field == "query-string":
        return _regex(":path", patterns.query(condition["QueryStringConfig"]["Values"]))
    if field == "source-ip":
        return _regex(SOURCE_HEADER, patterns.networks(_values(condition, "SourceIpConfig")))
    raise NotModeledError(f"condition field {field!r} is not modeled by the embedded load balancer")


def _values(condition: Mapping[str, Any], config: str) -> list[str]:
    """Both spellings of the API: the typed one and the old `Values`."""
    settings = condition.get(config, {})
    if settings.get("RegexValues"):
        raise NotModeledError(f"RegexValues of {condition.get('Field')} are not modeled by the embedded load balancer")
    return list(settings.get("Values") or condition.get("Values") or ())


def _forward(action: Forward, match: Json, clusters: Clusters) -> list[Json]:
    if not action.serving:
        # The API allows weights that are all 0; a request then finds no target.
        return [{"name": "no-target", "match": match, "direct_response": {"status": 503}}]
    routes: list[Json] = []
    if action.sticky_seconds:
        routes = [
            {"match": _with_cookie(match, clusters(group.arn).name), "route": _weighted([group], action, clusters)}
            for group in action.serving
        ]
    return [*routes, {"match": match, "route": _weighted(list(action.groups), action, clusters)}]


def _weighted(groups: list[WeightedGroup], action: Forward, clusters: Clusters) -> Json:
    entries: list[Json] = []
    for group in groups:
        cluster = clusters(group.arn)
        entry: Json = {"name": cluster.name, "weight": group.weight}
        if action.sticky_seconds:
            cookie = f"{GROUP_COOKIE}={cluster.name}; Max-Age={action.sticky_seconds}; Path=/"
            entry["response_headers_to_add"] = [{"header": {"key": "set-cookie", "value": cookie}}]
        if cluster.sticky_seconds:
            entry["typed_per_filter_config"] = {SESSION_FILTER: _session(cluster.sticky_seconds)}
        entries.append(entry)
    # No retry, as an ALB does not retry. The time limit is the idle timeout of the listener's streams.
    return {"weighted_clusters": {"clusters": entries}, "timeout": "0s"}


def _session(seconds: int) -> Json:
    """Every client stays with its target, by a cookie that names it; while that target is there and healthy."""
    cookie = {"name": TARGET_COOKIE, "path": "/", "ttl": f"{seconds}s"}
    state = {"@type": f"{TYPE}extensions.http.stateful_session.cookie.v3.CookieBasedSessionState", "cookie": cookie}
    return {
        "@type": f"{TYPE}extensions.filters.http.stateful_session.v3.StatefulSessionPerRoute",
        "stateful_session": {
            "session_state": {"name": "envoy.http.stateful_session.cookie", "typed_config": state},
        },
    }


def _with_cookie(match: Json, value: str) -> Json:
    cookie = _regex("cookie", rf"(?:.*;\s*)?{GROUP_COOKIE}={re.escape(value)}(?:;.*)?")
    return {**match, "headers": [*match.get("headers", []), cookie]}


def _kind(action: Action) -> str:
    return "fixed-response" if isinstance(action, FixedResponse) else "redirect"


def _answer(action: FixedResponse | Redirect, port: int) -> Json:
    if isinstance(action, Redirect):
        return {"redirect": redirect(action, port)}
    answer: Json = {"direct_response": {"status": action.status}}
    if action.body:
        answer["direct_response"]["body"] = {"inline_string": action.body}
        answer["response_headers_to_add"] = [_overwrite("content-type", action.content_type)]
    return answer


def redirect(action: Redirect, port: int) -> Json:
    """A redirect as Envoy describes it. Raises NotModeledError for templates it has no words for."""
    out: Json = {"response_code": "MOVED_PERMANENTLY" if action.status == 301 else "FOUND"}
    if action.protocol != "#{protocol}":
        out["scheme_redirect"] = action.protocol.lower()
    if action.host != "#{host}":
        out["host_redirect"] = _plain(action.host, "host")
    if action.port != "#{port}":
        out["port_redirect"] = int(_plain(action.port, "port"))
    elif "host_redirect" in out:
        out["port_redirect"] = port  # Envoy would drop it with the host
    return {**out, **_redirect_path(action)}


def _redirect_path(action: Redirect) -> Json:
    constant = "#{" not in action.path
    if action.query not in {"#{query}", ""} and not constant:
        raise NotModeledError(
            f"redirect query {action.query!r} with path {action.path!r} is not modeled; use a plain path"
        )
    out: Json = {"strip_query": True} if not action.query else {}
    if constant:
        query = f"?{_plain(action.query, 'query')}" if action.query not in {"#{query}", ""} else ""
        return {**out, "path_redirect": f"{action.path}{query}"}
    if action.path in {"/#{path}", "#{path}"}:
        return out
    before, _, after = action.path.partition("#{path}")
    text = _plain(before, "path").replace("\\", r"\\") + r"\1" + _plain(after, "path").replace("\\", r"\\")
    return {**out, "regex_rewrite": {"pattern": {"regex": "^/(.*)$"}, "substitution": text}}


def _plain(text: str, part: str) -> str:
    if "#{" in text:
        raise NotModeledError(f"redirect {part} {text!r} is not modeled by the embedded load balancer")
    return text


def _regex(name: str, regex: str) -> Json:
    return {"name": name, "string_match": {"safe_regex": {"regex": regex}}}


def _exact(name: str, value: str) -> Json:
    return {"name": name, "string_match": {"exact": value}}


def _overwrite(key: str, value: str) -> Json:
    return {"header": {"key": key, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
