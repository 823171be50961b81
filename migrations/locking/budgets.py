"""How long a run may take, and how much of that may go into waiting for locks.

The one rule: the release ends a task after `timeoutSeconds`, and tells the task how many seconds are left of them when
it asks for it (MIGRATION_TASK_SECONDS). A margin is for the container to start and for the run to say how it ended; the
rest is the time of the phase. At most four fifths of it may be waiting for locks, so that a run gives up by itself,
naming who is in the way, before anybody ends it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from app import settings as service
from migrations.revision_file import Phase

# In all, for taking the locks of one phase; a contract has nobody waiting for it.
LOCK_SECONDS: Final[Mapping[Phase, int]] = {"expand": 180, "contract": 600, "backfill": 600}
_LOCK_SHARE: Final = 0.8
_TASK_SECONDS: Final = 3600  # by hand, outside a release
_MARGIN_SHARE: Final = 0.2
_MARGIN_SECONDS: Final = (2.0, 60.0)
_GRACE_SHARE: Final = 0.25  # of the margin


@dataclass(frozen=True, kw_only=True)
class Budgets:
    """Times in seconds. They count from when this was made, at the start of the command."""

    phase: float = _TASK_SECONDS
    lock: Mapping[Phase, float] = field(default_factory=lambda: dict(LOCK_SECONDS))
    lock_timeout: float = 0.1  # of the first try
    longest_lock_timeout: float = 1.0  # it doubles with each refusal, up to this
    grace: float = 15.0  # after it, for a run to say how it ended; then it is ended whatever it does
    told: bool = False  # somebody ends the task when its time is over
    began: float = field(default_factory=time.monotonic)

    @property
    def of_backfills(self) -> Budgets:
        """A backfill takes as long as it takes where nobody ends its task."""
        return self if self.told else replace(self, phase=math.inf)

    @property
    def until(self) -> float:
        """When the time of the phase is over, by the monotonic clock."""
        return self.began + self.phase


def budgets(environment: Mapping[str, str]) -> Budgets:
    """The budgets of this environment. Raises app.settings.SettingsError."""
    task = service.number(environment, "MIGRATION_TASK_SECONDS", _TASK_SECONDS, 1, 864_000)
    low, high = _MARGIN_SECONDS
    margin = min(max(task * _MARGIN_SHARE, low), high, task / 2)
    phase = task - margin
    first = service.number(environment, "MIGRATION_LOCK_TIMEOUT_MILLISECONDS", 100, 1, 60_000)
    return Budgets(
        phase=phase,
        grace=margin * _GRACE_SHARE,
        told="MIGRATION_TASK_SECONDS" in environment,
        lock={
            name: min(
                service.number(environment, "MIGRATION_LOCK_BUDGET_SECONDS", seconds, 1, 86_400), phase * _LOCK_SHARE
            )
            for name, seconds in LOCK_SECONDS.items()
        },
        lock_timeout=first / 1000,
        longest_lock_timeout=service.number(
            environment, "MIGRATION_LOCK_TIMEOUT_MAX_MILLISECONDS", max(1000, first), first, 60_000
        )
        / 1000,
    )
