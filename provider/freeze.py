"""A freeze: tags on the listener rule which say that its weights stay as they are until a person lifts it.

The rule is what is frozen, so its tags are where people look, and they outlive a lost engine state. The program's `aws`
provider leaves these tags alone (`ignore_tags`).
"""

from __future__ import annotations

import datetime
import time
from dataclasses import dataclass
from typing import Final

from provider.aws import Aws, AwsError
from provider.defaults import FREEZE_TAGS
from provider.rpc.messages import Fail

SINCE: Final = FREEZE_TAGS
BY: Final = f"{FREEZE_TAGS}-by"
WHY: Final = f"{FREEZE_TAGS}-why"
LONGEST: Final = 256  # characters of a tag's value
SIGNS: Final = "_.:/=+-@"  # what it may hold besides letters, digits and spaces
LIFT: Final = "`make thaw STACK=<stack>`"
_GONE: Final = frozenset({"RuleNotFound", "ListenerNotFound", "LoadBalancerNotFound"})


class Held(Fail):
    """The weights are frozen. They are left as they are."""


@dataclass(frozen=True, kw_only=True)
class Freeze:
    """Since when (ISO 8601, UTC), by whom and why."""

    since: str
    by: str
    why: str

    def __str__(self) -> str:
        return f"frozen since {self.since} by {self.by or 'nobody named'}: {self.why or 'no reason given'}"


def by_hand(rule: str) -> str:
    """How to lift a freeze without this project's tools."""
    return f"aws elbv2 remove-tags --resource-arns {rule} --tag-keys {SINCE} {BY} {WHY}"


def read_freeze(aws: Aws, rule: str, *, stubborn: bool = False, seconds: float = 60.0) -> Freeze | None:
    """The freeze of a rule; None where there is none, or no rule. `stubborn`, `seconds`: as of `Aws.call`."""
    try:
        found = aws.call("elbv2", "describe_tags", quick=True, stubborn=stubborn, seconds=seconds, ResourceArns=[rule])[
            "TagDescriptions"
        ]
    except AwsError as error:
        if error.code in _GONE:
            return None
        raise
    tags = {tag["Key"]: tag.get("Value", "") for one in found for tag in one["Tags"]}
    if SINCE not in tags:
        return None
    return Freeze(since=tags[SINCE] or "an unknown time", by=tags.get(BY, ""), why=tags.get(WHY, ""))


def freeze(aws: Aws, rule: str, *, by: str, why: str, stubborn: bool = False, seconds: float = 10.0) -> Freeze:
    """Freeze a rule. One that is frozen already keeps what it says: the first reason is the one to look into.

    `seconds` is for looking and writing together: after so many nothing is begun any more.
    """
    end = time.monotonic() + seconds
    there = read_freeze(aws, rule, stubborn=stubborn, seconds=seconds)
    if there is not None:
        return there
    now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    made = Freeze(since=now, by=tag_value(by), why=tag_value(why))
    tags = [{"Key": key, "Value": value} for key, value in ((SINCE, made.since), (BY, made.by), (WHY, made.why))]
    left = max(0.0, end - time.monotonic())
    aws.call("elbv2", "add_tags", quick=True, stubborn=stubborn, seconds=left, ResourceArns=[rule], Tags=tags)
    return made


def thaw(aws: Aws, rule: str) -> Freeze | None:
    """Lift a freeze; answers what was lifted, None where nothing was frozen."""
    there = read_freeze(aws, rule)
    if there is not None:
        aws.call("elbv2", "remove_tags", quick=True, ResourceArns=[rule], TagKeys=[SINCE, BY, WHY])
    return there


def tag_value(text: str) -> str:
    """What AWS takes as a tag's value: letters, digits, spaces and SIGNS, at most LONGEST of them."""
    legal = "".join(one if one.isalnum() or one in SIGNS else " " for one in text)
    return " ".join(legal.split())[:LONGEST].rstrip()
