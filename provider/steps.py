"""The steps of a traffic shift, computed before the first one is made."""

from __future__ import annotations

from collections.abc import Sequence

from provider.plan import COLORS, FULL, Color, Weights, other


def rising(start: Weights, wanted: Weights) -> Color:
    """The color whose share grows."""
    total, aim = sum(start.values()) or 1, sum(wanted.values())
    return max(COLORS, key=lambda color: wanted[color] / aim - start[color] / total)


def steps_to(start: Weights, wanted: Weights, percents: Sequence[int]) -> list[Weights]:
    """The weights of each step: the given percents of the rising color's wanted share, and at last `wanted` itself.

    A shift that begins in the middle (an interrupted one that is resumed) leaves out what it already has.
    """
    up = rising(start, wanted)
    total, aim = sum(start.values()), sum(wanted.values())
    has = start[up] * FULL / total if total else 0.0
    goal = wanted[up] * FULL / aim
    shares = [round(goal * percent / FULL) for percent in percents]
    between = [{up: share, other(up): FULL - share} for share in shares if has < share < goal]
    return [*between, dict(wanted)]
