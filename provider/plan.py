"""Which color gets which version and where the weights go: the whole decision of a release, as one pure function.

What is live is read from AWS by the caller (`provider.live`); nothing here asks or changes anything. The rules:

* a color that has weight keeps its version;
* every plan ends with the wanted version holding all the weight;
* a color that takes over has at least as many tasks as those it takes over from;
* the plan for the result of a plan moves nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from provider.lineage import forward, served, with_asked

Color = Literal["blue", "green"]
Action = Literal["first", "release", "rollback", "resume", "none"]
Gate = Literal["expand", "check"]
Previous = Literal["warm", "retired"]
Weights = Mapping[Color, int]

COLORS: Final[tuple[Color, Color]] = ("blue", "green")
FULL: Final = 100
LINEAGE_KEPT: Final = 100  # versions; enough to tell forward from back, and state stays small


@dataclass(frozen=True, kw_only=True)
class Slot:
    """What one color's ECS service holds now. `healthy_count` counts healthy targets in its target group."""

    version: str
    image: str
    desired_count: int
    healthy_count: int


Slots = Mapping[Color, Slot | None]


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """The desired state: two settings, and how many tasks a color that is in service has at least."""

    version: str
    image: str
    desired_count: int
    previous: Previous = "warm"


@dataclass(frozen=True, kw_only=True)
class History:
    """What earlier releases left: versions in the order in which they first served, and the color they started from.

    `untried` is the one at the end of the lineage that had not served when it was asked for. `setting` is the
    `desired_count` that was last obeyed, `counts` what each color was given then.
    """

    lineage: tuple[str, ...] = ()
    untried: str | None = None
    settled: Color | None = None
    setting: int | None = None
    counts: Mapping[Color, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Filling:
    """What one color is to hold."""

    version: str
    image: str
    desired_count: int


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The decision. `live_weights` is where the shift starts: after the reset, where there is one.

    `untried`: the wanted version, last in `lineage`, has not served yet. `setting` is the `desired_count` that this
    plan obeys. A smaller one that comes with a release is not obeyed yet: the plan after it does that.
    """

    action: Action
    gate: Gate
    target: Color
    live: Color
    weights: Weights
    live_weights: Weights
    colors: Mapping[Color, Filling]
    lineage: tuple[str, ...]
    untried: bool
    reset: bool
    setting: int

    @property
    def previous(self) -> Color:
        """The color that does not get the wanted version."""
        return other(self.target)

    @property
    def first_release(self) -> bool:
        """Whether neither color ever held anything."""
        return self.action == "first"


def other(color: Color) -> Color:
    """The color that is not this one."""
    return "green" if color == "blue" else "blue"


def only(color: Color) -> Weights:
    """All the weight on one color."""
    return {color: FULL, other(color): 0}


def same_shares(one: Weights, two: Weights) -> bool:
    """Whether two sets of weights send the same share of requests to each color (1/1 and 50/50 do)."""
    total, total_two = sum(one.values()), sum(two.values())
    if not total or not total_two:
        return total == total_two
    return all(one[color] * total_two == two[color] * total for color in COLORS)


def held_by_freeze(found: Plan, live: Weights | None, slots: Slots) -> str | None:
    """What the plan would do that a freeze forbids; None where it may be carried out under one.

    A freeze keeps the weights where they are, and the tasks of a color that somebody may still want to go back to.
    """
    if live is not None and not same_shares(live, found.weights):
        return "move the weights"
    before = slots[found.previous]
    if _serves(before) and not found.colors[found.previous].desired_count:
        return f"retire {found.previous}, the way back"
    return None


def plan(live: Weights | None, slots: Slots, wanted: Wanted, history: History) -> Plan:
    """Decide how the wanted version comes into service.

    `live` is None where there is no rule yet. Any weights and any slots are a legal start, an interrupted shift too.
    """
    weights = only("blue") if live is None else live
    carrying = [color for color in COLORS if weights[color] > 0]
    target = _target(weights, carrying, slots, wanted.version, history)
    reset = len(carrying) > 1 and not _takes(slots[target], wanted.version)
    start = only(other(target)) if reset else weights
    settled = carrying == [target] and slots[target] is not None
    known = served(history.lineage, history.untried, _version(slots, _full(weights, start, target, history)))
    # With the state lost nobody knows what came first, whatever serves now.
    newer = wanted.version not in history.lineage or forward(known, _version(slots, other(target)), wanted.version)
    counts = _counts(slots, carrying, wanted, target, history, settled=settled)
    return Plan(
        action=_action(slots, settled=settled, forward=newer, resume=len(carrying) > 1 and not reset),
        gate="expand" if newer else "check",
        target=target,
        live=_live(carrying, target, history, reset=reset),
        weights=only(target),
        live_weights=start,
        colors=_colors(slots, wanted, target, counts),
        lineage=with_asked(known, wanted.version)[-LINEAGE_KEPT:],
        untried=wanted.version not in known,
        reset=reset,
        setting=_obeyed(wanted, history, counts[target], settled=settled),
    )


def _takes(slot: Slot | None, version: str) -> bool:
    """Whether a color that may have weight can serve the version without being changed under it."""
    return slot is None or slot.version == version


def _target(weights: Weights, carrying: list[Color], slots: Slots, version: str, history: History) -> Color:
    holding = [color for color in COLORS if slots[color] is not None and _takes(slots[color], version)]
    if len(carrying) == 1:
        live = carrying[0]
        if slots[live] is None and other(live) in holding:
            return other(live)
        return live if _takes(slots[live], version) else other(live)
    if not carrying:
        # Nothing serves: use the color that has the version, else spare the one that served last.
        return holding[0] if holding else (other(history.settled) if history.settled else "blue")
    settled = _settled(weights, slots, history)
    if settled in holding:
        return settled
    if holding:
        return holding[0]
    empty = [color for color in COLORS if slots[color] is None]
    return empty[0] if empty else other(settled)


def _settled(weights: Weights, slots: Slots, history: History) -> Color:
    """The color that an interrupted shift started from; never one that serves nothing while the other serves."""
    heavier: Color = "green" if weights["green"] > weights["blue"] else "blue"
    first = history.settled or heavier
    return other(first) if not _serves(slots[first]) and _serves(slots[other(first)]) else first


def _serves(slot: Slot | None) -> bool:
    return slot is not None and slot.healthy_count > 0


def _live(carrying: list[Color], target: Color, history: History, *, reset: bool) -> Color:
    if reset:
        return other(target)
    if len(carrying) == 1:
        return carrying[0]
    return history.settled or other(target) if carrying else target


def _full(weights: Weights, start: Weights, target: Color, history: History) -> Color | None:
    """The color that has all the weight, or had it when the shift began that was cut short; None where nobody knows."""
    shares = [color for color in COLORS if start[color] > 0]
    if len(shares) < 2:
        return shares[0] if shares else None
    if history.settled is not None:
        return history.settled
    return other(target) if weights[other(target)] > weights[target] else None


def _version(slots: Slots, color: Color | None) -> str | None:
    slot = slots[color] if color is not None else None
    return slot.version if slot is not None else None


def _action(slots: Slots, *, settled: bool, forward: bool, resume: bool) -> Action:
    if all(slot is None for slot in slots.values()):
        return "first"
    if settled:
        return "none"
    if not forward:
        return "rollback"
    return "resume" if resume else "release"


def _counts(
    slots: Slots, carrying: list[Color], wanted: Wanted, target: Color, history: History, *, settled: bool
) -> Mapping[Color, int]:
    """How many tasks each color is to have.

    The setting is the least, and obeyed when it is lowered. In between the count may be moved from outside, by hand
    or by autoscaling, and a release takes over as many tasks as it finds in service.
    """
    least = wanted.desired_count
    has = {color: slot.desired_count if slot is not None else 0 for color, slot in slots.items()}
    if not settled:
        taking, before = max([least, *(has[color] for color in carrying)]), has[other(target)]
    elif history.setting is not None and least < history.setting:
        taking = before = least
    else:
        given = {**has, **history.counts}
        taking, before = given[target], given[other(target)]
    # What serves nothing (retired, or never healthy) is not started again: nobody asked for it.
    keep = wanted.previous == "warm" and _serves(slots[other(target)])
    return {target: max(least, taking), other(target): max(least, before) if keep else 0}


def _obeyed(wanted: Wanted, history: History, count: int, *, settled: bool) -> int:
    """The setting that counts as obeyed; a smaller one waits until nothing is being released."""
    least = wanted.desired_count
    return least if settled or count <= least else max(least, history.setting or least)


def _colors(slots: Slots, wanted: Wanted, target: Color, counts: Mapping[Color, int]) -> Mapping[Color, Filling]:
    now, before = slots[target], slots[other(target)]
    # A color that has the version keeps its image: the name is immutable, and a warm color stays as it is.
    image = now.image if now is not None and now.version == wanted.version else wanted.image
    taking = Filling(version=wanted.version, image=image, desired_count=counts[target])
    if before is None:
        # A service needs a task definition even while it has no task.
        return _both(target, taking, Filling(version=wanted.version, image=image, desired_count=0))
    leaving = Filling(version=before.version, image=before.image, desired_count=counts[other(target)])
    return _both(target, taking, leaving)


def _both(target: Color, taking: Filling, leaving: Filling) -> Mapping[Color, Filling]:
    return {color: taking if color == target else leaving for color in COLORS}
