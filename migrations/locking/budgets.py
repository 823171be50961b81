"""How long a run may take, and how much of that may go into waiting for locks.

The one rule: the release ends a task after `timeoutSeconds`, and tells the task how many seconds are left of them when
it asks for it (MIGRATION_TASK_SECONDS). A margin is for the container to start and for the run to say how it ended; the
rest is the time of the phase. At most four fifths of it may be waiting for locks, so that a run gives up by itself,
naming who is in the way, before anybody ends it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from app import settings as service
from migrations.revision_file import Phase

# In all, for taking the locks of one phase; a contract has nobody waiting for it.
LOCK_SECONDS: Final[Mapping[Phase, int]] = {"expand": 180, "contract": 600, "backfill": 600}
_LOCK_SHARE: Final = 0.8
_TASK_SECONDS: Final = 3600  # by hand, outside a release
_MARGIN_SHARE: Final = 0.2
_MARGIN_SECONDS: Final = (2.0, 60.0)


@dataclass(frozen=True, kw_only=True)
class Budgets:
    """Times in seconds. They count from when this was made, at the start of the command."""

    phase: float = _TASK_SECONDS
    lock: Mapping[Phase, float] = field(default_factory=lambda: dict(LOCK_SECONDS))
    lock_timeout: float = 0.1  # of the first try
    longest_lock_timeout: float = 1.0  # it doubles with each refusal, up to this
    began: float = field(default_factory=time.monotonic)

    @property
    def until(self) -> float:
        """When the time of the phase is over, by the monotonic clock."""
        return self.began + self.phase


def budgets(environment: Mapping[str, str]) -> Budgets:
    """The budgets of this environment. Raises app.settings.SettingsError."""
    task = service.number(environment, "MIGRATION_TASK_SECONDS", _TASK_SECONDS, 1, 864_000)
    low, high = _MARGIN_SECONDS
    phase = task - min(max(task * _MARGIN_SHARE, low), high, task / 2)
    first = service.number(environment, "MIGRATION_LOCK_TIMEOUT_MILLISECONDS", 100, 1, 60_000)
    return Budgets(
        phase=phase,
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
