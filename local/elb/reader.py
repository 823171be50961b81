"""The control plane's load balancers, listeners, rules and target groups as a snapshot.

The only module that knows where moto keeps them. To be called with the lock of the embedded AWS held.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from moto.elbv2.models import ELBv2Backend, elbv2_backends

from local.elb.model import (
    DEFAULT_PRIORITY,
    Action,
    Balancer,
    Certificate,
    FixedResponse,
    Forward,
    Group,
    HealthCheck,
    Listener,
    Redirect,
    Rule,
    Snapshot,
    WeightedGroup,
)

Json = Mapping[str, Any]


def backends() -> Iterator[ELBv2Backend]:
    """The backend of every account and region in use."""
    for account in list(elbv2_backends.values()):
        yield from list(account.values())


def snapshot() -> Snapshot:
    """Everything the data plane must do now."""
    balancers: list[Balancer] = []
    groups: dict[str, Group] = {}
    for backend in backends():
        balancers += [_balancer(backend, one) for one in list(backend.load_balancers.values()) if is_application(one)]
        groups |= {arn: _group(one) for arn, one in list(backend.target_groups.items())}
    return Snapshot(balancers=tuple(balancers), groups=groups)


def is_application(balancer: Any) -> bool:
    """Whether this is an ALB; other types are stored and have no data plane."""
    return bool(balancer.type == "application")


def _balancer(backend: ELBv2Backend, one: Any) -> Balancer:
    return Balancer(
        arn=one.arn,
        address=one.dns_name,
        attributes={key: str(value) for key, value in one.attrs.items()},
        listeners=tuple(_listener(backend, listener) for listener in list(one.listeners.values())),
    )


def _listener(backend: ELBv2Backend, one: Any) -> Listener:
    rules = sorted((_rule(rule) for rule in list(one.rules.values())), key=lambda rule: rule.priority)
    return Listener(
        arn=one.arn,
        port=int(one.port),
        protocol=one.protocol,
        rules=tuple(rules),
        certificate=_certificate(backend, one.certificate) if one.protocol == "HTTPS" else None,
    )


def _certificate(backend: ELBv2Backend, arn: str | None) -> Certificate | None:
    from moto.acm.models import acm_backends  # heavy, and few listeners have certificates

    found = acm_backends[backend.account_id][backend.region_name]._certificates.get(arn)
    if found is None:
        return None
    chain = b"\n".join(part for part in (found.cert, found.chain) if part)
    return Certificate(chain=chain.decode(), key=found.key.decode())


def _rule(one: Any) -> Rule:
    return Rule(
        arn=one.arn,
        priority=DEFAULT_PRIORITY if one.is_default else int(one.priority),
        conditions=tuple(one.conditions or ()),
        action=action(one.actions[-1].data),
    )


def action(data: Json) -> Action:
    """An action as the API stores it."""
    kind = data["Type"]
    if kind == "fixed-response":
        config = data["FixedResponseConfig"]
        return FixedResponse(
            status=int(config["StatusCode"]),
            body=config.get("MessageBody") or "",
            content_type=config.get("ContentType") or "text/plain",
        )
    if kind == "redirect":
        config = data["RedirectConfig"]
        given = {name: config[key] for name, key in _REDIRECT_PARTS.items() if config.get(key) is not None}
        return Redirect(status=301 if config["StatusCode"] == "HTTP_301" else 302, **given)
    return forward(data)


_REDIRECT_PARTS = {"protocol": "Protocol", "host": "Host", "port": "Port", "path": "Path", "query": "Query"}


def forward(data: Json) -> Forward:
    """A forward action in either of its two spellings."""
    config = data.get("ForwardConfig") or {}
    groups = config.get("TargetGroups") or [{"TargetGroupArn": data["TargetGroupArn"], "Weight": 1}]
    sticky = config.get("TargetGroupStickinessConfig") or {}
    return Forward(
        groups=tuple(WeightedGroup(arn=one["TargetGroupArn"], weight=int(one.get("Weight", 1))) for one in groups),
        sticky_seconds=int(sticky.get("DurationSeconds") or 0) if truth(sticky.get("Enabled")) else 0,
    )


def truth(value: object) -> bool:
    """A boolean of the API, which arrives as one or as text."""
    return str(value).lower() == "true"


def _group(one: Any) -> Group:
    port = one.health_check_port
    sticky = truth(one.attributes.get("stickiness.enabled")) and one.attributes.get("stickiness.type") == "lb_cookie"
    return Group(
        arn=one.arn,
        port=int(one.port or 0),
        check=HealthCheck(
            path=one.health_check_path or "/",
            port=None if port in (None, "traffic-port") else int(port),
            interval=float(one.health_check_interval_seconds),
            timeout=float(one.health_check_timeout_seconds),
            healthy_threshold=int(one.healthy_threshold_count),
            unhealthy_threshold=int(one.unhealthy_threshold_count),
            matcher=getattr(one, "matcher", {}).get("HttpCode") or "200",
        ),
        deregistration_delay=float(one.attributes.get("deregistration_delay.timeout_seconds", 300)),
        sticky_cookie_seconds=int(one.attributes.get("stickiness.lb_cookie.duration_seconds", 86_400)) if sticky else 0,
    )
