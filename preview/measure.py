"""Runs revisions on a scratch PostgreSQL that has the live structure, and looks at what each statement does.

The revision itself is run, as the gate would run it, so that statements are seen too which no offline rendering shows.
Each statement is committed by itself: so its own locks are seen, and not those of the statement before it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from psycopg.pq import TransactionStatus
from sqlalchemy import event
from sqlalchemy.pool import NullPool

from migrations.linting import squawk
from migrations.linting.own import NEVER_IN_TRANSACTION, never_in_transaction
from migrations.linting.sql import load
from migrations.revision_file import Revision
from migrations.told import without_rows
from preview import observe, watch
from preview.observe import Seen, Tables
from preview.scratch import Connection

STATEMENT_SECONDS = 30
_WRITER, _VACUUM_STOPPER = "ROW EXCLUSIVE", "SHARE UPDATE EXCLUSIVE"


@dataclass(kw_only=True)
class Ran:
    """One statement that was run.

    Attributes:
        sql: as the server got it.
        outside: it ran outside of a transaction.
        seen: None for one that failed.
    """

    sql: str
    outside: bool
    seen: Seen | None = None


@dataclass(kw_only=True)
class Run:
    """A revision that was run. `problem`: how it ended, where it did not run to its end; `state`: its SQLSTATE."""

    statements: list[Ran] = field(default_factory=list)
    problem: str = ""
    state: str = ""


def apply(connect: Callable[[], Connection], revision: Revision) -> str:
    """Run a revision without looking, to have its structure; answers its problem, or nothing."""
    return _run(connect, revision, None)[0]


def measure(connect: Callable[[], Connection], revision: Revision) -> Run:
    """Run a revision and look at each statement."""
    run = Run()
    with connect() as connection:
        there = Tables.of(connection)
    observer = _Observer(connect, there, run)
    run.problem, run.state = _run(connect, revision, observer)
    return run


def _run(connect: Callable[[], Connection], revision: Revision, observer: _Observer | None) -> tuple[str, str]:
    """Its problem and SQLSTATE; both are empty where it ran to its end."""
    engine = sqlalchemy.create_engine("postgresql+psycopg://", creator=_session(connect), poolclass=NullPool)
    try:
        with engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"transaction_per_migration": True})
            if observer:
                _one_by_one(context.impl)
                event.listen(engine, "before_cursor_execute", observer.before)
                event.listen(engine, "after_cursor_execute", observer.after)
            with Operations.context(context), context.begin_transaction(_per_migration=True):
                load(revision).upgrade()
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a SystemExit of the revision's too
        cause = error.orig if isinstance(error, sqlalchemy.exc.DBAPIError) and error.orig else error
        return f"{type(cause).__name__}: {without_rows(cause)}", getattr(cause, "sqlstate", None) or ""
    finally:
        if observer:
            observer.close()
        engine.dispose()
    return "", ""


def _session(connect: Callable[[], Connection]) -> Callable[[], Connection]:
    def open_one() -> Connection:
        connection = connect()
        connection.execute(f"SET statement_timeout = '{STATEMENT_SECONDS}s'".encode())
        connection.autocommit = False
        return connection

    return open_one


def _one_by_one(impl: Any) -> None:
    """Let each statement of an `op.execute` that holds several be run by itself, as the lint counts them."""
    whole = impl.execute

    def execute(statement: Any, *more: Any, **options: Any) -> None:
        parts = [statement]
        if isinstance(statement, str):
            parsed = squawk.parse(statement)
            parts = [node.text for node in parsed.statements] if not parsed.errors else parts
        for part in parts:
            whole(part, *more, **options)

    impl.execute = execute


class _Observer:
    """Called by SQLAlchemy around each statement, in the session that runs it."""

    def __init__(self, connect: Callable[[], Connection], there: Tables, run: Run) -> None:
        self._connect = connect
        self._there = there
        self._run = run
        self._before: observe.Before | None = None
        self._watched: watch.Watched | None = None
        self._watching: Any = None

    def before(self, connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        """Take the state, and be ready to look."""
        session: Connection = connection.connection.dbapi_connection
        text = statement if parameters else statement.replace("%%", "%")
        self._run.statements.append(Ran(sql=text.strip().rstrip(";"), outside=session.autocommit))
        kind = _alone(text) if session.autocommit else ""
        if not session.autocommit:
            session.commit()  # what the statement before it holds
        elif not kind:
            session.execute("BEGIN")  # it may run in a transaction, so its locks can be looked at when it is done
        self._before = observe.before(session, committed=bool(kind))
        if kind:
            self._watching = watch.watching(self._connect, session.info.backend_pid, kind)
            self._watched = self._watching.__enter__()

    def after(self, connection: Any, *_: Any) -> None:
        """Look, and let go."""
        session: Connection = connection.connection.dbapi_connection
        ran, earlier = self._run.statements[-1], self._before
        if earlier is None:
            return
        watched = self._watched
        self.close()
        held = watched.held if watched else observe.held(session, session.info.backend_pid)
        ran.seen = observe.after(session, earlier, self._there, held, committed=watched is not None)
        if session.autocommit and session.info.transaction_status == TransactionStatus.INTRANS:
            session.execute("COMMIT")

    def close(self) -> None:
        """Stop watching, also after a statement that failed."""
        watching, self._watching, self._watched = self._watching, None, None
        if watching is not None:
            watching.__exit__(None, None, None)


def _alone(statement: str) -> str:
    """The lock that holds up a statement which cannot run in a transaction; empty for one that can."""
    parsed = squawk.parse(statement)
    node = next((node for node in parsed.statements if never_in_transaction(node)), None)
    if node is None:
        return ""
    return _VACUUM_STOPPER if node.kind in NEVER_IN_TRANSACTION else _WRITER
