"""How long a revision's statements may take and may wait: its own constants, else the settings of the run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from migrations import revision_limits
from migrations.database import Connection
from migrations.locking.blockers import STRONGEST
from migrations.revision_file import Revision
from migrations.settings import Settings

_DEFAULT_STATEMENT_TIMEOUT = 30.0


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Of one revision. Times in seconds."""

    tables: tuple[str, ...]  # `tables`: what it locks
    mode: str  # `lock_mode`: the strongest lock it takes on them
    lock_timeout: float  # `lock_timeout`: of the first try
    statement_timeout: float  # `statement_timeout`: of each statement, and of a pause between two
    outside_transaction: bool = False  # `outside_transaction`: what a try that failed has done may stay

    @classmethod
    def of(cls, revision: Revision, settings: Settings) -> Limits:
        """What the revision says; a constant that makes no sense has refused the tree when that was read."""
        own = revision.settings
        tables = own.get("tables")
        return cls(
            tables=tables if isinstance(tables, tuple) else (),
            mode=str(own.get("lock_mode", STRONGEST)),
            lock_timeout=revision_limits.seconds(own.get("lock_timeout")) or settings.budgets.lock_timeout,
            statement_timeout=revision_limits.seconds(own.get("statement_timeout")) or _DEFAULT_STATEMENT_TIMEOUT,
            outside_transaction=revision.outside_transaction,
        )

    def set(self, connection: Connection, lock_timeout: float) -> None:
        """For the session and not the transaction: a revision may end its transaction in an autocommit block."""
        connection.execute(
            "SELECT set_config('lock_timeout', %(lock)s, false), set_config('statement_timeout', %(statement)s, false),"
            " set_config('idle_in_transaction_session_timeout', %(statement)s, false)",
            {"lock": _text(lock_timeout), "statement": _text(self.statement_timeout)},
        )


_NAMES = ["lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout"]


@contextmanager
def restored(connection: Connection) -> Iterator[None]:
    """Give the session its own limits back at the end: what comes after a revision is not that revision's."""
    own = connection.execute("SELECT current_setting(name) FROM unnest(%s::text[]) AS own(name)", (_NAMES,)).fetchall()
    try:
        yield
    finally:
        if not connection.closed:
            connection.execute(
                "SELECT set_config(name, value, false) FROM unnest(%s::text[], %s::text[]) AS own(name, value)",
                (_NAMES, [row[0] for row in own]),
            )


def _text(seconds: float) -> str:
    return f"{max(1, round(seconds * 1000))}ms"
