"""moto's load balancing made live: what AWS refuses is refused, what it answers is true, and each call takes effect.

Every method here replaces or surrounds one of moto's; moto is pinned, and the tests of this folder guard each of them.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from moto.core.responses import BaseResponse
from moto.elbv2.exceptions import TargetGroupNotFoundError
from moto.elbv2.models import ELBv2Backend, FakeHealthStatus, FakeLoadBalancer, FakeTargetGroup
from moto.elbv2.responses import ELBV2Response

from local.elb import reader, refusals
from local.elb.actions import forwarded
from local.server import EFFECTS, LOCK

if TYPE_CHECKING:
    from local.elb.controller import LoadBalancing

_ORIGINALS: dict[tuple[type, str], Any] = {}
_ACTIVE: list[LoadBalancing] = []
_PENDING = threading.local()  # whether the call that this thread answers has changed anything

# Calls after which the data plane may differ, in which case it is changed before the call answers.
_EFFECTIVE = (
    "create_listener",
    "create_rule",
    "delete_listener",
    "delete_load_balancer",
    "delete_rule",
    "delete_target_group",
    "modify_listener",
    "modify_load_balancer_attributes",
    "modify_rule",
    "modify_target_group",
    "modify_target_group_attributes",
    "set_rule_priorities",
)


def patch(balancing: LoadBalancing) -> None:
    """Let `balancing` serve moto's load balancers from now on. Patches once; a later call only takes over."""
    _ACTIVE[:] = [balancing]
    if _ORIGINALS:
        return
    EFFECTS.append(_take_effect)
    for name, check in refusals.CHECKS.items():
        _surround(ELBv2Backend, name, functools.partial(_checked, check))
    _surround(ELBv2Backend, "create_load_balancer", _create_load_balancer)
    for name in _EFFECTIVE:
        _surround(ELBv2Backend, name, _effective)
    _replace(ELBV2Response, "call_action", _call_action)
    _replace(ELBv2Backend, "register_targets", _register_targets)
    _replace(ELBv2Backend, "deregister_targets", _deregister_targets)
    _replace(ELBv2Backend, "describe_target_health", _describe_target_health)
    _replace(FakeTargetGroup, "load_balancer_arns", property(_load_balancer_arns, lambda _self, _value: None))
    _replace(FakeLoadBalancer, "load_balancer_state", property(_state))


def unpatch(balancing: LoadBalancing) -> None:
    """Give moto its own methods back, unless another has taken over since."""
    if [balancing] != _ACTIVE:
        return
    _ACTIVE.clear()
    EFFECTS.remove(_take_effect)
    for (owner, name), original in _ORIGINALS.items():
        if original is None:
            delattr(owner, name)
        else:
            setattr(owner, name, original)
    _ORIGINALS.clear()


def _replace(owner: type, name: str, value: Any) -> None:
    _ORIGINALS.setdefault((owner, name), owner.__dict__.get(name))
    setattr(owner, name, value)


def _surround(owner: type, name: str, around: Callable[..., Any]) -> None:
    original = getattr(owner, name)

    @functools.wraps(original)
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return around(original, self, *args, **kwargs)

    _replace(owner, name, method)


def _checked(check: Callable[..., Any], original: Callable[..., Any], backend: Any, *args: Any, **kwargs: Any) -> Any:
    """Refuse, or answer what is there already, or go on."""
    there = check(backend, *args, **kwargs)
    return original(backend, *args, **kwargs) if there is None else there


def _effective(original: Callable[..., Any], backend: Any, *args: Any, **kwargs: Any) -> Any:
    result = original(backend, *args, **kwargs)
    _PENDING.effective = True
    return result


def _call_action(response: Any) -> Any:
    """Make a change take effect before the call answers, but after the call has let go of the lock."""
    _PENDING.effective = False
    answer = BaseResponse.call_action(response)
    _take_effect()
    return answer


def _take_effect() -> None:
    if getattr(_PENDING, "effective", False):
        _PENDING.effective = False
        _ACTIVE[0].apply()


def _create_load_balancer(original: Callable[..., Any], backend: Any, *args: Any, **kwargs: Any) -> Any:
    with LOCK:
        known = set(backend.load_balancers)
        balancer = original(backend, *args, **kwargs)
        if balancer.arn not in known and reader.is_application(balancer):
            balancer.dns_name = _ACTIVE[0].take_address()
            balancer.attrs = {**refusals.BALANCER_ATTRIBUTES, **balancer.attrs}
    return balancer


def _load_balancer_arns(group: Any) -> list[str]:
    """The load balancers whose listeners and rules forward to a group; moto only ever adds to this list."""
    found = []
    for backend in reader.backends():
        for arn, balancer in list(backend.load_balancers.items()):
            rules = [rule for listener in list(balancer.listeners.values()) for rule in list(listener.rules.values())]
            if any(group.arn in forwarded(action.data) for rule in rules for action in rule.actions):
                found.append(arn)
    return found


def _state(balancer: Any) -> dict[str, str]:
    """As moto's, and "active_impaired" with the reason when a listener cannot listen."""
    problems, failure = _ACTIVE[0].problems, _ACTIVE[0].failure
    found = [problems[arn] for arn in list(balancer.listeners) if arn in problems]
    found += [failure] if failure and balancer.listeners else []
    if found and balancer.state == "active":
        return {"Code": "active_impaired", "Reason": "; ".join(found)}
    return {"Code": balancer.state}


def _group(backend: Any, arn: str) -> Any:
    group = backend.target_groups.get(arn)
    if group is None:
        raise TargetGroupNotFoundError
    return group


def _key(group: Any, target: dict[str, Any]) -> tuple[str, str, int]:
    return group.arn, target["Id"], int(target.get("Port") or group.port)


def _register_targets(backend: Any, target_group_arn: str, instances: list[dict[str, Any]]) -> None:
    group = _group(backend, target_group_arn)
    for target in instances:
        refusals.target(group, target)
    for target in instances:
        _ACTIVE[0].register(*_key(group, target))


def _deregister_targets(backend: Any, target_group_arn: str, instances: list[dict[str, Any]]) -> None:
    group = _group(backend, target_group_arn)
    for target in instances:
        _ACTIVE[0].deregister(*_key(group, target))


def _describe_target_health(
    backend: Any, target_group_arn: str, targets: list[dict[str, Any]]
) -> list[FakeHealthStatus]:
    group = _group(backend, target_group_arn)
    members = _ACTIVE[0].targets.members(group.arn)
    keys = [_key(group, target)[1:] for target in targets] or list(members)
    return [_status(group, *key) for key in keys]


def _status(group: Any, address: str, port: int) -> FakeHealthStatus:
    health = _ACTIVE[0].health(group.arn, address, port)
    check = str(port) if group.health_check_port in (None, "traffic-port") else str(group.health_check_port)
    return FakeHealthStatus(address, str(port), check, health.state, health.reason, health.description)
