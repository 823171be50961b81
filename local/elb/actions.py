"""What Elastic Load Balancing refuses of a forward action: weights, stickiness, the number of target groups."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from moto.elbv2.exceptions import ActionTargetGroupNotFoundError, ELBClientError, ValidationError

from local.elb import reader

Json = Mapping[str, Any]

MAX_WEIGHT = 999
MAX_GROUPS = 5
MAX_STICKY_SECONDS = 604_800
STICKINESS = "You must enable group stickiness on a rule if you enabled target stickiness on one of its target groups"


def refuse(code: str, message: str) -> ELBClientError:
    """An error of the API with this code."""
    return ELBClientError(code, message)


def forwarded(action: Json) -> list[str]:
    """The target groups that an action forwards to."""
    if action.get("Type") != "forward":
        return []
    return [group.arn for group in reader.forward(action).groups]


def check_actions(backend: Any, actions: Iterable[Json], balancer_arn: str) -> None:
    """Weights, stickiness, and the limits of target groups."""
    for action in actions:
        if action["Type"].startswith("authenticate-") or action["Type"] == "jwt-validation":
            raise ValidationError(f"action {action['Type']!r} is not modeled by the embedded load balancer")
        if action["Type"] == "forward":
            _check_forward(backend, action, balancer_arn)


def _check_forward(backend: Any, action: Json, balancer_arn: str) -> None:
    _check_weights(action)
    for arn in forwarded(action):
        group = backend.target_groups.get(arn)
        if group is None:
            raise ActionTargetGroupNotFoundError(arn)
        if group.protocol != "HTTP" or group.protocol_version not in (None, "HTTP1"):
            kind = f"{group.target_type} {group.protocol} {group.protocol_version}"
            raise ValidationError(f"target group {arn}: {kind} targets are not modeled; use HTTP with HTTP1")
        others = set(group.load_balancer_arns) - {balancer_arn}
        if others:
            reason = f"The following target groups cannot be associated with more than one load balancer: {arn}"
            raise refuse("TargetGroupAssociationLimit", reason)
    groups = [group for arn in forwarded(action) if (group := backend.target_groups.get(arn))]
    sticky = any(reader.truth(group.attributes.get("stickiness.enabled")) for group in groups)
    if len(groups) > 1 and sticky and not reader.forward(action).sticky_seconds:
        reason = (
            "You must enable group stickiness on a rule if you enabled target stickiness on one of its target groups"
        )
        raise refuse("InvalidConfigurationRequest", reason)


def _check_weights(action: Json) -> None:
    forward = reader.forward(action)
    if len(forward.groups) > MAX_GROUPS:
        reason = f"The maximum number of target groups on a forward action is {MAX_GROUPS}"
        raise refuse("TooManyTargetGroups", reason)
    if len({group.arn for group in forward.groups}) < len(forward.groups):
        raise ValidationError("A target group can appear only once in a forward action")
    for group in forward.groups:
        if not 0 <= group.weight <= MAX_WEIGHT:
            raise ValidationError(
                f"Weight '{group.weight}' of target group '{group.arn}' must be between 0 and {MAX_WEIGHT}"
            )
    config = (action.get("ForwardConfig") or {}).get("TargetGroupStickinessConfig") or {}
    if reader.truth(config.get("Enabled")) and not 1 <= forward.sticky_seconds <= MAX_STICKY_SECONDS:
        reason = f"Target group stickiness duration must be between 1 and {MAX_STICKY_SECONDS} seconds"
        raise ValidationError(reason)
