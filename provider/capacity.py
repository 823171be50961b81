"""`ServiceCapacity`: brings one color's ECS service to a number of tasks, and waits until that is true."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from provider import defaults
from provider.checks import Checks
from provider.freeze import LIFT, Held, read_freeze
from provider.handler import Handler, differs, resource_id
from provider.live import healthy, read_services, target_states
from provider.plan import COLORS, Color
from provider.rpc.messages import Change, Checked, Difference, Fail, Found, Made, Request
from provider.rpc.values import UNKNOWN, unknown
from provider.tasks import describe, exit_code, last_lines, short, why_stopped
from provider.work import Canceled, Overdue, Work

INPUTS: Final = (
    "cluster",
    "services",
    "taskDefinitions",
    "targetGroupArns",
    "color",
    "desiredCount",
    "leastCount",
    "timeoutSeconds",
    "container",
    "listenerRuleArn",
)
# One task may die of something passing; two of the same task definition in one wait are the release's own fault.
BAD_STOPS: Final = 2


class ServiceCapacity(Handler):
    """Owner of a service's desired count. The service itself is declared with 0 tasks and ignores changes of that."""

    def check(self, request: Request) -> Checked:
        """Validate the inputs and fill in defaults."""
        checks = Checks(
            request.inputs, {"timeoutSeconds": defaults.TIMEOUT_SECONDS, "container": defaults.CONTAINER}, INPUTS
        )
        checks.text("cluster")
        checks.text("container")
        checks.text("listenerRuleArn", required=False)
        for name in ("services", "taskDefinitions", "targetGroupArns"):
            checks.colors(name)
        checks.choice("color", COLORS)
        checks.number("desiredCount", 0, defaults.MOST_TASKS)
        if "leastCount" in checks.inputs:
            checks.number("leastCount", 1, defaults.MOST_TASKS)
        checks.number("timeoutSeconds", 1, whole=False)
        return checks.done()

    def diff(self, request: Request) -> Difference:
        """What is wanted of this color against what was read; the other color is not looked at."""
        old, new, state = request.old_inputs, request.inputs, request.state
        found = {key: Change() for key in differs(old, new, ("cluster", "color"))}
        if "color" not in found and _of(new, "services") != _of(old, "services"):
            found["services"] = Change()
        if state.get("desiredCount") != goal(request, state.get("desiredCount") or 0):
            found["desiredCount"] = Change(input=False)
        if "color" not in found and state.get("taskDefinition") != _of(new, "taskDefinitions"):
            asked = old.get("taskDefinitions") != new.get("taskDefinitions")
            found["taskDefinitions" if asked else "taskDefinition"] = Change(input=asked)
        return Difference(changes=found)

    def update(self, request: Request) -> Made:
        """Set the desired count where it differs, and wait until the service is steady with it."""
        inputs = request.inputs
        count = goal(request, request.state.get("desiredCount") or 0)
        seconds: Any = UNKNOWN
        if not request.preview:
            wait = _Wait(self, request)
            seconds = wait.run()
            count = wait.count
        outputs = {
            "desiredCount": count,
            "runningCount": count,
            "taskDefinition": _of(inputs, "taskDefinitions"),
            "seconds": seconds,
        }
        return Made(id=resource_id(request), state={**inputs, **outputs}, refresh_before_update=True)

    def read(self, request: Request) -> Found:
        """The state with the live desired count and task definition; how many run at this moment is not drift."""
        inputs = request.old_inputs or request.state
        service = read_services(self.aws, inputs["cluster"], inputs["services"])[inputs["color"]]
        live: dict[str, Any] = {"desiredCount": None, "taskDefinition": None}
        if service is not None:
            live = {"desiredCount": service["desiredCount"], "taskDefinition": service["taskDefinition"]}
        state = {**request.state, **live}
        return Found(id=request.id, state=state, inputs=request.old_inputs, refresh_before_update=True)


def goal(request: Request, live: int) -> Any:
    """The number of tasks to bring a service to that has `live` now.

    With `leastCount`, who scales from outside is not fought: only what is less than the least is raised to it. What
    Release asks for newly is a floor too, and a smaller number than it asked for last is obeyed, as is 0.
    """
    old, new = request.old_inputs, request.inputs
    asked, least, before = new["desiredCount"], new.get("leastCount"), old.get("desiredCount")
    if least is None or unknown(asked) or unknown(least) or asked == 0:
        return asked
    if old.get("color") != new.get("color") or before is None or unknown(before):
        return max(live, asked)
    if asked < before:
        return asked
    return max(live, asked if asked > before else min(least, asked))


def _of(inputs: Mapping[str, Any], name: str) -> Any:
    """The value of this color in one of the maps; unknown where the color or the map is."""
    values, color = inputs.get(name), inputs.get("color")
    if unknown(color) or not isinstance(values, Mapping):
        return UNKNOWN
    return values.get(color)


class _Wait:
    """One wait for a steady service."""

    def __init__(self, handler: ServiceCapacity, request: Request) -> None:
        inputs = request.inputs
        self.aws, self.inputs, self.request = handler.aws, inputs, request
        self.work: Work = handler.context.work(request)
        self.color: Color = inputs["color"]
        self.cluster, self.container = inputs["cluster"], inputs["container"]
        self.service = inputs["services"][self.color]
        self.definition = inputs["taskDefinitions"][self.color]
        self.group = inputs["targetGroupArns"][self.color]
        self.count: int = inputs["desiredCount"]
        self.doing = f"{self.color} to {self.count} tasks"

    def run(self) -> float:
        """Seconds until steady. Raises Fail with the reasons where that is not reached."""
        known = {one["taskArn"] for one in self._stopped()}
        service = self._describe()
        self.count = goal(self.request, service["desiredCount"])
        self.doing = f"{self.color} to {self.count} tasks"
        self._ask(service)
        try:
            while (missing := self._missing(known)) is not None:
                self.work.tick(f"{self.doing}: {missing}")
                self.work.pause()
        except Canceled as error:
            raise Fail(f"{self.doing}: canceled after {self.work.seconds:.0f} s; ECS goes on by itself") from error
        except Overdue as error:
            raise Fail(f"{self._unfinished(str(error))}. No weight was moved") from error
        self.work.say(f"{self.doing}: steady after {self.work.seconds:.1f} s")
        return round(self.work.seconds, 2)

    def _describe(self) -> dict[str, Any]:
        found = read_services(self.aws, self.cluster, self.inputs["services"])[self.color]
        if found is None:
            raise Fail(f"ECS service {self.service} of color {self.color} does not exist in cluster {self.cluster}")
        return found

    def _ask(self, service: Mapping[str, Any]) -> None:
        """Ask ECS for the count, and for a new try where the last deployment has failed."""
        if self.count and service["taskDefinition"] != self.definition:
            raise Fail(
                f"ECS service {self.service} is set to {service['taskDefinition']}, expected {self.definition}: "
                "somebody changed it beside this program; run `pulumi up --refresh`"
            )
        change: dict[str, Any] = {}
        if service["desiredCount"] != self.count:
            self._require_no_freeze(service)
            change["desiredCount"] = self.count
        if self.count and _primary(service).get("rolloutState") == "FAILED":
            change["forceNewDeployment"] = True
        if change:
            self.aws.call("ecs", "update_service", cluster=self.cluster, service=self.service, **change)
            self.work.say(f"{self.doing} (from {service['desiredCount']})")

    def _require_no_freeze(self, service: Mapping[str, Any]) -> None:
        """The plan has looked, long ago perhaps: a freeze that was set since then keeps the way back too."""
        rule = self.inputs.get("listenerRuleArn")
        frozen = read_freeze(self.aws, rule) if rule and not self.count else None
        if frozen is not None:
            raise Held(
                f"{self.doing}: refused, the weights are {frozen}; its {service['desiredCount']} tasks are left, as a "
                f"way back. Lift the freeze with {LIFT}, then run `pulumi up` again"
            )

    def _missing(self, known: set[str]) -> str | None:
        """What the service is not yet; None when it is steady. Raises Fail where it never will be."""
        service = self._describe()
        primary = _primary(service)
        running, pending = service["runningCount"], service["pendingCount"]
        if not self.count:
            # A task that is draining or stopping is not counted as running, and may still finish requests.
            there = max(running + pending, self._stopping())
            return f"{there} still there" if there else None
        if primary.get("rolloutState") == "FAILED":
            raise Fail(self._unfinished(str(primary.get("rolloutStateReason") or "its deployment has failed")))
        self._keeps_stopping(known)
        if service["taskDefinition"] != self.definition:
            # Steady on something else is no success: ECS went back by itself, or somebody updated the service.
            raise Fail(self._unfinished(f"the service was set to {short(service['taskDefinition'])} during the wait"))
        # Autoscaling may add tasks meanwhile; nobody waits for fewer than were asked for.
        self.count = max(self.count, service["desiredCount"])
        if running != self.count or pending or len(service["deployments"]) > 1:
            return f"{running} running, {pending} pending"
        states = target_states(self.aws, self.group)
        good = healthy(states)
        if good != self.count or any(one["TargetHealth"]["State"] in {"initial", "unhealthy"} for one in states):
            return f"{running} running, {good} of {self.count} healthy"
        if primary.get("rolloutState", "COMPLETED") != "COMPLETED":
            return f"{good} healthy, deployment {primary['rolloutState']}"
        return None

    def _keeps_stopping(self, known: set[str]) -> None:
        bad = [one for one in self._stopped() if one["taskArn"] not in known and self._is_bad(one)]
        if len(bad) >= BAD_STOPS:
            raise Fail(self._unfinished(f"{len(bad)} of its tasks have stopped since"))

    def _is_bad(self, task: Mapping[str, Any]) -> bool:
        if task.get("stopCode") in {"EssentialContainerExited", "TaskFailedToStart"}:
            return True
        return "health check" in str(task.get("stoppedReason", "")).lower()

    def _leaving(self) -> list[dict[str, Any]]:
        """The service's tasks that are to stop or have stopped, of whatever task definition."""
        arns = self.aws.pages(
            "ecs", "list_tasks", "taskArns", cluster=self.cluster, serviceName=self.service, desiredStatus="STOPPED"
        )
        return describe(self.aws, self.cluster, arns)

    def _stopping(self) -> int:
        return sum(one.get("lastStatus") != "STOPPED" for one in self._leaving())

    def _stopped(self) -> list[dict[str, Any]]:
        """Stopped tasks of the wanted task definition, oldest first."""
        stopped = (one for one in self._leaving() if one.get("lastStatus") == "STOPPED")
        mine = (one for one in stopped if one["taskDefinitionArn"] == self.definition)
        return sorted(mine, key=lambda one: str(one.get("stoppedAt", "")))

    def _unfinished(self, why: str) -> str:
        """The whole message: what was waited for, why it is not there, and what the last task and the targets say."""
        service = self._describe()
        after = f"after {self.work.seconds:.0f} s with {service['runningCount']} running"
        parts = [f"{self.doing} of {self.definition.rsplit('/', 1)[-1]}: {why}, {after}"]
        bad = [one for one in self._stopped() if self._is_bad(one)]
        if bad:
            last = bad[-1]
            parts.append(f"task {short(last['taskArn'])}: {why_stopped(last, self.container)}")
        for one in target_states(self.aws, self.group):
            health = one["TargetHealth"]
            if health["State"] in {"unhealthy", "initial"}:
                said = health.get("Description") or health.get("Reason") or "no reason given"
                parts.append(f"target {one['Target']['Id']} is {health['State']}: {said}")
        if bad and exit_code(bad[-1], self.container) is not None:
            parts.append(last_lines(self.aws, bad[-1], self.container))
        return ". ".join(parts)


def _primary(service: Mapping[str, Any]) -> Mapping[str, Any]:
    return next((one for one in service.get("deployments", []) if one["status"] == "PRIMARY"), {})
