"""`Release`: the plan of a release as a resource, so that a preview shows it and everything else follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from provider import defaults
from provider.actor import actor
from provider.checks import Checks
from provider.freeze import LIFT, Freeze, by_hand, read_freeze
from provider.handler import Context, Handler, resource_id
from provider.images import image_of
from provider.live import read_slots, read_weights, show, write_weights
from provider.plan import (
    COLORS,
    Color,
    History,
    Plan,
    Slot,
    Slots,
    Wanted,
    Weights,
    held_by_freeze,
    plan,
    same_shares,
)
from provider.recorded import OBSERVED, UNTRIED, as_planned, noted, seen, slots_of, untried
from provider.rpc.messages import Change, Checked, Difference, Fail, Found, Made, Request, changed
from provider.rpc.values import UNKNOWN, unknown

INPUTS: Final = (
    "service",
    "version",
    "image",
    "repository",
    "cluster",
    "services",
    "listenerRuleArn",
    "targetGroupArns",
    "container",
    "desiredCount",
    "previous",
)
# How the version came into service. Once it is there these stay as they were: what depends on them must not run again.
STORY: Final = ("action", "gate", "rollback", "liveColor", "liveWeights", "firstRelease", "reset", "actor", UNTRIED)
SHOWN: Final = ("version", "image", "desiredCount", "previous", "services")
FROZEN: Final = "frozen"  # in state only while the weights are frozen


class Release(Handler):
    """Plans from the live weights. The only thing it ever changes is to put an interrupted shift back."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        # What this run asks for, until something was said of it. The engine calls Diff for what it refreshes too, with
        # the inputs of the run before.
        self._asked: dict[str, Mapping[str, Any]] = {}

    def check(self, request: Request) -> Checked:
        """Validate the inputs and fill in defaults."""
        checks = Checks(request.inputs, {"container": defaults.CONTAINER, "previous": defaults.PREVIOUS}, INPUTS)
        for name in ("service", "repository", "cluster", "listenerRuleArn", "container"):
            checks.text(name)
        checks.text("version", defaults.VERSION, what=defaults.VERSION_WORDS)
        checks.text("image", required=False)
        checks.colors("services")
        checks.colors("targetGroupArns")
        checks.number("desiredCount", 1, defaults.MOST_TASKS)
        checks.choice("previous", ("warm", "retired"))
        if unknown(request.inputs.get("version")):
            checks.refuse("version", "must be known before the run; a plan can't be made without it")
        self._asked[request.urn] = checks.inputs
        return checks.done()

    def diff(self, request: Request) -> Difference:
        """Whether the plan from what was read differs from the recorded one, or may not be carried out."""
        weights, slots = seen(request.state)
        made = self._plan(request, weights, slots)
        outputs = self._outputs(request, made)
        found = changed({key: request.state.get(key) for key in outputs}, outputs)
        if not found:
            return self._unchanged(request, made, weights)
        # The CLI shows an output that differs as one that goes away. What is asked for, or what was found, reads well.
        inputs = {key: one for key, one in changed(request.old_inputs, request.inputs).items() if key in SHOWN}
        if not inputs and OBSERVED in request.state:
            inputs = {OBSERVED: Change(kind="delete", input=False)}
        return Difference(changes=inputs or {key: Change(input=False) for key in found})

    def _unchanged(self, request: Request, made: Plan, weights: Weights | None) -> Difference:
        """The plan on record is the right one, and may still have to be finished, or be forbidden by a freeze."""
        frozen = request.state.get(FROZEN)
        if frozen is not None and held_by_freeze(made, weights, slots_of(frozen["slots"])):
            return Difference(changes={FROZEN: Change(input=False)})  # the update says no
        asked = self._asked.get(request.urn) == request.inputs
        if asked and weights is not None and not same_shares(weights, made.weights):
            del self._asked[request.urn]
            moves = f"weights {show(weights)} -> {show(made.weights)}"
            version = made.colors[made.target].version
            self.context.work(request).say(f"finishing the release of {version} to {made.target}: {moves}")
        return Difference()

    def update(self, request: Request) -> Made:
        """Plan from what is live now; a preview says the plan, an update also puts an interrupted shift back."""
        weights, slots = self._look(request.inputs)
        made = self._plan(request, weights, slots)
        outputs = self._outputs(request, made)
        self._announce(request, outputs, weights, slots)
        frozen = self._frozen(request.inputs)
        held = held_by_freeze(made, weights, slots) if frozen is not None else None
        if held is not None:
            self._refuse(request, held, str(frozen))
            outputs |= {key: request.state[key] for key in (FROZEN,) if key in request.state}  # shown as what stays
        if outputs["reset"] and not request.preview and weights is not None:
            self._reset(request, outputs["liveWeights"], weights)
        state = {**request.inputs, **outputs}
        return Made(id=resource_id(request), state=state, refresh_before_update=True)

    def read(self, request: Request) -> Found:
        """Look at AWS. Where it is as the last plan wanted it the state stays equal, so that nothing is shown."""
        inputs = request.old_inputs or request.state
        weights, slots = self._look(inputs)
        found = {color: noted(slot) for color, slot in slots.items() if slot is not None}
        state = {key: value for key, value in request.state.items() if key not in (OBSERVED, FROZEN)}
        if not as_planned(state, weights, slots):
            state[OBSERVED] = {"weights": dict(weights) if weights is not None else None, "slots": found}
        frozen = self._frozen(inputs)
        if frozen is not None:
            state[FROZEN] = {"since": frozen.since, "by": frozen.by, "why": frozen.why, "slots": found}
            rule = inputs["listenerRuleArn"]
            self.context.work(request).warn(f"the weights are {frozen}. Lift it with {LIFT} (or {by_hand(rule)})")
        return Found(id=request.id, state=state, inputs=request.old_inputs, refresh_before_update=True)

    def _frozen(self, inputs: Mapping[str, Any]) -> Freeze | None:
        rule = inputs["listenerRuleArn"]
        return None if unknown(rule) else read_freeze(self.aws, rule)

    def _refuse(self, request: Request, held: str, frozen: str) -> None:
        """A freeze forbids it: an update ends here, before anything of the release is changed; a preview goes on."""
        if request.preview:
            self.context.work(request).warn(
                f"`pulumi up` will be refused: it would {held}, and the weights are {frozen}"
            )
            return
        raise Fail(
            f"this run would {held}, and the weights are {frozen}. No weight, task or task definition was changed. "
            f"Lift it with {LIFT} (or {by_hand(request.inputs['listenerRuleArn'])}), then run `pulumi up` again"
        )

    def _look(self, inputs: Mapping[str, Any]) -> tuple[Weights | None, Slots]:
        """Live weights and slots; nothing where a preview does not know yet what to look at."""
        rule, groups = inputs["listenerRuleArn"], inputs["targetGroupArns"]
        weights = None if unknown(rule) or unknown(groups) else read_weights(self.aws, rule, groups)
        if unknown(inputs["cluster"]) or unknown(inputs["services"]) or unknown(groups):
            return weights, dict.fromkeys(COLORS)
        return weights, read_slots(self.aws, inputs["cluster"], inputs["services"], groups, inputs["container"])

    def _plan(self, request: Request, weights: Weights | None, slots: Slots) -> Plan:
        inputs, last = request.inputs, request.state
        wanted = Wanted(
            version=inputs["version"],
            image=self._image(inputs, slots),
            desired_count=inputs["desiredCount"],
            previous=inputs["previous"],
        )
        history = History(
            lineage=tuple(last.get("lineage", ())),
            untried=untried(last),
            settled=last.get("liveColor"),
            setting=last.get("settledCount"),
            counts={color: one["desiredCount"] for color, one in last.get("colors", {}).items()},
        )
        return plan(weights, slots, wanted, history)

    def _outputs(self, request: Request, made: Plan) -> dict[str, Any]:
        inputs, last = request.inputs, request.state
        outputs = _as_outputs(made, inputs)
        same = last.get("version") == inputs["version"] and last.get("targetColor") == made.target
        if made.action == "none" and same:
            outputs |= {key: last[key] for key in STORY if key in last}
            if UNTRIED not in last:
                del outputs[UNTRIED]  # a state of an earlier provider: nothing to show for it, `recorded` reads it
        return outputs

    def _image(self, inputs: Mapping[str, Any], slots: Slots) -> str:
        """The image of the wanted version: of the color that has it, as given, or from ECR."""
        version = inputs["version"]
        held = next((slot.image for slot in slots.values() if slot is not None and slot.version == version), None)
        if held is not None or inputs.get("image") is not None:
            return str(held or inputs["image"])
        return UNKNOWN if unknown(inputs["repository"]) else image_of(self.aws, inputs["repository"], version)

    def _announce(self, request: Request, outputs: Mapping[str, Any], weights: Weights | None, slots: Slots) -> None:
        work = self.context.work(request)
        if outputs["reset"] and weights is not None:
            back = show(outputs["liveWeights"])
            work.say(f"an interrupted shift left {show(weights)}: first the weights go back to {back}")
        target: Color = outputs["targetColor"]
        if weights is not None and same_shares(weights, outputs["weights"]) and _holds(slots[target], outputs):
            # The story on record is of the release that brought it here; nothing of it happens again.
            work.say(f"no release: {target} serves {outputs['version']} already; {_counts(outputs, slots)}")
        elif outputs["action"] != "none":
            holds = ", ".join(_change(color, slots[color], outputs["colors"][color]["version"]) for color in COLORS)
            moves = f"weights {show(outputs['liveWeights'])} -> {show(outputs['weights'])}"
            if outputs["targetCount"] > request.inputs["desiredCount"]:
                work.say(
                    f"{outputs['targetColor']} gets {outputs['targetCount']} tasks, as many as are in service, though "
                    f"desiredCount is {request.inputs['desiredCount']}: a release takes no capacity away"
                )
            work.say(f"{outputs['action']} of {outputs['version']} to {outputs['targetColor']}: {holds}; {moves}")

    def _reset(self, request: Request, start: Weights, found: Weights) -> None:
        inputs = request.inputs
        write_weights(self.aws, inputs["listenerRuleArn"], inputs["targetGroupArns"], start)
        self.context.work(request).say(f"weights put back: {show(found)} -> {show(start)}")


def _holds(slot: Slot | None, outputs: Mapping[str, Any]) -> bool:
    return slot is not None and slot.version == outputs["version"]


def _counts(outputs: Mapping[str, Any], slots: Slots) -> str:
    """`blue 2 tasks, green 2 -> 0 tasks`."""
    wanted = {outputs["targetColor"]: outputs["targetCount"], outputs["previousColor"]: outputs["previousCount"]}
    parts = []
    for color in COLORS:
        slot, count = slots[color], wanted[color]
        now = "" if slot is None or slot.desired_count == count else f"{slot.desired_count} -> "
        parts.append(f"{color} {now}{count} tasks")
    return ", ".join(parts)


def _change(color: Color, slot: Slot | None, version: str) -> str:
    """`green v1 -> v2`, or `blue keeps v1`."""
    if slot is None:
        return f"{color} gets {version}"
    return f"{color} keeps {version}" if slot.version == version else f"{color} {slot.version} -> {version}"


def _as_outputs(made: Plan, inputs: Mapping[str, Any]) -> dict[str, Any]:
    services = inputs["services"]
    known = isinstance(services, Mapping)
    colors = {
        color: {"version": one.version, "image": one.image, "desiredCount": one.desired_count}
        for color, one in made.colors.items()
    }
    return {
        "action": made.action,
        "gate": made.gate,
        "rollback": made.action == "rollback",
        "liveColor": made.live,
        "targetColor": made.target,
        "previousColor": made.previous,
        "version": made.colors[made.target].version,
        "image": made.colors[made.target].image,
        "colors": colors,
        "weights": dict(made.weights),
        "liveWeights": dict(made.live_weights),
        "firstRelease": made.first_release,
        "reset": made.reset,
        "targetService": services[made.target] if known else UNKNOWN,
        "previousService": services[made.previous] if known else UNKNOWN,
        "previousVersion": made.colors[made.previous].version,
        "targetCount": made.colors[made.target].desired_count,
        "previousCount": made.colors[made.previous].desired_count,
        "settledCount": made.setting,
        "lineage": list(made.lineage),
        UNTRIED: made.untried,
        "actor": actor(),
    }
