"""What is live in AWS: the weights in the listener rule, and what each color's service holds."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from provider.aws import Aws, AwsError
from provider.plan import COLORS, Color, Slot, Weights
from provider.rpc.messages import Fail

VERSION_VARIABLE = "APP_VERSION"
GONE = frozenset({"RuleNotFound", "ClusterNotFoundException", "TargetGroupNotFound"})


def show(weights: Weights) -> str:
    """`blue 90 / green 10`."""
    return " / ".join(f"{color} {weights[color]}" for color in COLORS)


def read_weights(aws: Aws, rule: str, groups: Mapping[str, str]) -> Weights | None:
    """The weights of both colors in the rule; None where the rule does not exist.

    Raises Fail where the rule sends requests to a target group of neither color: that is not ours to move.
    """
    action = _forward(aws, rule)
    if action is None:
        return None
    by_arn = {one["TargetGroupArn"]: int(one.get("Weight", 1)) for one in _tuples(action)}
    strangers = [arn for arn, weight in by_arn.items() if weight and arn not in groups.values()]
    if strangers:
        raise Fail(
            f"listener rule {rule} sends requests to {', '.join(strangers)}, which is the target group of neither "
            "color; take it out of the rule, or give this release the rule that it owns"
        )
    return {color: by_arn.get(groups[color], 0) for color in COLORS}


def write_weights(
    aws: Aws, rule: str, groups: Mapping[str, str], weights: Weights, *, stubborn: bool = False, seconds: float = 10.0
) -> None:
    """Set the weights of both target groups. Stickiness and every other action of the rule stay as they are.

    `stubborn`: a cancel does not end the retries. `seconds` is for reading and writing together: after so many nothing
    is begun any more.
    """
    end = time.monotonic() + seconds
    found = _rule(aws, rule, stubborn=stubborn, seconds=seconds)
    if found is None:
        raise Fail(f"listener rule {rule} does not exist; run `pulumi refresh`, then `pulumi up`")
    actions = [
        _weighted(action, groups, weights) if action["Type"] == "forward" else action for action in found["Actions"]
    ]
    left = end - time.monotonic()
    if left <= 0:
        raise Fail(f"reading listener rule {rule} took all of the {seconds:.0f} s that there were to set its weights")
    aws.call("elbv2", "modify_rule", quick=True, stubborn=stubborn, seconds=left, RuleArn=rule, Actions=actions)


def _weighted(action: Mapping[str, Any], groups: Mapping[str, str], weights: Weights) -> dict[str, Any]:
    config = {
        **action.get("ForwardConfig", {}),
        "TargetGroups": [{"TargetGroupArn": groups[color], "Weight": weights[color]} for color in COLORS],
    }
    # TargetGroupArn beside two groups is refused by AWS: it names the only one.
    return {**{key: value for key, value in action.items() if key != "TargetGroupArn"}, "ForwardConfig": config}


def _rule(aws: Aws, rule: str, *, stubborn: bool = False, seconds: float = 60.0) -> dict[str, Any] | None:
    try:
        rules = aws.call("elbv2", "describe_rules", quick=True, stubborn=stubborn, seconds=seconds, RuleArns=[rule])[
            "Rules"
        ]
    except AwsError as error:
        if error.code == "RuleNotFound":
            return None
        raise
    return rules[0] if rules else None


def _forward(aws: Aws, rule: str) -> dict[str, Any] | None:
    found = _rule(aws, rule)
    if found is None:
        return None
    for action in found["Actions"]:
        if action["Type"] == "forward":
            return dict(action)
    raise Fail(f"listener rule {rule} has no forward action; expected one that names the target groups of both colors")


def _tuples(action: Mapping[str, Any]) -> list[dict[str, Any]]:
    listed = action.get("ForwardConfig", {}).get("TargetGroups", [])
    return listed or [{"TargetGroupArn": action["TargetGroupArn"], "Weight": 1}]


def target_states(aws: Aws, group: str) -> list[dict[str, Any]]:
    """Target health descriptions of a target group; empty where it does not exist."""
    try:
        found: list[dict[str, Any]] = aws.call("elbv2", "describe_target_health", quick=True, TargetGroupArn=group)[
            "TargetHealthDescriptions"
        ]
    except AwsError as error:
        if error.code in GONE:
            return []
        raise
    return found


def healthy(states: list[dict[str, Any]]) -> int:
    """How many of the targets are healthy."""
    return sum(one["TargetHealth"]["State"] == "healthy" for one in states)


def read_services(aws: Aws, cluster: str, services: Mapping[str, str]) -> dict[Color, dict[str, Any] | None]:
    """The ECS service of each color; None where there is none that is ACTIVE."""
    try:
        found = aws.call("ecs", "describe_services", cluster=cluster, services=[services[color] for color in COLORS])
    except AwsError as error:
        if error.code in GONE:
            return dict.fromkeys(COLORS)
        raise
    by_name = {one["serviceName"]: one for one in found["services"] if one["status"] == "ACTIVE"}
    return {color: by_name.get(services[color].rsplit("/", 1)[-1]) for color in COLORS}


def read_slots(
    aws: Aws, cluster: str, services: Mapping[str, str], groups: Mapping[str, str], container: str
) -> dict[Color, Slot | None]:
    """What each color holds: its service's task definition, named container, image and version."""
    found = read_services(aws, cluster, services)
    return {color: _slot(aws, found[color], groups[color], container) for color in COLORS}


def _slot(aws: Aws, service: Mapping[str, Any] | None, group: str, container: str) -> Slot | None:
    if service is None:
        return None
    name = service["taskDefinition"]
    definition = aws.call("ecs", "describe_task_definition", taskDefinition=name)["taskDefinition"]
    app = next((one for one in definition["containerDefinitions"] if one["name"] == container), None)
    if app is None:
        names = ", ".join(one["name"] for one in definition["containerDefinitions"])
        raise Fail(
            f"task definition {name} of service {service['serviceName']} has no container {container!r}: {names}"
        )
    version = next((one["value"] for one in app.get("environment", []) if one["name"] == VERSION_VARIABLE), None)
    if version is None:
        raise Fail(f"container {container!r} of task definition {name} does not say its version in {VERSION_VARIABLE}")
    states = target_states(aws, group) if service["desiredCount"] else []
    return Slot(
        version=version, image=app["image"], desired_count=service["desiredCount"], healthy_count=healthy(states)
    )
