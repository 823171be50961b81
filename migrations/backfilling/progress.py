"""How far a backfill is: a line for people, and one for CloudWatch in its embedded metric format.

CloudWatch Logs makes metrics of such a line whoever brought it, so also of one that the awslogs driver did. No library
and no right beyond writing logs is needed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from migrations.database import Say

NAMESPACE = "Bluegreen"
# name in the line, unit
_METRICS = (
    ("BackfillRows", "Count"),
    ("BackfillRowsPerSecond", "Count/Second"),
    ("BackfillPercent", "Percent"),
    ("BackfillSecondsLeft", "Seconds"),
    ("BackfillHeldBackSeconds", "Seconds"),
)
_GROWTH = 0.03  # a backfill of hours must not fill the log: the pause between two lines is this share of its time


@dataclass(kw_only=True)
class Progress:
    """Of one backfill in one run. `done` counts what earlier runs did, too."""

    name: str
    total: int
    done: int
    say: Say
    every: float
    service: str
    clock: Callable[[], float] = time.monotonic
    now: Callable[[], float] = time.time
    held_seconds: float = 0.0
    _began: float = field(init=False)
    _told_at: float = field(init=False)
    _told_rows: int = field(init=False)
    _told_held: float = 0.0

    def __post_init__(self) -> None:
        self._began = self._told_at = self.clock()
        self._first = self._told_rows = self.done

    @property
    def seconds(self) -> float:
        """Of this run."""
        return self.clock() - self._began

    @property
    def rows(self) -> int:
        """Filled by this run."""
        return self.done - self._first

    @property
    def rows_per_second(self) -> float:
        """Of this run."""
        return self.rows / max(self.seconds, 1e-6)

    @property
    def percent(self) -> float:
        """100 only for what was counted as complete: see `finish`."""
        return min(99.9, 100 * self.done / self.total) if self.total else 0.0

    def add(self, rows: int, held_seconds: float) -> None:
        """After a batch; says something when it is time to."""
        self.done += rows
        self.held_seconds = held_seconds
        if self.clock() - self._told_at >= max(self.every, self.seconds * _GROWTH):
            self._tell(self.percent)

    def finish(self) -> None:
        """The count says 0."""
        self._tell(100.0)

    def _tell(self, percent: float) -> None:
        elapsed = max(self.clock() - self._told_at, 1e-6)
        speed = (self.done - self._told_rows) / elapsed
        left = 0 if percent == 100 else max(0, self.total - self.done)
        seconds_left = left / speed if speed else None
        parts = [f"{self.done:,} of {max(self.total, self.done):,} rows, {percent:.1f} %", f"{speed:,.0f} rows/s"]
        if percent < 100:
            parts.append(f"about {_time(seconds_left)} left" if seconds_left is not None else "no end in sight")
        if self.held_seconds:
            parts.append(f"held back {self.held_seconds:.0f} s")
        self.say(f"backfill {self.name}: {', '.join(parts)}")
        values = (self.done - self._told_rows, speed, percent, seconds_left, self.held_seconds - self._told_held)
        self._metrics(values)
        self._told_at, self._told_rows, self._told_held = self.clock(), self.done, self.held_seconds

    def _metrics(self, values: tuple[float | None, ...]) -> None:
        known = {name: (unit, value) for (name, unit), value in zip(_METRICS, values, strict=True) if value is not None}
        about = {
            "Namespace": NAMESPACE,
            "Dimensions": [["Service", "Revision"]],
            "Metrics": [{"Name": name, "Unit": unit} for name, (unit, _) in known.items()],
        }
        self.say(
            json.dumps(
                {
                    "_aws": {"Timestamp": int(self.now() * 1000), "CloudWatchMetrics": [about]},
                    "Service": self.service or "migrations",
                    "Revision": self.name,
                    **{name: round(value, 3) for name, (_, value) in known.items()},
                }
            )
        )


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5_400 else f"{seconds / 3600:.1f} h"
