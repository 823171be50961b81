"""Applies revisions, one transaction each.

`schema_history` says what is applied, and is written in each revision's own transaction. Alembic runs the revisions
and keeps its `alembic_version` in the same transaction. Alembic's own walk is not used: it refuses a database that
holds a revision it does not know, and an image that is older than the database's newest expand must still be able to
run its own.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy
from alembic.config import Config
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext, MigrationStep
from alembic.script import ScriptDirectory
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import StaticPool

from migrations import history
from migrations.database import Connection, Say, first_line, is_lock_refusal, is_timeout
from migrations.errors import BadTreeError, LockNotObtainedError, OutOfTimeError, StatementFailedError
from migrations.locks import Attempts
from migrations.settings import Settings
from migrations.tree import FOLDER, Revision

ALEMBIC_BRANCHES = ("expand", "contract")  # folders too; a backfill is not Alembic's
_TIMEOUT = re.compile(r"[1-9][0-9]{0,5}(ms|s|min)")
_DEFAULT_TIMEOUT = "30s"


def script_directory() -> ScriptDirectory:
    """Alembic's view of this tree."""
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.set_main_option("path_separator", "os")
    config.set_main_option("version_locations", ":".join(str(FOLDER / phase) for phase in ALEMBIC_BRANCHES))
    return ScriptDirectory.from_config(config)


def apply(connection: Connection, todo: Sequence[Revision], settings: Settings, say: Say) -> list[str]:
    """Apply the revisions, all of one phase, in order; answers their names. Raises MigrationError."""
    scripts = script_directory()
    attempts = Attempts(budget=settings.lock_budget[todo[0].phase], say=say)
    done: list[str] = []
    for revision in todo:
        _require(connection, revision)
        started = time.monotonic()
        _apply_with_retries(connection, scripts, revision, settings, attempts)
        say(f"{revision.phase} {revision.revision} applied in {time.monotonic() - started:.2f} s")
        done.append(revision.revision)
    return done


def _require(connection: Connection, revision: Revision) -> None:
    applied = history.applied(connection)
    if missing := [name for name in revision.depends_on if name not in applied.all]:
        raise BadTreeError(
            f"migrations: {revision.phase} {revision.revision} needs {missing[0]}, which is not applied; "
            "run its phase first"
        )


def _apply_with_retries(
    connection: Connection, scripts: ScriptDirectory, revision: Revision, settings: Settings, attempts: Attempts
) -> None:
    tables = _tables(revision)
    while attempts.wait_for_blockers(connection, tables):
        _set_limits(connection, revision, attempts.lock_timeout)
        try:
            _apply_once(connection, scripts, revision, settings)
        except DBAPIError as error:
            if not is_lock_refusal(error.orig):
                raise _failure(revision, error) from error
            attempts.pause()
        else:
            return
    by = f": {attempts.last}" if attempts.last else ""
    raise LockNotObtainedError(
        f"migrations: {revision.phase} {revision.revision}: no lock on {', '.join(tables) or 'its tables'} within "
        f"{attempts.budget:.0f} s{by}; nothing of it was kept; run again when that transaction has ended, or end it"
    )


def _apply_once(connection: Connection, scripts: ScriptDirectory, revision: Revision, settings: Settings) -> None:
    started = time.monotonic()
    script = scripts.get_revision(revision.revision)

    def steps(_heads: Any, _context: MigrationContext) -> Iterator[MigrationStep]:
        yield MigrationStep.upgrade_from_script(scripts.revision_map, script)

    def record(**_: Any) -> None:
        history.record(connection, revision, settings, time.monotonic() - started)

    with _as_sqlalchemy(connection) as wrapped:
        context = MigrationContext.configure(
            wrapped,
            opts={"fn": steps, "transaction_per_migration": True, "on_version_apply": (record,), "script": scripts},
        )
        with Operations.context(context):
            context.run_migrations()


@contextmanager
def _as_sqlalchemy(connection: Connection) -> Iterator[sqlalchemy.Connection]:
    """The same session, as Alembic wants it: SQLAlchemy begins and ends the transactions while this is open."""
    engine = sqlalchemy.create_engine(
        "postgresql+psycopg://",
        creator=lambda: connection,
        poolclass=StaticPool,
        # Values never reach a message or a log: an error's text would carry the parameters else.
        hide_parameters=True,
    )
    connection.autocommit = False
    wrapped = engine.connect()
    try:
        yield wrapped
    finally:
        # Rolls back what a failed revision left open. Closed by hand: SQLAlchemy resets the session when it lets go of
        # it, which must not happen at some later time. The pool never closes the session itself.
        wrapped.close()
        if not connection.closed:
            connection.autocommit = True


def _set_limits(connection: Connection, revision: Revision, lock_timeout: float) -> None:
    """For the session and not the transaction: a revision may end its transaction in an autocommit block."""
    statement = str(revision.settings.get("statement_timeout", _DEFAULT_TIMEOUT))
    if not _TIMEOUT.fullmatch(statement):
        raise BadTreeError(
            f'migrations: {revision.file.name} has statement_timeout {statement!r}, expected such as "30s" or "5min"'
        )
    connection.execute(
        "SELECT set_config('lock_timeout', %s, false), set_config('statement_timeout', %s, false)",
        (f"{lock_timeout * 1000:.0f}ms", statement),
    )


def _tables(revision: Revision) -> tuple[str, ...]:
    """The tables a revision says it locks; without the constant it relies on the short lock_timeout alone."""
    named = revision.settings.get("tables", ())
    if not isinstance(named, tuple) or not all(isinstance(name, str) for name in named):
        raise BadTreeError(f"migrations: {revision.file.name} has tables {named!r}, expected a tuple of names")
    return named


def _failure(revision: Revision, error: DBAPIError) -> Exception:
    what = f"migrations: {revision.phase} {revision.revision} ({revision.file.name})"
    reason = first_line(error.orig or error)
    if is_timeout(error.orig):
        limit = revision.settings.get("statement_timeout", _DEFAULT_TIMEOUT)
        return OutOfTimeError(
            f"{what}: {reason}, its limit is {limit}; nothing of its transaction was kept; "
            "make the statement smaller or set statement_timeout in the revision"
        )
    return StatementFailedError(
        f"{what} failed: {type(error.orig).__name__}: {reason}; nothing of its transaction was kept; "
        "mend the revision and release again"
    )
