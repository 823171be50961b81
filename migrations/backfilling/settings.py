"""How a backfill behaves, from the environment of its task. All defaults are here; they were measured with
`make bench-schema`: a million rows under 300 requests a second.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from app import settings as service
from migrations.errors import SettingError


@dataclass(frozen=True, kw_only=True)
class BackfillSettings:
    """Each field's variable is MIGRATION_BACKFILL_ and its name; 0 switches a limit of the throttle off."""

    # What the filling of a batch is to take: for so long a customer may wait for a row of it, or for a processor.
    batch_milliseconds: int = 3
    batch_rows_least: int = 50
    batch_rows_most: int = 2_000
    share_percent: int = 25  # of the time, spent in batches; the rest is left to customers
    latency_percent: int = 300  # a cheap read, or a batch's commit, compared with what it usually takes
    latency_slack_milliseconds: int = 5  # and at least so much more than usual: jitter is no load
    replica_lag_seconds: int = 10
    active_sessions: int = 32  # sessions in a statement, this one not counted
    passes: int = 5  # rows that were locked in one pass are filled in a later one
    lock_timeout_milliseconds: int = 200  # for what SKIP LOCKED does not skip: the table's own lock, a foreign key
    count_seconds: int = 3_600  # limit of a statement that counts the rows left
    progress_seconds: int = 5  # between two lines, at least; the pauses grow with the time it takes
    service: str = ""  # MIGRATION_SERVICE: dimension of the metrics


RANGES: Mapping[str, tuple[int, int]] = {
    "batch_milliseconds": (1, 5_000),
    "batch_rows_least": (1, 100_000),
    "batch_rows_most": (1, 100_000),
    "share_percent": (1, 100),
    "latency_percent": (0, 100_000),
    "latency_slack_milliseconds": (0, 60_000),
    "replica_lag_seconds": (0, 86_400),
    "active_sessions": (0, 100_000),
    "passes": (1, 100),
    "lock_timeout_milliseconds": (1, 10_000),
    "count_seconds": (1, 86_400),
    "progress_seconds": (1, 3_600),
}


def load(environment: Mapping[str, str]) -> BackfillSettings:
    """The settings of this environment. Raises SettingError."""
    usual = BackfillSettings()
    try:
        found = {
            name: service.number(environment, f"MIGRATION_BACKFILL_{name.upper()}", getattr(usual, name), low, high)
            for name, (low, high) in RANGES.items()
        }
    except service.SettingsError as error:
        raise SettingError(f"migrations: {error}") from error
    if found["batch_rows_least"] > found["batch_rows_most"]:
        raise SettingError(
            f"migrations: MIGRATION_BACKFILL_BATCH_ROWS_LEAST is {found['batch_rows_least']}, expected at most "
            f"MIGRATION_BACKFILL_BATCH_ROWS_MOST, which is {found['batch_rows_most']}"
        )
    return BackfillSettings(**found, service=environment.get("MIGRATION_SERVICE", ""))
