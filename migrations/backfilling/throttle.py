"""Holds a backfill back while the database has better things to do.

Between two batches it always rests, so that a share of the time is left to customers. It stops altogether while one
of these is over its limit, and says which: a cheap read takes much longer than usual, a commit does, a replica lags
behind, or many sessions are at work. What is usual is measured, by this run and on this database, not set: when reads
stay slow although the backfill has stopped, it was not the backfill, and what they take now is the new measure.
"""

from __future__ import annotations

import statistics
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from migrations.backfilling.settings import BackfillSettings
from migrations.database import Connection, Say

RECENT = 40  # samples that are judged: two seconds of the sampler
_FEWEST = 10  # fewer samples say nothing
_LOOK_SECONDS = 0.5
_HOLD_SECONDS = (0.25, 5.0)  # between two looks while held back: first and longest
_SAY_SECONDS = 5.0
_SAY_GROWTH = 0.1
_NEW_MEASURE_SECONDS = 10.0
_LONGEST_REST = 1.0


class Latency:
    """How long something takes, compared with how long it usually takes. Samples may come from another thread."""

    def __init__(self, name: str, settings: BackfillSettings, first: int = _FEWEST) -> None:
        """The first so many samples make what is usual."""
        self.name = name
        self._first = first
        self._factor = settings.latency_percent / 100
        self._slack = settings.latency_slack_milliseconds / 1000
        self._recent: deque[float] = deque(maxlen=RECENT)
        self._usual: float | None = None

    @property
    def judged(self) -> bool:
        """False where the settings switch it off."""
        return bool(self._factor)

    def add(self, seconds: float) -> None:
        """One sample."""
        self._recent.append(seconds)
        if self._usual is None and len(self._recent) >= self._first:
            self._usual = self._level()

    def forget(self) -> None:
        """Judge only what comes from now on."""
        self._recent.clear()

    def measure_anew(self) -> bool:
        """What is seen now is usual from here on; False where too little was seen."""
        if len(self._recent) < _FEWEST:
            return False
        self._usual = self._level()
        return True

    def strain(self) -> str | None:
        """Why to hold back, or None."""
        if not self.judged or self._usual is None or len(self._recent) < _FEWEST:
            return None
        now = self._level()
        self._usual = min(self._usual, now)  # it began in a busy moment
        if now <= max(self._usual * self._factor, self._usual + self._slack):
            return None
        return f"{self.name} takes {now * 1000:.1f} ms, usually {self._usual * 1000:.1f} ms"

    def _level(self) -> float:
        """The upper fifth: the median hides the requests that suffer, the maximum is chance."""
        return statistics.quantiles(list(self._recent), n=5)[-1]


_LAG = """
SELECT application_name, extract(epoch FROM replay_lag)::float8
FROM pg_stat_replication WHERE replay_lag IS NOT NULL ORDER BY replay_lag DESC LIMIT 1
"""
# What other roles' sessions do is hidden from a role without pg_read_all_stats. Locks are not: who is in a statement
# holds the one of its own transaction.
_ACTIVE = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND application_name <> current_setting('application_name')
  AND (state = 'active' AND backend_type = 'client backend'
       OR backend_type IS NULL AND pid IN (SELECT pid FROM pg_locks WHERE locktype = 'virtualxid' AND granted))
"""
_HIDDEN = """
SELECT current_user, EXISTS (SELECT FROM pg_stat_replication)
WHERE NOT pg_has_role('pg_read_all_stats', 'USAGE')
"""


def replica_lag(connection: Connection, limit: float) -> str | None:
    """Why to hold back, or None: also where there is no replica, or this role may not see it."""
    row = connection.execute(_LAG).fetchone() if limit else None
    if row is None or row[1] <= limit:
        return None
    return f"replica {row[0] or 'without a name'} is {row[1]:.1f} s behind, expected at most {limit:g} s"


def active_sessions(connection: Connection, limit: int) -> str | None:
    """Why to hold back, or None."""
    row = connection.execute(_ACTIVE).fetchone() if limit else None
    if row is None or row[0] <= limit:
        return None
    return f"{row[0]} sessions are in a statement, expected at most {limit}"


def blind_spots(connection: Connection, settings: BackfillSettings) -> list[str]:
    """What the limits cannot see for want of a right, and which."""
    row = connection.execute(_HIDDEN).fetchone()
    if row is None:
        return []
    right = f"GRANT pg_read_all_stats TO {row[0]}"
    spots = []
    if settings.active_sessions:
        spots.append(
            "what other roles' sessions do is hidden from this role: each of them in a transaction counts as one in a "
            f"statement; {right} shows it"
        )
    if settings.replica_lag_seconds and row[1]:
        spots.append(
            f"how far replicas are behind is hidden from this role, so nothing waits for them; {right} shows it"
        )
    return spots


@dataclass(kw_only=True)
class Throttle:
    """Called after each batch. `clock` and `sleep` are handed in by tests."""

    settings: BackfillSettings
    probes: Sequence[Callable[[], str | None]]
    latencies: Sequence[Latency]
    say: Say
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    held_seconds: float = 0.0
    reason: str = ""  # of the latest hold
    _looked: float = field(default=float("-inf"))
    _said: float = field(default=float("-inf"))

    def after(self, batch_seconds: float) -> None:
        """Rest in proportion to the batch; hold back for as long as there is a reason to."""
        rest = batch_seconds * (100 / self.settings.share_percent - 1)
        if rest > 0:
            self.sleep(min(rest, _LONGEST_REST))
        if self.clock() - self._looked < _LOOK_SECONDS:
            return
        self._looked = self.clock()
        if reason := self.strain():
            self._hold(reason)

    def strain(self) -> str | None:
        """The first reason to hold back, or None."""
        looks = [*self.probes, *(latency.strain for latency in self.latencies)]
        return next((reason for look in looks if (reason := look())), None)

    def _hold(self, reason: str | None) -> None:
        began = measured = self.clock()
        pause, longest = _HOLD_SECONDS
        for latency in self.latencies:
            latency.forget()  # from here on nothing of the backfill runs
        while reason:
            self.reason = reason
            self._tell(f"holding back: {reason}", self.clock() - began)
            self.sleep(pause)
            pause = min(longest, pause * 1.5)
            if self.clock() - measured >= _NEW_MEASURE_SECONDS:
                measured = self.clock()
                self._measure_anew()
            reason = self.strain()
        self.held_seconds += self.clock() - began
        self._looked = self.clock()

    def _measure_anew(self) -> None:
        for latency in self.latencies:
            if (reason := latency.strain()) and latency.measure_anew():
                self.say(f"{reason}, also while the backfill rests: not its doing, taken as usual from here on")

    def _tell(self, line: str, held: float) -> None:
        # The longer it lasts the rarer: a hold of hours must not fill the log.
        if self.clock() - self._said >= max(_SAY_SECONDS, held * _SAY_GROWTH):
            self._said = self.clock()
            self.say(line)
