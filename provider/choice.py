"""What becomes of the weights when a shift fails: back to where they came from, or left as they are and frozen.

The rules, in this order:

* never back to a color that serves nothing: its tasks are gone, or its version does not fit the schema any more;
* a run that was canceled, or whose engine died, goes back: nothing is known to be wrong;
* else as the setting `onFailure` says.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

from provider import freeze
from provider.aws import QUICK_READ_SECONDS, Aws
from provider.live import healthy, show, target_states, write_weights
from provider.plan import COLORS, Color, Weights
from provider.work import Canceled, Work

OnFailure = Literal["rollback", "freeze"]
ON_FAILURE: Final[tuple[OnFailure, OnFailure]] = ("rollback", "freeze")
PUT_BACK_SECONDS: Final = 9.0
LAST_TRY_SECONDS: Final = PUT_BACK_SECONDS - QUICK_READ_SECONDS  # a call begun then may still take so long
AGAIN: Final = "Mend the cause, then run `pulumi up` again"
PAUSE_SECONDS: Final = 0.2  # before the next try to put them back


def choose(setting: OnFailure, *, canceled: bool, back_serves: bool) -> OnFailure:
    """What is done about the weights of a shift that fails."""
    if not back_serves:
        return "freeze"
    return "rollback" if canceled else setting


class WayOut:
    """The end of a shift that fails. `back` is where its weights go when they go back."""

    def __init__(self, work: Work, aws: Aws, inputs: Mapping[str, Any], back: Weights, actor: str) -> None:
        self.work, self.aws, self.back, self.actor = work, aws, back, actor
        self.rule, self.groups = inputs["listenerRuleArn"], inputs["targetGroupArns"]
        self.setting: OnFailure = inputs["onFailure"]
        self.rollback = bool(inputs["rollback"])
        self.versions: Mapping[str, str] = inputs.get("versions") or {}
        self.silent: list[Color] = []  # colors that would get weight and have no healthy target

    def look(self) -> None:
        """Note which colors serve now: there may be no time for it when the shift fails."""
        carrying = [color for color in COLORS if self.back[color] > 0]
        self.silent = [color for color in carrying if not healthy(target_states(self.aws, self.groups[color]))]

    def take(self, at: Weights, error: Exception) -> str:
        """Put the weights back or freeze them; why, and how that went."""
        canceled = isinstance(error, Canceled)
        why = "the run was canceled" if canceled else str(error)
        if choose(self.setting, canceled=canceled, back_serves=not self.silent) == "rollback":
            return f"{why}. {self._put_back('Run `pulumi up` to go on' if canceled else AGAIN)}"
        return f"{why}. {self._freeze(at, why)}"

    def _put_back(self, again: str) -> str:
        """Set the weights that the shift goes back to, inside PUT_BACK_SECONDS."""
        problem = within(
            LAST_TRY_SECONDS,
            lambda left: write_weights(self.aws, self.rule, self.groups, self.back, stubborn=True, seconds=left),
        )
        if problem is None:
            self.work.say(f"weights put back: {show(self.back)}")
            return f"The weights are back at {show(self.back)}. {self.schema()}. {again}"
        return (
            f"The weights could NOT be put back to {show(self.back)} in {PUT_BACK_SECONDS:.0f} s ({problem}): "
            f"set them by hand in listener rule {self.rule}, or run `pulumi up` again: it plans from the live weights"
        )

    def _freeze(self, at: Weights, why: str) -> str:
        """Leave the weights and say so on the rule, for every later run and for people."""
        left = f"The weights were left as last set, {show(at)}"
        told = self.schema()
        if self.silent:
            left += f": {' and '.join(self.silent)}, where they came from, has no healthy target"
            told = "Its tasks are gone, or its version does not fit the schema any more: going forward is the way"
        try:
            made = freeze.freeze(self.aws, self.rule, by=self.actor, why=why, stubborn=True, seconds=LAST_TRY_SECONDS)
        except Exception as problem:
            return (
                f"{left}. The freeze could NOT be noted on listener rule {self.rule} ({problem}): the next `pulumi up` "
                "will move them; where it must not, run `make freeze STACK=<stack> REASON=...`"
            )
        self.work.say(f"weights frozen: {show(at)}")
        return (
            f"{left}, and the weights are {made}. No run moves them until that is lifted. {told}. Then lift it with "
            f"{freeze.LIFT} and run `pulumi up`: with the same version it goes on, with another one it goes there"
        )

    def schema(self) -> str:
        """What has run on the database and what has not, as far as a shift can know."""
        if self.rollback:
            return "This run has changed nothing in the database"
        came = [f"{self.versions[color]} on {color}" for color in COLORS if self.back[color] and color in self.versions]
        before = " and ".join(came) or "the version before"
        return f"In the database expand has run, no contract of this release: {before} still fits it"


def within(seconds: float, act: Callable[[float], None]) -> Exception | None:
    """Try until it works, beginning nothing after so many seconds; the last error where it did not."""
    end = time.monotonic() + seconds
    while True:
        try:
            act(max(0.0, end - time.monotonic()))
        except Exception as error:  # whatever is wrong, the weights have to go back
            if time.monotonic() + PAUSE_SECONDS >= end:
                return error
            time.sleep(PAUSE_SECONDS)
        else:
            return None
