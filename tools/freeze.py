"""`make freeze` and `make thaw`: keep the weights of a stack where they are, whatever a run would do, and let go again.

The rule is found by its names in AWS, so that this also works where the engine's state is lost or locked.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from infra import naming
from infra.naming import COLORS
from provider import freeze as flag
from provider.actor import actor
from provider.aws import Aws, AwsError
from provider.live import read_weights, show
from provider.rpc.messages import Fail

from .console import say
from .env import embedded
from .project import LOCAL, ROOT, ToolError
from .stack import settings

T = TypeVar("T")
_MISSING: Final = frozenset({"TargetGroupNotFound", "LoadBalancerNotFound"})


def freeze(stack: str, reason: str) -> int:
    """Freeze the weights. Raises ToolError where there is no such rule, or no reason is given."""
    kept = flag.tag_value(reason)
    if not kept:
        found = f"REASON={reason!r}" if reason.strip() else "no REASON"
        raise ToolError(f'freeze: found {found}, expected words for the next person: make freeze REASON="..."')
    aws, rule, weights = _rule(stack)
    there = _asked(lambda: flag.read_freeze(aws, rule))
    made = there or _asked(lambda: flag.freeze(aws, rule, by=actor(), why=reason))
    say(f"stack {stack}: {weights}, {'already ' if there else ''}{made}")
    if there is None and kept != " ".join(reason.split()):
        say(f"the reason is a tag on the rule: {flag.LONGEST} letters, digits, spaces and {flag.SIGNS}, no other signs")
    say(f"no run moves them until `make thaw STACK={stack}`, or: {flag.by_hand(rule)}")
    return 0


def thaw(stack: str) -> int:
    """Lift a freeze. Raises ToolError where there is no such rule."""
    aws, rule, weights = _rule(stack)
    lifted = _asked(lambda: flag.thaw(aws, rule))
    if lifted is None:
        say(f"stack {stack}: {weights}, not frozen; nothing was changed")
    else:
        say(f"stack {stack}: {weights}; they were {lifted}. `pulumi up` may move them again")
    return 0


def _asked(ask: Callable[[], T]) -> T:
    try:
        return ask()
    except Fail as refused:
        raise ToolError(str(refused)) from refused


def _rule(stack: str) -> tuple[Aws, str, str]:
    """AWS, the ARN of the stack's traffic rule, and its weights as people read them."""
    text = settings(stack).read_text()
    if stack == LOCAL:
        found = embedded(os.environ)
        if not found:
            raise ToolError("STACK=local: the embedded AWS does not run, so there is nothing to freeze")
        os.environ.update(found)
    region = _setting(text, "region") or os.environ.get("AWS_REGION", "")
    aws = Aws(region, _setting(text, "endpoint") or None, threading.Event())
    try:
        return _look(aws, naming.prefix(_project(), stack))
    except AwsError as error:
        if error.code not in _MISSING:
            raise ToolError(str(error)) from error
        raise ToolError(
            f"stack {stack}: found no load balancer of its own in {region} ({error}); expected what "
            f"`make up STACK={stack}` makes, in the account that this shell points at"
        ) from error
    except Fail as refused:
        raise ToolError(str(refused)) from refused


def _look(aws: Aws, prefix: str) -> tuple[Aws, str, str]:
    names = {color: naming.target_group(prefix, color) for color in COLORS}
    found = aws.call("elbv2", "describe_target_groups", Names=list(names.values()))["TargetGroups"]
    by_name = {one["TargetGroupName"]: one["TargetGroupArn"] for one in found}
    groups: dict[str, str] = {color: by_name[name] for color, name in names.items()}
    balancers = aws.call("elbv2", "describe_load_balancers", Names=[naming.load_balancer(prefix)])["LoadBalancers"]
    for listener in _all(aws, "describe_listeners", "Listeners", LoadBalancerArn=balancers[0]["LoadBalancerArn"]):
        for rule in _all(aws, "describe_rules", "Rules", ListenerArn=listener["ListenerArn"]):
            if _names_both(rule, groups):
                weights = read_weights(aws, rule["RuleArn"], groups)
                return aws, rule["RuleArn"], show(weights) if weights else ""
    raise ToolError(f"load balancer {naming.load_balancer(prefix)}: no rule names the target groups of both colors")


def _all(aws: Aws, operation: str, key: str, **parameters: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = aws.call("elbv2", operation, **parameters)[key]  # a page holds 400
    return found


def _names_both(rule: Mapping[str, Any], groups: Mapping[str, str]) -> bool:
    named = {
        group["TargetGroupArn"]
        for action in rule["Actions"]
        for group in action.get("ForwardConfig", {}).get("TargetGroups", [])
    }
    return set(groups.values()) <= named


def _project() -> str:
    found = re.search(r"^name: *(\S+)", (ROOT / "Pulumi.yaml").read_text(), re.MULTILINE)
    if found is None:
        raise ToolError("Pulumi.yaml: found no name")
    return found[1]


def _setting(text: str, name: str) -> str:
    found = re.search(rf"^\s+bluegreen:{name}: *[\"']?([^\"'\s]+)", text, re.MULTILINE)
    return found[1] if found else ""
