"""What every step is made of: an `up` that must succeed, one that must fail, and a look at what is live."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import Any

from rehearsal.engine import Outcome
from rehearsal.stage import Stage


class StepError(Exception):
    """A step did not end as it must; one line."""


@dataclass(frozen=True, kw_only=True)
class Failure:
    """How a release that must fail has to fail: each of `reasons` is in what Pulumi says."""

    tree: str
    reasons: tuple[str, ...]


class Acting:
    """Runs Pulumi for the steps, and looks."""

    def __init__(self, stage: Stage) -> None:
        """Play on this stage."""
        self.stage = stage

    def up(self, **settings: str) -> Outcome:
        """`pulumi up` that must succeed, with the load going on."""
        outcome = self.checked(self.stage.engine.up(**settings))
        self.loaded()
        return outcome

    @staticmethod
    def checked(outcome: Outcome) -> Outcome:
        """The outcome, if it is a success."""
        if outcome.code:
            raise StepError(f"pulumi: exit code {outcome.code}: {outcome.message[:900]} (events: {outcome.log.name})")
        return outcome

    def loaded(self) -> None:
        """The load still runs, where it was on."""
        generator = self.stage.generator
        if generator is not None and not generator.running():
            raise StepError("load: ended by itself, see load.stderr")

    def outputs(self) -> dict[str, Any]:
        """The stack's outputs."""
        return self.stage.engine.outputs()

    def serves(self, tree: str) -> str:
        """The version of this tree has all the traffic, as AWS says."""
        wanted = self.stage.versions[tree]
        weights = self.stage.live.weights_by_version()
        total = sum(weights.values())
        if weights.get(wanted, 0) != total or not total:
            raise StepError(f"weights by version {weights}, expected {wanted} ({tree}) to have all traffic")
        shown = " / ".join(f"{color} {weight}" for color, weight in self.stage.live.weights().items())
        return f"{tree} serves ({wanted}), {shown}"

    def refused(self, failure: Failure, **settings: str) -> str:
        """An `up` that must fail for its own reason, and move nothing; answers its sentence."""
        stage = self.stage
        weights, shifts = stage.live.weights(), len(stage.changes())
        live = {color: stage.live.versions().get(color) for color, weight in weights.items() if weight}
        outcome = stage.engine.up(**settings)
        if not outcome.code:
            raise StepError(f"the release of {failure.tree} succeeded, expected it to fail")
        if missing := [reason for reason in failure.reasons if reason.lower() not in outcome.message.lower()]:
            raise StepError(f"failed, but the message does not say {missing[0]!r}: {outcome.message[:600]}")
        if stage.live.weights() != weights or len(stage.changes()) != shifts:
            raise StepError(f"weights moved: {stage.live.weights()}, expected {weights} all the time")
        now = stage.live.versions()
        if moved := [color for color, version in live.items() if now.get(color) != version]:
            raise StepError(f"the live color {moved[0]} holds {now.get(moved[0])}, expected {live[moved[0]]} as before")
        self.loaded()
        return _sentence(outcome, failure)


def _sentence(outcome: Outcome, failure: Failure) -> str:
    """The part of the message that says why, short enough for a table."""
    reason = failure.reasons[0]
    found = next(error for error in outcome.errors if reason.lower() in error.lower())
    text = found[found.lower().index(reason.lower()) :].split('", "')[0]
    return textwrap.shorten(text, 110, placeholder=" …")
