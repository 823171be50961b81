"""`TrafficShift`: moves the weights of the listener rule in steps, and puts them back when anything is wrong."""

from __future__ import annotations

import time
from itertools import pairwise
from typing import Any, Final

from provider import defaults
from provider.actor import actor
from provider.aws import AwsError
from provider.checks import Checks
from provider.choice import AGAIN, ON_FAILURE, WayOut
from provider.freeze import LIFT, Held
from provider.guards import Guards, Moved, needed_targets
from provider.handler import Handler, differs, resource_id
from provider.live import healthy, read_weights, show, target_states, write_weights
from provider.plan import COLORS, FULL, Color, Weights, only, same_shares
from provider.rpc.messages import Change, Checked, Difference, Fail, Found, Made, Request
from provider.rpc.values import UNKNOWN, unknown
from provider.steps import rising, steps_to
from provider.work import TICK_SECONDS, Work

INPUTS: Final = (
    "listenerRuleArn",
    "targetGroupArns",
    "weights",
    "seenWeights",
    "settledColor",
    "steps",
    "bakeSeconds",
    "rollback",
    "cluster",
    "services",
    "alarms",
    "onFailure",
    "versions",
    "timeoutSeconds",
)
DEFAULTS: Final = {
    "steps": list(defaults.STEPS),
    "bakeSeconds": defaults.BAKE_SECONDS,
    "rollback": False,
    "alarms": [],
    "onFailure": defaults.ON_FAILURE,
    "timeoutSeconds": defaults.TIMEOUT_SECONDS,
}
LOOKS: Final = 12  # at alarms, targets and weights during one bake
MOST_LOOK_SECONDS: Final = 5.0  # between two of them, however long the bake


class TrafficShift(Handler):
    """Owner of the weights."""

    def check(self, request: Request) -> Checked:
        """Validate the inputs and fill in defaults."""
        checks = Checks(request.inputs, DEFAULTS, INPUTS)
        checks.text("listenerRuleArn")
        checks.text("cluster")
        checks.colors("targetGroupArns")
        checks.colors("services")
        checks.weights("weights")
        checks.weights("seenWeights")
        if "settledColor" in checks.inputs:
            checks.choice("settledColor", COLORS)
        checks.number("bakeSeconds", 0, whole=False)
        checks.number("timeoutSeconds", 1, whole=False)
        checks.flag("rollback")
        checks.texts("alarms")
        checks.choice("onFailure", ON_FAILURE)
        if "versions" in checks.inputs:
            checks.colors("versions")
        _check_steps(checks)
        return checks.done()

    def diff(self, request: Request) -> Difference:
        """The weights read before this plan against the wanted ones; other inputs alone change nothing live."""
        found: dict[str, Change] = {}
        wanted, live = request.inputs["weights"], request.state.get("weights")
        if unknown(wanted) or live is None or not same_shares(live, wanted):
            found["weights"] = Change(input=False)
        for key in differs(request.old_inputs, request.inputs, ("listenerRuleArn", "targetGroupArns")):
            found[key] = Change()
        return Difference(changes=found)

    def update(self, request: Request) -> Made:
        """Move the weights; a preview says what would be moved."""
        inputs = request.inputs
        if request.preview:
            plan = UNKNOWN
            if not unknown(inputs["weights"]) and not unknown(inputs["seenWeights"]):
                plan = _path(inputs["seenWeights"], inputs["weights"])
            state = {**inputs, "plan": plan, "seconds": UNKNOWN}
        else:
            state = _Shift(self, request).run()
        return Made(id=resource_id(request), state=state, refresh_before_update=True)

    def read(self, request: Request) -> Found:
        """The state with the weights that are live; no weights where the rule is gone."""
        inputs = request.old_inputs or request.state
        live = read_weights(self.aws, inputs["listenerRuleArn"], inputs["targetGroupArns"])
        state = {**request.state, "weights": dict(live) if live is not None else None}
        if live is not None and same_shares(live, request.state.get("weights") or live):
            state["weights"] = request.state.get("weights", state["weights"])
        return Found(id=request.id, state=state, inputs=request.old_inputs, refresh_before_update=True)


class _Shift:
    """One shift: what it read at the start, what it set last, and the way back."""

    def __init__(self, handler: Handler, request: Request) -> None:
        inputs = request.inputs
        self.inputs, self.aws = inputs, handler.aws
        self.work: Work = handler.context.work(request)
        self.rule, self.groups = inputs["listenerRuleArn"], inputs["targetGroupArns"]
        self.wanted: Weights = inputs["weights"]
        self.rollback = bool(inputs["rollback"])

    def run(self) -> dict[str, Any]:
        """Shift, read back, and answer the state. Raises Fail with what happened and what to do."""
        start = read_weights(self.aws, self.rule, self.groups)
        if start is None:
            raise Fail(f"listener rule {self.rule} does not exist; run `pulumi refresh`, then `pulumi up`")
        if not same_shares(start, self.wanted):
            self._move(start)
        live = self._read_back()
        return {
            **self.inputs,
            "weights": dict(live),
            "plan": _path(start, self.wanted),
            "seconds": round(self.work.seconds, 2),
        }

    def _move(self, start: Weights) -> None:
        seen = self.inputs["seenWeights"]
        if not same_shares(start, seen):
            raise Fail(
                f"the live weights are {show(start)}, the plan was made when they were {show(seen)}: somebody else "
                "moved them since. Nothing was changed. Run `pulumi up` again: it plans from the live weights"
            )
        way_out = WayOut(self.work, self.aws, self.inputs, self._way_back(start), actor())
        guards = self._before(start, way_out)
        set_last: Weights = start
        planned = [dict(self.wanted)] if self.rollback else steps_to(start, self.wanted, self.inputs["steps"])
        try:
            for number, weights in enumerate(planned, 1):
                self.work.check()
                set_last = weights
                write_weights(self.aws, self.rule, self.groups, weights)
                step = f"step {number} of {len(planned)}"
                self.work.say(f"{step}: {show(weights)}, {self.work.seconds:.2f} s after the shift began")
                if not self.rollback:
                    self._bake(guards, way_out, weights, step)
        except Moved as moved:
            raise Fail(
                f"{moved}. They were left as they are. Find out who moved them, then run `pulumi up` again"
            ) from moved
        except Held as held:
            raise Fail(
                f"{held}. The shift stopped, and left them at {show(set_last)}. Lift that with {LIFT}, then run "
                "`pulumi up` again: it goes on from there"
            ) from held
        except Exception as error:
            raise Fail(f"the shift stopped at {show(set_last)}: {way_out.take(set_last, error)}") from error

    def _way_back(self, start: Weights) -> Weights:
        """Where the weights go when this shift fails: where they were, or off the color that is on trial.

        An interrupted shift has left a part of the requests there, and what fails now is what they would stay on.
        """
        settled: Color | None = self.inputs.get("settledColor")
        on_trial = rising(start, self.wanted)
        if settled in (None, on_trial) or not start[on_trial]:
            return start
        if not healthy(target_states(self.aws, self.groups[settled])):
            return start
        return only(settled)

    def _before(self, start: Weights, way_out: WayOut) -> Guards:
        """What must hold before the first step. A rollback does not ask the alarms: they may be why it is made."""
        self.work.check()
        target: Color = rising(start, self.wanted)
        needed = needed_targets(self.aws, self.inputs["cluster"], self.inputs["services"], target)
        alarms = [] if self.rollback else self.inputs["alarms"]
        guards = Guards(aws=self.aws, rule=self.rule, groups=self.groups, alarms=alarms, target=target, needed=needed)
        try:
            guards.not_frozen()
        except Held as held:
            raise Fail(
                f"the shift to {target} was not begun: {held}. They are still {show(start)}. Lift that with {LIFT}, "
                "then run `pulumi up` again"
            ) from held
        try:
            way_out.look()
            guards.alarms_quiet()
            guards.target_healthy()
        except Fail as refused:
            if not same_shares(start, way_out.back):
                raise Fail(f"the shift to {target} was not resumed: {way_out.take(start, refused)}") from refused
            if isinstance(refused, AwsError):
                raise
            raise Fail(
                f"the shift to {target} was not begun: {refused}. The weights are still {show(start)}. "
                f"{way_out.schema()}. {AGAIN}"
            ) from refused
        return guards

    def _bake(self, guards: Guards, way_out: WayOut, weights: Weights, step: str) -> None:
        """Watch the step for its bake time: a look at once, one at the end, and some between."""
        bake, begun = float(self.inputs["bakeSeconds"]), time.monotonic()
        between = min(MOST_LOOK_SECONDS, max(TICK_SECONDS, bake / LOOKS))
        while True:
            guards.not_frozen()
            way_out.look()
            guards.alarms_quiet()
            guards.target_healthy()
            guards.weights_ours(weights)
            now = time.monotonic()
            if now >= begun + bake:
                return
            self._wait_until(min(now + between, begun + bake), begun + bake, f"{step}, {show(weights)}")

    def _wait_until(self, moment: float, end: float, doing: str) -> None:
        while (left := moment - time.monotonic()) > 0:
            self.work.tick(f"{doing}: watching for another {end - time.monotonic():.0f} s")
            self.work.cancelled.wait(min(TICK_SECONDS, left))
            self.work.check()

    def _read_back(self) -> Weights:
        live = read_weights(self.aws, self.rule, self.groups)
        if live is None or not same_shares(live, self.wanted):
            found = "no rule" if live is None else show(live)
            raise Fail(
                f"after the shift the live weights are {found}, not {show(self.wanted)}: somebody else moved them. "
                "They were left as they are. Find out who moved them, then run `pulumi up` again"
            )
        return live


def _path(start: Weights, wanted: Weights) -> str:
    return f"{show(start)} -> {show(wanted)}"


def _check_steps(checks: Checks) -> None:
    steps = checks.inputs["steps"]
    if unknown(steps):
        return
    good = isinstance(steps, list) and steps and all(isinstance(one, int) and 1 <= one <= FULL for one in steps)
    if not good or steps[-1] != FULL or any(one >= two for one, two in pairwise(steps)):
        checks.refuse(
            "steps", f"is {steps!r}; expected growing whole percents that end with 100, such as [10, 50, 100]"
        )
        return
    bake, limit = checks.inputs["bakeSeconds"], checks.inputs["timeoutSeconds"]
    numbers = isinstance(bake, int | float) and isinstance(limit, int | float)
    if numbers and len(steps) * bake >= limit:
        checks.refuse(
            "timeoutSeconds", f"is {limit:g}; {len(steps)} steps that bake {bake:g} s each take longer, give it more"
        )
