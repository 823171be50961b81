"""What must be gone before a contract revision runs: evidence that nobody needs the old shape any more.

Looked at right before the task is started, each time it is: a contract that failed and is tried again looks again.
What passes by itself (a task that is stopping, a target that drains, the quiet time since the last request) is waited
for, within a bound and told. All else is refused at once: it needs a person.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from provider import defaults
from provider.answered import answers
from provider.aws import Aws, AwsError
from provider.checks import Checks
from provider.freeze import LIFT, read_freeze
from provider.live import read_weights, show, target_states
from provider.plan import COLORS, Color
from provider.rpc.messages import Fail
from provider.rpc.values import unknown
from provider.running import RunningTask, as_setting, family_of, running_tasks
from provider.work import Canceled, Overdue, Work

INPUTS: Final = (
    "color",
    "listenerRuleArn",
    "targetGroupArns",
    "services",
    "taskDefinitions",
    "quietSeconds",
    "waitSeconds",
    "periodSeconds",
    "delaySeconds",
    "pending",
)
DEFAULTS: Final = {
    "quietSeconds": defaults.QUIET_SECONDS,
    "waitSeconds": 0,
    "periodSeconds": defaults.METRIC_PERIOD_SECONDS,
    "delaySeconds": defaults.METRIC_DELAY_SECONDS,
}
VERSIONS_SETTING: Final = "MIGRATION_RUNNING_VERSIONS"
LISTED: Final = 5  # tasks or targets that a message names
PASSING_SECONDS: Final = 5.0  # what is stopping or draining may be gone then
LOOK_SECONDS: Final = 2.0  # between two looks


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that speaks against it. `wait`: seconds until it may be gone by itself; None where it never is."""

    found: str
    expected: str
    todo: str
    wait: float | None = None

    def __str__(self) -> str:
        return f"{self.found}; expected {self.expected}"


class Evidence:
    """The look at one color, for one task."""

    def __init__(self, aws: Aws, inputs: Mapping[str, Any]) -> None:
        given = inputs["evidence"]
        self.aws, self.name, self.cluster = aws, inputs["name"], inputs["cluster"]
        self.color: Color = given["color"]
        self.rule, self.groups = given["listenerRuleArn"], given["targetGroupArns"]
        self.group = f"service:{given['services'][self.color].rsplit('/', 1)[-1]}"
        self.families = {family_of(each["taskDefinitions"][self.color]) for each in (given, inputs)}
        self.pending: Sequence[str] | None = given.get("pending")
        self.quiet, self.most_wait = float(given["quietSeconds"]), float(given["waitSeconds"])
        self.period, self.delay = int(given["periodSeconds"]), float(given["delaySeconds"])

    def require(self, work: Work) -> dict[str, str]:
        """Answer what the task is told about the rest of the service. Raises Fail where it must not be started."""
        if self.pending is not None and not self.pending:
            work.say(f"{self.name}: no contract revision is pending, so nothing is held back")
        else:
            self._hold(work)
        return {VERSIONS_SETTING: as_setting(running_tasks(self.aws, self.cluster))}

    def _hold(self, work: Work) -> None:
        begun, told = time.monotonic(), set[str]()
        while found := self.findings():
            wait = max((one.wait or 0.0 for one in found), default=0.0)
            if any(one.wait is None for one in found) or time.monotonic() - begun + wait > self.most_wait:
                raise Fail(self._refusal(found, wait))
            # Told once for each reason; the numbers in it change with each look.
            if {one.expected for one in found} - told:
                work.say(f"{self.name}: contract waits up to {wait:.0f} s: {'; '.join(one.found for one in found)}")
                told |= {one.expected for one in found}
            self._pause(work, min(wait, LOOK_SECONDS), wait)
        work.say(f"{self.name}: {self.color} has no weight, no target, no task, and was quiet for {self.quiet:.0f} s")

    def _pause(self, work: Work, seconds: float, wait: float) -> None:
        end = time.monotonic() + seconds
        try:
            while (left := end - time.monotonic()) > 0:
                work.tick(f"{self.name}: contract waits for {self.color}, up to another {wait:.0f} s")
                work.cancelled.wait(min(left, 1.0))
                work.check()
        except (Canceled, Overdue) as stop:
            raise Fail(
                f"{self.name}: contract was not started: {stop} while it waited for {self.color}. Nothing was changed "
                "in the database. Run `pulumi up` again"
            ) from stop

    def findings(self) -> list[Finding]:
        """All that speaks against a contract now."""
        looks = (self._freeze(), self._weight(), self._targets(), self._tasks(), self._requests())
        return [finding for findings in looks for finding in findings]

    def foresee(self, work: Work) -> None:
        """Say what speaks against it now and no run ends by itself. What the run takes away is not among it: weight,
        and tasks and targets of the color's service."""
        stray = [one for one in self._mine() if not one.leaving and one.group != self.group]
        for one in (*self._freeze(), *self._of_tasks(stray, None)):
            work.warn(f"{self.name}: contract{self._which()} would be held back as things are now: {one}. {one.todo}")

    def _which(self) -> str:
        return f" {', '.join(self.pending)}" if self.pending else ""

    def _refusal(self, found: Sequence[Finding], wait: float) -> str:
        from migrations.errors import Exit  # the plugin loads nothing of the migrations until it needs it

        todo = " ".join(dict.fromkeys(one.todo for one in found if one.wait is None))
        again = f"Then run `pulumi up` again, in {wait:.0f} s" if todo and wait else "Then run `pulumi up` again"
        after = f"{todo} {again}" if todo else f"Run `pulumi up` again in {wait:.0f} s"
        return (
            f"{self.name}: contract{self._which()} was not started, the old color {self.color} may still need what it "
            f"removes: {'. Also, '.join(map(str, found))}. Nothing was changed in the database. {after} "
            f"(as with exit code {Exit.OLD_VERSION_LIVES:d} of the migrations command)"
        )

    def _freeze(self) -> list[Finding]:
        """A contract takes the way back, which a freeze is there to keep."""
        frozen = read_freeze(self.aws, self.rule)
        if frozen is None:
            return []
        return [
            Finding(
                found=f"the weights are {frozen}",
                expected="no freeze while the way back is taken",
                todo=f"Lift it with {LIFT} once nobody may want to go back to {self.color}.",
            )
        ]

    def _weight(self) -> list[Finding]:
        weights = read_weights(self.aws, self.rule, self.groups)
        if weights is None:
            raise Fail(f"listener rule {self.rule} does not exist; run `pulumi refresh`, then `pulumi up`")
        if not weights[self.color]:
            return []
        return [
            Finding(
                found=f"{self.color} has weight {weights[self.color]} in the listener rule ({show(weights)})",
                expected="weight 0",
                todo=f"Find out who gave {self.color} weight, and move the traffic off it.",
            )
        ]

    def _targets(self) -> list[Finding]:
        states = target_states(self.aws, self.groups[self.color])
        draining = [one for one in states if one["TargetHealth"]["State"] == "draining"]
        return [
            Finding(
                found=f"{self.color} is registered with the load balancer: {_listed(map(_target, some))}",
                expected="no target in its target group",
                todo=f"Find out who keeps targets of {self.color} registered, and deregister them.",
                wait=wait,
            )
            for some, wait in (
                ([one for one in states if one not in draining], None),
                (draining, PASSING_SECONDS),
            )
            if some
        ]

    def _tasks(self) -> list[Finding]:
        mine = self._mine()
        return [
            *self._of_tasks([one for one in mine if not one.leaving], None),
            *self._of_tasks([one for one in mine if one.leaving], PASSING_SECONDS),
        ]

    def _of_tasks(self, some: Sequence[RunningTask], wait: float | None) -> list[Finding]:
        if not some:
            return []
        return [
            Finding(
                found=f"{self.color} has {_many(len(some), 'running or pending task')}: {_listed(map(str, some))}",
                expected="none of its service or of its task definitions, whoever started it",
                todo=f"Stop {_stop(some)}, and whatever starts such tasks.",
                wait=wait,
            )
        ]

    def _mine(self) -> list[RunningTask]:
        """Tasks of the color, whoever started them."""
        return [
            one
            for one in running_tasks(self.aws, self.cluster)
            if one.group == self.group or one.family in self.families
        ]

    def _requests(self) -> list[Finding]:
        """Quiet for so long, in the stretch of time that the metric is known to be complete for."""
        needed = self.quiet + self.delay
        if not self.quiet:
            return []
        group = self.groups[self.color]
        seen = answers(self.aws, self.rule, group, seconds=needed + self.period, period=self.period)
        wait = seen.until + needed - seen.now
        if wait <= 0:
            return []
        until = datetime.fromtimestamp(seen.until, UTC).strftime("%H:%M:%S")
        return [
            Finding(
                found=(
                    f"{self.color} answered {_many(seen.count, 'request')} in the last {needed + self.period:.0f} s, "
                    f"the last one before {until} UTC (metric RequestCount, {self.period} s each, complete after "
                    f"{self.delay:.0f} s)"
                ),
                expected=f"none for {self.quiet:.0f} s",
                todo="",
                wait=wait,
            )
        ]


def foresee(aws: Aws, inputs: Mapping[str, Any], work: Work) -> None:
    """For a preview: see `Evidence.foresee`. Where the color is not known yet nothing is said."""
    given = inputs["evidence"]
    if not isinstance(given, Mapping) or given.get("pending") == []:
        return
    if unknown([inputs["cluster"], *(given[one] for one in ("color", "listenerRuleArn", "services"))]):
        return
    pending = given.get("pending")  # and defaults, which `check` leaves to the run where something is not known
    given = {**DEFAULTS, **given, "pending": None if unknown(pending) else pending}
    try:
        Evidence(aws, {**inputs, "evidence": given}).foresee(work)
    except AwsError as refused:
        work.say(f"{inputs['name']}: what would hold the contract back could not be looked at: {refused}")


def check(checks: Checks) -> None:
    """Check the input `evidence` of a `TaskRun`, and fill in its defaults."""
    given = checks.inputs.get("evidence")
    if given is None or unknown(given):
        return
    if not isinstance(given, Mapping):
        checks.refuse("evidence", f"is {given!r}; expected a map with {', '.join(INPUTS)}")
        return
    inner = Checks(given, DEFAULTS, INPUTS)
    inner.choice("color", COLORS)
    inner.text("listenerRuleArn")
    for name in ("targetGroupArns", "services", "taskDefinitions"):
        inner.colors(name)
    for name in ("quietSeconds", "waitSeconds", "delaySeconds"):
        inner.number(name, 0, whole=False)
    inner.number("periodSeconds", 1)
    if "pending" in inner.inputs:
        inner.texts("pending")
    checks.inputs = {**checks.inputs, "evidence": inner.inputs}
    for failure in inner.failures:
        checks.refuse(f"evidence.{failure.property}", failure.reason)


def _target(state: Mapping[str, Any]) -> str:
    target = state["Target"]
    return f"{target['Id']}:{target.get('Port', '')} {state['TargetHealth']['State']}"


def _many(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _listed(texts: Any) -> str:
    every = list(texts)
    more = f" and {len(every) - LISTED} more" if len(every) > LISTED else ""
    return ", ".join(every[:LISTED]) + more


def _stop(tasks: Sequence[RunningTask]) -> str:
    return "it (`aws ecs stop-task`)" if len(tasks) == 1 else "them (`aws ecs stop-task`)"
