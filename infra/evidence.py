"""What holds a contract back: evidence about the color that it takes the ground from. The provider looks at it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pulumi

from provider import resources


@dataclass(frozen=True, kw_only=True)
class Quiet:
    """How long the old color must not have answered a request, and what the metric of its requests is like (seconds).

    period: of the metric's datapoints. delay: how late they may be; what is younger proves nothing.
    """

    seconds: int
    period: int
    delay: int

    def wait(self, timeout: int) -> int:
        """How long a contract waits for it at most: until it is over, where that is no longer than a task may take.

        Longer, and the run would hold the stack's lock for what a person can do later; then it refuses at once.
        """
        return min(timeout, self.seconds + self.period + self.delay)


def evidence(
    release: resources.Release,
    *,
    rule_arn: pulumi.Input[str],
    target_group_arns: resources.Colors,
    services: resources.Colors,
    task_definitions: resources.Colors,
    gate: resources.TaskRun,
    quiet: Quiet,
    timeout: int,
) -> dict[str, Any]:
    """The input of a `TaskRun`. `gate`: the run that says which contract revisions are pending in its image."""
    return {
        "color": release.previous_color,
        "listenerRuleArn": rule_arn,
        "targetGroupArns": target_group_arns,
        "services": services,
        "taskDefinitions": task_definitions,
        "quietSeconds": quiet.seconds,
        "periodSeconds": quiet.period,
        "delaySeconds": quiet.delay,
        "waitSeconds": quiet.wait(timeout),
        # None where an older image's gate did not say: then it is looked at all the same.
        "pending": gate.told("pendingContracts"),
    }
