"""Taking a table's lock without making the service wait.

A statement that waits for a table makes everybody queue behind it. So the runner looks first: while a transaction that
began some time ago is in the way, it does not even try. Then it tries with a short lock_timeout, under watch. Each
phase has two budgets: one for all its waiting for locks, and a larger one for everything it does.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

import psycopg
from sqlalchemy.exc import DBAPIError

from migrations.database import Connection, Say, is_lock_refusal, is_timeout
from migrations.errors import LockNotObtainedError, OutOfTimeError
from migrations.locking.blockers import Blocker, Lookout
from migrations.locking.limits import Limits, restored
from migrations.locking.watch import Watch
from migrations.told import cause_of

LOOK_AGE_SECONDS = 0.2  # a transaction younger than this is passing by and will be gone at once
# A table that always has some transaction of this age, never the same for long, is passed through, not held: after so
# many seconds a transaction counts as old only when it outlives the longest lock_timeout.
PATIENCE_SECONDS = 10.0
_PAUSE_SECONDS = (1.0, 60.0)
_LOOK_AGAIN_SECONDS = 0.25
_SAY_EVERY_SECONDS = 5.0
_KEPT = {
    False: "nothing of it was kept",
    True: "what its statements did outside a transaction may be there in part, and the next run goes on from there",
}


@dataclass(kw_only=True)
class Tries:
    """The tries of one phase. `clock`, `sleep` and `jitter` are handed in by tests."""

    budget: float  # seconds of waiting for locks, in all
    longest: float  # lock_timeout never grows beyond it, in seconds
    until: float  # when the time of the phase is over, by the clock
    watch: Watch
    say: Say
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = random.random
    last: Blocker | None = None
    refused: int = 0
    waited: float = 0.0  # by the revisions that are through

    def __post_init__(self) -> None:
        self._began = self.clock()
        self._said = float("-inf")

    @property
    def left(self) -> float:
        """Seconds left of the budget for locks, within the time of the phase."""
        now = self.clock()
        return min(self.budget - self.waited - (now - self._began), self.until - now)

    def run(self, connection: Connection, what: str, limits: Limits, attempt: Callable[[], None]) -> None:
        """Call `attempt` until it got its locks; what it raises for another reason is raised as it is.

        Raises LockNotObtainedError, OutOfTimeError.
        """
        with restored(connection):
            self._run(connection, what, limits, attempt)

    def _run(self, connection: Connection, what: str, limits: Limits, attempt: Callable[[], None]) -> None:
        self._began, self.refused, self.last = self.clock(), 0, None
        lookout = Lookout(tables=limits.tables, mode=limits.mode, clock=self.clock, sleep=self.sleep)
        while self._wait_for_blockers(connection, lookout):
            began = self.clock()
            limits.set(connection, self.lock_timeout(limits.lock_timeout))
            try:
                with self.watch.over(lookout, self._age, self.until):
                    attempt()
            except (DBAPIError, psycopg.Error) as error:
                self._judge(connection, what, limits, lookout, error)
            else:
                self.waited += began - self._began
                return
        raise self._given_up(what, limits)

    def lock_timeout(self, first: float) -> float:
        """Seconds for the next try: short first, doubled with each refusal."""
        return max(min(self.longest, first * 2.0 ** min(self.refused, 20)), 0.001)

    @property
    def _age(self) -> float:
        """What makes a transaction old, now."""
        patient = self.clock() - self._began < PATIENCE_SECONDS
        return LOOK_AGE_SECONDS if patient else max(LOOK_AGE_SECONDS, self.longest)

    def _wait_for_blockers(self, connection: Connection, lookout: Lookout) -> bool:
        """Wait until nobody is in the way; False when the budget is spent."""
        while found := lookout.find_surely(connection, self._age):
            self.last = found[0]
            if self.left <= 0:
                return False
            if self.clock() - self._said >= _SAY_EVERY_SECONDS:
                self._said = self.clock()
                others = f" and {len(found) - 1} more" if len(found) > 1 else ""
                self.say(f"not queueing for {self.last.table}: {self.last}{others}; {self.left:.0f} s left")
            self.sleep(min(_LOOK_AGAIN_SECONDS, max(self.left, 0.01)))
        return self.left > 0

    def _judge(self, connection: Connection, what: str, limits: Limits, lookout: Lookout, error: Exception) -> None:
        """Return where another try makes sense, else raise."""
        cause = cause_of(error)
        if self.watch.overdue and is_timeout(cause):
            raise self._out_of_time(what, limits, lookout.lately_behind) from error
        withdrawn = self.watch.withdrawn and is_timeout(cause)
        if not withdrawn and is_timeout(cause) and (behind := lookout.lately_behind) is not None:
            raise LockNotObtainedError(
                f"{what}: a statement waited until it was canceled (its limit is {limits.statement_timeout:g} s): "
                f"{behind.in_full()}; {_KEPT[limits.outside_transaction]}; run again when that transaction has ended"
            ) from error
        if not withdrawn and not is_lock_refusal(cause):
            raise error
        self.refused += 1
        # Who was in the way may be gone by the time that the budget is: looked up while it is fresh.
        if lookout.behind is not None:
            self.last = lookout.behind
        elif found := lookout.find(connection, 0):
            self.last = found[0]
        told = f": {self.last}" if self.last else ""
        if withdrawn:
            self.say(f"try {self.refused} withdrawn so that nobody waits behind it{told}; {self.left:.0f} s left")
            return
        low, high = _PAUSE_SECONDS
        seconds = min(high, low * 2.0 ** min(self.refused - 1, 10)) * (0.5 + self.jitter() / 2)
        seconds = min(max(seconds, low), max(self.left, 0))
        self.say(f"lock not obtained in try {self.refused}{told}; next try in {seconds:.1f} s, {self.left:.0f} s left")
        self.sleep(seconds)

    def _given_up(self, what: str, limits: Limits) -> Exception:
        if self.last is None and not self.refused:  # the time went into what was applied before
            return self._out_of_time(what, limits)
        kept = _KEPT[limits.outside_transaction]
        needed = ", ".join(limits.tables) or "the tables it needs"
        if self.last is not None and not self.last.has_table:
            needed = "what it needs"
        waited = self.waited + self.clock() - self._began
        who, then = "nobody was seen in the way", "run again"
        if self.last is not None:
            who, then = self.last.in_full(), "run again when that transaction has ended"
        return LockNotObtainedError(
            f"{what}: no lock on {needed} in {waited:.0f} s (of {self.budget:.0f} s for the locks of the phase) and "
            f"{self.refused} tries: {who}; {kept}; {then}"
        )

    def _out_of_time(self, what: str, limits: Limits, behind: Blocker | None = None) -> Exception:
        waits = f" while it waited: {behind.in_full()}" if behind else ""
        return OutOfTimeError(
            f"{what}: the time of the whole phase is over{waits}; {_KEPT[limits.outside_transaction]}, what was "
            "applied before it stays; run again, or give it more time (timeoutSeconds)"
        )
