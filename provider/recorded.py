"""What `Release` keeps in its state of what it saw in AWS, and how that is read again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from provider.plan import COLORS, Slot, Slots, Weights, same_shares

OBSERVED: Final = "observed"  # in state only while AWS is not as the last plan wanted it
UNTRIED: Final = "untried"  # whether the version had not served when the last plan asked for it


def as_planned(state: Mapping[str, Any], weights: Weights | None, slots: Slots) -> bool:
    """Whether AWS is as the recorded plan wanted it."""
    if weights is None or "weights" not in state or not same_shares(weights, state["weights"]):
        return False
    return all(
        (slot := slots[color]) is not None and slot.version == state["colors"][color]["version"] for color in COLORS
    )


def seen(state: Mapping[str, Any]) -> tuple[Weights | None, Slots]:
    """What the last Read saw: what the plan wanted, or what it noted."""
    observed = state.get(OBSERVED)
    if observed is not None:
        return observed.get("weights"), slots_of(observed["slots"])
    return state["weights"], {color: slot_of(state["colors"][color]) for color in COLORS}


def slots_of(kept: Mapping[str, Any]) -> Slots:
    """The slots of both colors, as `noted` wrote them."""
    return {color: slot_of(kept.get(color)) for color in COLORS}


def noted(slot: Slot) -> dict[str, Any]:
    """A slot as state keeps it."""
    return {
        "version": slot.version,
        "image": slot.image,
        "desiredCount": slot.desired_count,
        "healthyCount": slot.healthy_count,
    }


def slot_of(one: Mapping[str, Any] | None) -> Slot | None:
    """A slot as noted, or as planned: then its tasks are taken to be healthy."""
    if one is None:
        return None
    count = one["desiredCount"]
    return Slot(
        version=one["version"], image=one["image"], desired_count=count, healthy_count=one.get("healthyCount", count)
    )


def untried(state: Mapping[str, Any]) -> str | None:
    """The version that the last plan asked for before it had served, where there is one.

    A state of an earlier provider does not say. There the newest of the lineage may be one.
    """
    version, lineage = state.get("version"), state.get("lineage", ())
    newest = bool(lineage) and lineage[-1] == version
    return str(version) if state.get(UNTRIED, newest) and version is not None else None
