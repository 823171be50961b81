"""Applies revisions, one transaction each.

`schema_history` says what is applied, and is written in each revision's own transaction. Alembic runs the revisions
and keeps its `alembic_version` in the same transaction. Alembic's own walk is not used: it refuses a database that
holds a revision it does not know, and an image that is older than the database's newest expand must still be able to
run its own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
import sqlalchemy
from alembic.config import Config
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext, MigrationStep
from alembic.script import ScriptDirectory
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import StaticPool

from migrations import history, outside, server_errors
from migrations.database import Connection, Say, is_timeout
from migrations.errors import OutOfTimeError, StatementFailedError
from migrations.locking.limits import Limits
from migrations.locking.tries import Tries
from migrations.locking.watch import watching
from migrations.revision_code import blamed
from migrations.settings import Settings
from migrations.told import cause_of, first_line, line_in, told
from migrations.tree import FOLDER, Revision

ALEMBIC_BRANCHES = ("expand", "contract")  # folders too; a backfill is not Alembic's


def script_directory() -> ScriptDirectory:
    """Alembic's view of this tree."""
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.set_main_option("path_separator", "os")
    config.set_main_option("version_locations", ":".join(str(FOLDER / phase) for phase in ALEMBIC_BRANCHES))
    return ScriptDirectory.from_config(config)


def apply(
    connection: Connection,
    todo: Sequence[Revision],
    settings: Settings,
    say: Say,
    before: Callable[[Revision], None] = lambda _: None,
) -> list[str]:
    """Apply the revisions, all of one phase, in order; answers their names. Raises MigrationError.

    before: called right before each try of a revision; what it raises ends the run. A try may come minutes after the
    run began, when somebody was in the way.
    """
    scripts = script_directory()
    times = settings.budgets
    done: list[str] = []
    with watching(connection) as watch:
        tries = Tries(
            budget=times.lock[todo[0].phase],
            longest=times.longest_lock_timeout,
            until=times.until,
            watch=watch,
            say=say,
        )
        for revision in todo:
            started = time.monotonic()
            _apply_with_retries(connection, scripts, revision, settings, tries, before)
            say(f"{revision.phase} {revision.revision} applied in {time.monotonic() - started:.2f} s")
            done.append(revision.revision)
    return done


def _apply_with_retries(
    connection: Connection,
    scripts: ScriptDirectory,
    revision: Revision,
    settings: Settings,
    tries: Tries,
    before: Callable[[Revision], None],
) -> None:
    limits = Limits.of(revision, settings)
    what = f"migrations: {revision.phase} {revision.revision}"

    marked = False

    def attempt() -> None:
        nonlocal marked
        before(revision)
        # Not earlier: a contract's mark closes the way back, and a run that never got as far has removed nothing. Nor
        # is it taken back after a try that failed: what of it was committed is not known here.
        if revision.outside_transaction and not marked:
            outside.begin(connection, revision, settings, tries.say)
            marked = True
        _apply_once(connection, scripts, revision, settings, tries.say)

    try:
        tries.run(connection, what, limits, attempt)
    except (DBAPIError, psycopg.Error) as error:
        raise _failure(revision, limits, error) from error


def _apply_once(
    connection: Connection, scripts: ScriptDirectory, revision: Revision, settings: Settings, say: Say
) -> None:
    started = time.monotonic()
    with blamed(revision):  # it runs the top of each file
        script = scripts.get_revision(revision.revision)

    def steps(_heads: Any, _context: MigrationContext) -> Iterator[MigrationStep]:
        yield MigrationStep.upgrade_from_script(scripts.revision_map, script)

    def record(**_: Any) -> None:
        history.record(connection, revision, settings, time.monotonic() - started)

    with _as_sqlalchemy(connection) as wrapped:
        context = MigrationContext.configure(
            wrapped,
            opts={
                "fn": steps,
                "transaction_per_migration": True,
                "on_version_apply": (record,),
                "script": scripts,
                outside.OPTION: say,
            },
        )
        with Operations.context(context), blamed(revision):
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


def _failure(revision: Revision, limits: Limits, error: BaseException) -> Exception:
    what = f"migrations: {revision.phase} {revision.revision} ({revision.file.name}{line_in(revision.file, error)})"
    own = revision.file.read_text()
    cause = cause_of(error)
    kept = "nothing of its transaction was kept"
    if revision.outside_transaction:
        kept = "each of its statements that came to its end was kept, and the next run goes on from there"
    if is_timeout(cause) or isinstance(cause, server_errors.TRANSACTION_ENDED):
        return OutOfTimeError(
            f"{what}: {first_line(error, own)}, its limit is {limits.statement_timeout:g} s; {kept}; "
            "make the statement smaller or set statement_timeout in the revision"
        )
    advice = "mend the revision and release again"
    if isinstance(cause, psycopg.Error) and server_errors.hides_rows(cause):
        advice = f"{server_errors.refusal(cause)}, and release again"
    return StatementFailedError(f"{what} failed: {told(error, own)}; {kept}; {advice}")
