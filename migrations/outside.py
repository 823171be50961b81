"""How a revision runs outside a transaction: the mark that it was begun, and the session its operations run in.

Such a revision may be left half done. Its mark is committed right before its first try, when nobody is in the way any
more, and goes with the row of its history, so that the next run knows and can say so. What makes the next run right is
that each operation looks at what is there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy
from alembic import op

from migrations.database import Connection, Say
from migrations.revision_file import Revision
from migrations.settings import Settings

OPTION = "outside"  # in the options of Alembic's context: says progress; not there in a preview


@dataclass(kw_only=True)
class Session:
    """An operation's session. `connection` is None where SQL is only written down."""

    connection: Connection | None
    say: Say
    execute: Callable[[Any], Any]

    def finds(self, query: str, *values: str) -> bool:
        """Does the query answer a row? Without a database: no."""
        # Without values a % is a %.
        return self.connection is not None and self.connection.execute(query, values or None).fetchone() is not None

    def run(self, statement: str, *, patient: bool = False) -> None:
        """Run one statement, committed by itself.

        Args:
            patient: it may wait for its lock as long as a statement may take at all: its lock makes nobody wait who
                reads or writes rows.
        """
        before = self._lock_timeout("0") if patient else None
        # A colon would be a parameter's name else.
        self.execute(sqlalchemy.text(statement.replace(":", r"\:")))
        if before is not None:
            self._lock_timeout(before)

    def _lock_timeout(self, value: str) -> str | None:
        """Set it; answers what it was."""
        if self.connection is None:
            return None
        row = self.connection.execute("SHOW lock_timeout").fetchone()
        self.connection.execute("SELECT set_config('lock_timeout', %s, false)", (value,))
        return str(row[0]) if row else None


@contextmanager
def session() -> Iterator[Session]:
    """Outside of any transaction; what the revision did before is committed."""
    context = op.get_context()
    say: Say = context.opts.get(OPTION) or (lambda _: None)
    failure: BaseException | None = None
    try:
        with context.autocommit_block():
            bind = None if context.as_sql else op.get_bind()
            connection = None if bind is None else bind.connection.driver_connection
            try:
                yield Session(connection=connection, say=say, execute=op.execute)
            except BaseException as error:
                failure = error
                raise
    except BaseException as error:
        # Where the session has ended, Alembic's way out of the block fails too, and would hide why.
        raise failure or error from None


def begin(connection: Connection, revision: Revision, settings: Settings, say: Say) -> None:
    """Leave the revision's mark, committed. Says whose mark was there."""
    found = connection.execute(
        "SELECT runner, version, started_at FROM schema_marks WHERE revision = %s", (revision.revision,)
    ).fetchone()
    if found is not None:
        runner, version, started = str(found[0]), str(found[1]), found[2]
        say(
            f"{revision.phase} {revision.revision} was begun by {runner} of version {version} at {_time(started)} and "
            "did not come to its end: what is there is looked at, and the rest is done"
        )
    connection.execute(
        "INSERT INTO schema_marks (revision, version, runner, phase)"
        " VALUES (%s, %s, current_setting('application_name'), %s)"
        " ON CONFLICT (revision) DO UPDATE SET version = excluded.version, runner = excluded.runner,"
        " phase = excluded.phase, started_at = clock_timestamp()",
        (revision.revision, settings.version, revision.phase),
    )


def _time(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")
