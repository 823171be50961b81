"""How long a revision's statements may take and may wait: its own constants, else the settings of the run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from migrations.database import Connection
from migrations.errors import BadTreeError
from migrations.locking.blockers import CONFLICTS, STRONGEST
from migrations.revision_file import Revision
from migrations.settings import Settings

_TIME = re.compile(r"([1-9][0-9]{0,5})(ms|s|min)")
_MILLISECONDS = {"ms": 1, "s": 1000, "min": 60_000}
_DEFAULT_STATEMENT_TIMEOUT = "30s"


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Of one revision. Times in seconds."""

    tables: tuple[str, ...]  # `tables`: what it locks
    mode: str  # `lock_mode`: the strongest lock it takes on them
    lock_timeout: float  # `lock_timeout`: of the first try
    statement_timeout: float  # `statement_timeout`: of each statement, and of a pause between two

    @classmethod
    def of(cls, revision: Revision, settings: Settings) -> Limits:
        """Raises BadTreeError where a constant makes no sense."""
        own = revision.settings
        tables = own.get("tables", ())
        if not isinstance(tables, tuple) or not all(isinstance(name, str) for name in tables):
            raise _wrong(revision, "tables", 'a tuple of names, such as ("orders",)')
        mode = own.get("lock_mode", STRONGEST)
        if mode not in CONFLICTS:
            raise _wrong(revision, "lock_mode", f"one of {', '.join(CONFLICTS)}")
        return cls(
            tables=tables,
            mode=str(mode),
            lock_timeout=_seconds(revision, "lock_timeout", f"{settings.budgets.lock_timeout * 1000:.0f}ms"),
            statement_timeout=_seconds(revision, "statement_timeout", _DEFAULT_STATEMENT_TIMEOUT),
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


def _seconds(revision: Revision, name: str, default: str) -> float:
    value = revision.settings.get(name, default)
    found = _TIME.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise _wrong(revision, name, 'such as "100ms", "30s" or "5min"')
    return int(found.group(1)) * _MILLISECONDS[found.group(2)] / 1000


def _wrong(revision: Revision, name: str, expected: str) -> BadTreeError:
    found = revision.settings.get(name)
    return BadTreeError(f"migrations: {revision.file.name} has {name} {found!r}, expected {expected}")
