"""What has to be true before traffic moves, and while it does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from provider import freeze
from provider.aws import Aws
from provider.live import healthy, read_services, read_weights, show, target_states
from provider.plan import Color, Weights, other, same_shares
from provider.rpc.messages import Fail

LISTED = 3  # targets whose reason is shown


class Moved(Fail):
    """Somebody else moved the weights during the shift. Theirs are left alone."""


@dataclass(frozen=True, kw_only=True)
class Guards:
    """The checks of one shift. `needed` is how many healthy targets the target color must have throughout."""

    aws: Aws
    rule: str
    groups: Mapping[str, str]
    alarms: Sequence[str]
    target: Color
    needed: int

    def not_frozen(self) -> None:
        """Raise Held where somebody has frozen the weights."""
        found = freeze.read_freeze(self.aws, self.rule)
        if found is not None:
            raise freeze.Held(f"the weights are {found}")

    def alarms_quiet(self) -> None:
        """Raise Fail where an alarm fires or does not exist: an alarm that is not there guards nothing."""
        if not self.alarms:
            return
        kinds = ["MetricAlarm", "CompositeAlarm"]  # left out, AWS answers for metric alarms only
        found = self.aws.call(
            "cloudwatch", "describe_alarms", quick=True, AlarmNames=list(self.alarms), AlarmTypes=kinds
        )
        listed = [*found.get("MetricAlarms", []), *found.get("CompositeAlarms", [])]
        states = {one["AlarmName"]: (one["StateValue"], one.get("StateReason", "")) for one in listed}
        missing = [name for name in self.alarms if name not in states]
        if missing:
            raise Fail(f"alarm {', '.join(missing)} does not exist; create it or take it out of `alarms`")
        firing = [f"{name} ({states[name][1]})" for name in self.alarms if states[name][0] == "ALARM"]
        if firing:
            raise Fail(f"alarm {', '.join(firing)} is firing")

    def target_healthy(self) -> None:
        """Raise Fail where the target color has fewer healthy targets than it needs, with their reasons."""
        states = target_states(self.aws, self.groups[self.target])
        count = healthy(states)
        if count >= self.needed:
            return
        bad = [one for one in states if one["TargetHealth"]["State"] != "healthy"]
        reasons = "; ".join(
            f"{one['Target']['Id']} is {one['TargetHealth']['State']}"
            f" ({one['TargetHealth'].get('Reason', 'no reason given')})"
            for one in bad[:LISTED]
        )
        raise Fail(
            f"{self.target} has {count} healthy targets, {self.needed} are needed" + (f": {reasons}" if reasons else "")
        )

    def weights_ours(self, ours: Weights) -> None:
        """Raise Moved where the live weights are not those that this shift set last."""
        found = read_weights(self.aws, self.rule, self.groups)
        if found is None or not same_shares(found, ours):
            now = "no rule" if found is None else show(found)
            raise Moved(f"somebody else moved the weights: they are {now}, this shift had set {show(ours)}")


def needed_targets(aws: Aws, cluster: str, services: Mapping[str, str], target: Color) -> int:
    """How many healthy targets the target color must have: as many as the live color has tasks, and at least 1.

    A rolling deployment of the live color runs more than it should for a while; those don't count. Raises Fail where
    the target color has no service.
    """
    found = read_services(aws, cluster, services)
    theirs = found[other(target)]
    if found[target] is None:
        raise Fail(f"service {services[target]} of color {target} does not exist in cluster {cluster}")
    return max(1, min(int(theirs["runningCount"]), int(theirs["desiredCount"]))) if theirs is not None else 1
