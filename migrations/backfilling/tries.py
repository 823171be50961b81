"""Statements of a backfill: tried again where a lock is refused, and told as errors of ours where they fail."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import psycopg

from migrations import server_errors
from migrations.backfilling.declaration import Declaration
from migrations.database import Connection, Say, is_lock_refusal, is_timeout
from migrations.errors import (
    LockNotObtainedError,
    MigrationError,
    OutOfTimeError,
    StatementFailedError,
    UnreachableError,
)
from migrations.locking.blockers import Lookout
from migrations.told import first_line
from migrations.told import told as in_words

KEPT = "what is filled stays filled, and the next run goes on there"
MEND = (
    "mend what the backfill declares, or the trigger or function that it runs, and release again: the file of a "
    "backfill that is not complete may be changed"
)
# SQLSTATEs that a row can cause: more than one row of a subquery, data, constraints, what a function or a trigger
# raises, a view's check, and a row that is too large for an index.
_OF_A_ROW = ("21", "22", "23", "38", "39", "44", "54000", "P0")
_PAUSE_SECONDS = (0.1, 5.0)
T = TypeVar("T")


class Tries:
    """Tries again what refuses a lock or ends in a deadlock, for `budget` seconds each time."""

    def __init__(self, connection: Connection, declared: Declaration, budget: float, say: Say) -> None:
        self._connection, self._declared, self._budget, self._say = connection, declared, budget, say

    def run(self, action: Callable[[], T], shrink: Callable[[], bool] = lambda: False) -> T:
        """What the action answers. `shrink` makes it smaller; False when it can't be. Raises psycopg.Error."""
        deadline, refused = time.monotonic() + self._budget, 0
        while True:
            try:
                return action()
            except psycopg.Error as error:
                smaller = shrink()
                if not is_lock_refusal(error) and not (is_timeout(error) and smaller):
                    raise
                if time.monotonic() >= deadline:
                    raise self._refused(error) from error
                refused += 1
                self._pause(refused, error)

    def _pause(self, refused: int, error: psycopg.Error) -> None:
        low, high = _PAUSE_SECONDS
        seconds = min(high, low * 2.0 ** min(refused - 1, 10))
        if seconds >= 1:
            self._say(f"refused {refused} times ({first_line(error)}), next try in {seconds:.1f} s")
        time.sleep(seconds)

    def _refused(self, error: psycopg.Error) -> LockNotObtainedError:
        found = Lookout(tables=(self._declared.regclass,), mode="ROW EXCLUSIVE").find(self._connection, 0)
        by = found[0].in_full() if found else first_line(error)
        return LockNotObtainedError(
            f"migrations: backfill {self._declared.name}: no batch got its locks within {self._budget:.0f} s: "
            f"{by}; {KEPT}; run again when that transaction has ended, or end it"
        )


@contextmanager
def told(declared: Declaration) -> Iterator[None]:
    """Failures of the database as errors of ours. A value that is in a server's message never gets out."""
    try:
        yield
    except MigrationError:
        raise
    except psycopg.Error as error:
        what = f"migrations: backfill {declared.name} ({declared.revision.file.name})"
        raise _failure(what, error, declared.revision.file.read_text()) from error


def _failure(what: str, error: psycopg.Error, own: str) -> MigrationError:
    if is_lock_refusal(error):
        return LockNotObtainedError(f"{what}: {first_line(error)}; {KEPT}; run again when the table is free")
    if is_timeout(error):
        return OutOfTimeError(f"{what}: {first_line(error)}; {KEPT}; make the limit longer or the batches smaller")
    if (advice := server_errors.refusal(error)) is not None:
        return StatementFailedError(f"{what}: {server_errors.named(error)}; {advice}, and release again; {KEPT}")
    if server_errors.lost(error):
        return UnreachableError(f"{what}: the connection was lost: {first_line(error)}; {KEPT}; run again")
    return StatementFailedError(f"{what} failed: {in_words(error, own)}; {KEPT}; {_advice(error)}")


def _advice(error: psycopg.Error) -> str:
    if (error.sqlstate or "").startswith(_OF_A_ROW):
        return (
            "the batch after `position` in schema_backfills holds the row; mend the backfill or the row, and release "
            "again"
        )
    return f"no row is the cause; {MEND}"
