"""What Elastic Load Balancing refuses and moto does not, with AWS's error codes and wording as far as known.

Each check has the arguments of the backend's method. It raises what AWS would answer; it returns the resource when AWS
would answer the one that is there already with the same settings; and None when the call may go on.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from moto.elbv2.exceptions import (
    DuplicateListenerError,
    DuplicateLoadBalancerName,
    DuplicateTargetGroupName,
    InvalidTargetError,
    PriorityInUseError,
    ValidationError,
)

from local.elb import reader
from local.elb.actions import check_actions, forwarded, refuse
from local.elb.model import Rule
from local.elb.plane import port_problem
from local.elb.routes import Cluster, NotModeledError, rule_routes

Json = Mapping[str, Any]

MAX_PRIORITY = 50_000
NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,30}[A-Za-z0-9])?")

# What AWS answers for an application load balancer whose attributes were never set; moto leaves most of them out.
BALANCER_ATTRIBUTES = {
    "access_logs.s3.enabled": "false",
    "client_keep_alive.seconds": "3600",
    "connection_logs.s3.enabled": "false",
    "connection_logs.s3.bucket": "",
    "connection_logs.s3.prefix": "",
    "idle_timeout.timeout_seconds": "60",
    "ipv6.deny_all_igw_traffic": "false",
    "routing.http.desync_mitigation_mode": "defensive",
    "routing.http.drop_invalid_header_fields.enabled": "false",
    "routing.http.preserve_host_header.enabled": "false",
    "routing.http.x_amzn_tls_version_and_cipher_suite.enabled": "false",
    "routing.http.xff_client_port.enabled": "false",
    "routing.http.xff_header_processing.mode": "append",
    "routing.http2.enabled": "true",
    "waf.fail_open.enabled": "false",
    "zonal_shift.config.enabled": "false",
}


def create_load_balancer(backend: Any, name: str, **given: Any) -> Any:
    """Name, zones, and a name that is taken."""
    _balancer_name(name)
    if (given.get("loadbalancer_type") or "application") != "application":
        return None
    subnets = [*given.get("subnet_ids", ()), *(one["SubnetId"] for one in given.get("subnet_mappings") or ())]
    _zones(backend, subnets)
    for there in backend.load_balancers.values():
        if there.name == name:
            same = {
                "subnets": sorted(subnet.id for subnet in there.subnets) == sorted(subnets),
                "scheme": there.scheme == (given.get("scheme") or there.scheme),
                "groups": sorted(there.security_groups) == sorted(given.get("security_groups") or ()),
            }
            if all(same.values()):
                return there
            raise DuplicateLoadBalancerName
    return None


def _balancer_name(name: str) -> None:
    if len(name) > 32:
        raise ValidationError(f"The load balancer name '{name}' cannot be longer than '32' characters")
    if not re.fullmatch(r"[A-Za-z0-9-]+", name):
        raise ValidationError(
            f"The load balancer name '{name}' can only contain alphanumeric characters and hyphens(-)"
        )
    if not NAME.fullmatch(name):
        raise ValidationError(f"The load balancer name '{name}' cannot begin or end with a hyphen(-)")
    if name.startswith("internal-"):
        raise ValidationError(f"The load balancer name '{name}' cannot begin with 'internal-'")


def _zones(backend: Any, subnets: list[str]) -> None:
    zones = [backend.ec2_backend.get_subnet(subnet).availability_zone for subnet in subnets]
    if len(set(zones)) < len(zones):
        reason = "A load balancer cannot be attached to multiple subnets in the same Availability Zone"
        raise refuse("InvalidConfigurationRequest", reason)
    if zones and len(zones) < 2:
        raise ValidationError("At least two subnets in two different Availability Zones must be specified")


def delete_load_balancer(backend: Any, arn: str) -> None:
    """Deletion protection."""
    balancer = backend.load_balancers.get(arn)
    if balancer is not None and reader.truth(balancer.attrs.get("deletion_protection.enabled")):
        reason = f"Load balancer '{arn}' cannot be deleted because deletion protection is enabled"
        raise refuse("OperationNotPermitted", reason)


def create_target_group(backend: Any, name: str, **given: Any) -> Any:
    """The group itself when it is there with the same settings; moto refuses the rest."""
    _health_check(given)
    for there in backend.target_groups.values():
        if there.name != name:
            continue
        asked = {
            "protocol": there.protocol,
            "port": there.port,
            "vpc_id": there.vpc_id,
            "target_type": there.target_type,
            "healthcheck_path": there.health_check_path,
            "healthcheck_interval_seconds": there.health_check_interval_seconds,
        }
        if all(given.get(key) in (None, value) for key, value in asked.items()):
            return there
        raise DuplicateTargetGroupName
    return None


def modify_target_group(_backend: Any, _arn: str, *args: Any, **given: Any) -> None:
    """The ranges of the health check's numbers."""
    names = ("protocol", "port", "path", "interval_seconds", "timeout_seconds")
    values = dict(zip((f"healthcheck_{name}" for name in names), args, strict=False))
    values |= dict(zip(("healthy_threshold_count", "unhealthy_threshold_count"), args[5:7], strict=False))
    _health_check({**values, **given})


_RANGES = {
    "healthcheck_interval_seconds": ("Health check interval", 5, 300),
    "healthcheck_timeout_seconds": ("Health check timeout", 2, 120),
    "healthy_threshold_count": ("Healthy threshold count", 2, 10),
    "unhealthy_threshold_count": ("Unhealthy threshold count", 2, 10),
}


def _health_check(given: Json) -> None:
    for key, (what, low, high) in _RANGES.items():
        value = given.get(key)
        if value is not None and not low <= int(value) <= high:
            raise ValidationError(f"{what} '{value}' must be between '{low}' and '{high}'")


def create_listener(backend: Any, load_balancer_arn: str, protocol: str, port: str, *args: Any, **given: Any) -> None:
    """A port that is taken, on the load balancer or on this machine, and the default action."""
    balancer = backend.load_balancers.get(load_balancer_arn)
    if balancer is None or port is None or not reader.is_application(balancer):
        return
    _listener_port(balancer, int(port))
    actions = given.get("actions") or (args[2] if len(args) > 2 else [])
    check_actions(backend, actions, load_balancer_arn)
    if protocol == "HTTPS" and not (given.get("certificate") or (args and args[1])):
        raise refuse("CertificateNotFound", "A certificate must be specified for HTTPS listeners")


def _listener_port(balancer: Any, port: int) -> None:
    if not 1 <= port <= 65_535:
        raise ValidationError(f"1 validation error detected: Value '{port}' at 'port' must be between 1 and 65535")
    if any(int(there.port) == port for there in balancer.listeners.values()):
        raise DuplicateListenerError
    problem = port_problem(balancer.dns_name, port)
    if problem:  # never on AWS: it is this machine that has no room for the listener
        raise refuse("InvalidConfigurationRequest", f"the embedded load balancer cannot listen: {problem}")


def modify_listener(backend: Any, arn: str, *args: Any, **given: Any) -> None:
    """Another listener's port, and the default action."""
    listener = backend.describe_listeners(load_balancer_arn=None, listener_arns=[arn])[0]
    balancer = backend.load_balancers[listener.load_balancer_arn]
    port = given.get("port") or (args[0] if args else None)
    if port is not None and int(port) != int(listener.port):
        _listener_port(balancer, int(port))
    actions = given.get("actions") or (args[4] if len(args) > 4 else [])
    check_actions(backend, actions or [], listener.load_balancer_arn)


def create_rule(
    backend: Any, listener_arn: str, conditions: list[Json], priority: int, actions: list[Json], **_: Any
) -> None:
    """Priority, actions, and what this data plane cannot do."""
    if not 1 <= int(priority) <= MAX_PRIORITY:
        raise ValidationError(f"Priority '{priority}' must be between 1 and {MAX_PRIORITY}")
    listener = backend.describe_listeners(None, [listener_arn])[0]
    if any(str(rule.priority) == str(priority) for rule in listener.rules.values()):
        raise PriorityInUseError
    if not conditions:
        raise ValidationError("A rule must have at least one condition")
    check_actions(backend, actions, listener.load_balancer_arn)
    _expressible(conditions, actions)


def modify_rule(backend: Any, rule_arn: str, conditions: list[Json], actions: list[Json]) -> None:
    """As for a new rule."""
    rule = backend.describe_rules(listener_arn=None, rule_arns=[rule_arn])[0]
    if rule.is_default:
        raise refuse("OperationNotPermitted", f"Default rule '{rule_arn}' cannot be modified")
    listener = backend.describe_listeners(None, [rule.listener_arn])[0]
    check_actions(backend, actions, listener.load_balancer_arn)
    _expressible(conditions, actions)


def _expressible(conditions: list[Json], actions: list[Json]) -> None:
    """Nothing that the data plane would have to leave out."""
    backend_free = [one for one in actions if one["Type"] in {"redirect", "fixed-response"}]
    action = reader.action(backend_free[-1]) if backend_free else reader.forward({"TargetGroupArn": "none"})
    try:
        rule_routes(Rule(arn="", priority=1, conditions=tuple(conditions), action=action), Cluster, 80)
    except NotModeledError as error:
        raise ValidationError(str(error)) from None


def delete_rule(backend: Any, arn: str) -> None:
    """A rule that is not there, and the default rule."""
    rule = backend.describe_rules(listener_arn=None, rule_arns=[arn])[0]
    if rule.is_default:
        raise refuse("OperationNotPermitted", f"Default rule '{arn}' cannot be deleted")


def set_rule_priorities(backend: Any, rule_priorities: list[dict[str, Any]]) -> Any:
    """All at once, so two rules may change places; moto would call that a priority in use."""
    wanted = {one["RuleArn"]: int(one["Priority"]) for one in rule_priorities}
    if len(set(wanted.values())) < len(rule_priorities):
        raise ValidationError("A priority was provided multiple times")
    rules = backend.describe_rules(listener_arn=None, rule_arns=list(wanted))
    for rule in rules:
        if rule.is_default:
            raise refuse("OperationNotPermitted", f"Default rule '{rule.arn}' cannot be moved")
        if not 1 <= wanted[rule.arn] <= MAX_PRIORITY:
            raise ValidationError(f"Priority '{wanted[rule.arn]}' must be between 1 and {MAX_PRIORITY}")
        listener = backend.describe_listeners(None, [rule.listener_arn])[0]
        others = [other for other in listener.rules.values() if other.arn not in wanted]
        if any(str(other.priority) == str(wanted[rule.arn]) for other in others):
            raise PriorityInUseError
    for rule in rules:
        rule.priority = wanted[rule.arn]
    return rules


def modify_target_group_attributes(backend: Any, target_group_arn: str, attributes: dict[str, Any]) -> None:
    """Stickiness of a group that rules without group stickiness share among several."""
    if not reader.truth(attributes.get("stickiness.enabled")):
        return
    for rule in _rules_of(backend, target_group_arn):
        forward = reader.forward(rule)
        if len(forward.groups) > 1 and not forward.sticky_seconds:
            reason = (
                "You must enable group stickiness on a rule before you enable target stickiness on its target groups"
            )
            raise refuse("InvalidConfigurationRequest", reason)


def _rules_of(backend: Any, arn: str) -> Iterator[Json]:
    for balancer in backend.load_balancers.values():
        for listener in balancer.listeners.values():
            for rule in listener.rules.values():
                yield from (action.data for action in rule.actions if arn in forwarded(action.data))


def target(group: Any, given: Json) -> None:
    """A target that cannot be one of this group."""
    port = int(given.get("Port") or group.port)
    if not 1 <= port <= 65_535:
        raise ValidationError(f"Port '{port}' must be between 1 and 65535")
    if group.target_type == "ip":
        try:
            ipaddress.ip_address(given["Id"])
        except ValueError:
            raise ValidationError(f"The IP address '{given['Id']}' is not a valid IPv4 address") from None
    elif group.target_type == "instance" and not given["Id"].startswith("i-"):
        raise InvalidTargetError


CHECKS: dict[str, Callable[..., Any]] = {
    check.__name__: check
    for check in (
        create_listener,
        create_load_balancer,
        create_rule,
        create_target_group,
        delete_load_balancer,
        delete_rule,
        modify_listener,
        modify_rule,
        modify_target_group,
        modify_target_group_attributes,
        set_rule_priorities,
    )
}
