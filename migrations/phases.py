"""Applies the pending revisions of expand or contract, with all that is looked at before and stored after."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg

from migrations import gate, history, outcome, rule, stamps
from migrations.backfilling import again, fit
from migrations.backfilling import settings as backfill_settings
from migrations.contracting import living, rows_since
from migrations.database import Connection, Say, connect
from migrations.errors import MigrationError
from migrations.locking.one_runner import one_runner
from migrations.outcome import Result
from migrations.settings import Settings
from migrations.structures import drift
from migrations.tree import Phase, Revision, Tree, read_tree

# Of the time for taking locks: reading the structure takes the weakest one, which only a table locked alone refuses.
_READ_SHARE = 0.25


def apply(phase: Phase, settings: Settings, say: Say) -> Result:
    """Apply what is pending. Raises MigrationError."""
    tree = read_tree()
    refuse = drift.refuse_of(os.environ)
    started = time.monotonic()
    with connect(settings, say) as connection, one_runner(connection, settings, say):
        todo = prepare(phase, connection, tree, settings, say)
        looked = drift.look(connection, settings.lock_budget[phase] * _READ_SHARE if todo else 0, say)
        seen = [*looked.lines(), *stamps.odd(connection, tree)]
        for line in (*seen, *looked.notes()):
            say(line)
        if todo:
            drift.require_none(looked, refuse, phase)
            with _stored_anyway(connection, settings, todo):
                _apply(connection, tree, todo, settings, say)
        else:
            say(f"{phase}: nothing to do")
            stamps.mend(connection, tree)
        history.record_version(connection, settings.version, tree)
        live = looked.live
        # Also where a run before this one was killed between its last revision and this line.
        if todo or not looked.comparable:
            live = drift.store(connection, settings.version)
            if live is None:
                say("the structure was not stored, a table is locked for another session alone: drift is not told next")
        applied = [revision.revision for revision in todo]
        left, warnings = again.Left(), seen
        if phase == "expand":
            have = history.applied(connection)
            warnings += fit.require(connection, rule.pending(tree, have, "backfill"), applied, say)
            left = again.look(connection, tree, have, say)
        result = outcome.of(phase, connection, settings, tree, applied, [*warnings, *left.warnings], live, left)
    return {**result, "seconds": round(time.monotonic() - started, 3)}


def prepare(phase: Phase, connection: Connection, tree: Tree, settings: Settings, say: Say) -> list[Revision]:
    """What is pending, after all that must hold before any phase; the runner's own tables are there then.

    Raises MigrationError, with nothing changed.
    """
    gate.require_servable(connection, tree, settings.version, phase)
    gate.require_adopted(connection, phase)
    gate.require_unedited(connection, tree, phase)
    applied = history.applied(connection)
    todo = rule.pending(tree, applied, phase)
    gate.require_needs(todo, applied.all)
    # The gate looks at the backfills too: they run behind the shift, where a refusal comes too late.
    _require_linted(tree, [*todo, *(rule.pending(tree, applied, "backfill") if phase == "expand" else [])], say)
    history.ensure(connection)
    return todo


@contextmanager
def _stored_anyway(connection: Connection, settings: Settings, todo: list[Revision]) -> Iterator[None]:
    """Where a revision fails after others were applied, the next run must have what they left to compare with."""
    try:
        yield
    except MigrationError:
        with suppress(psycopg.Error):
            if history.applied(connection).all & {revision.revision for revision in todo}:
                drift.store(connection, settings.version)
        raise


def _require_linted(tree: Tree, todo: list[Revision], say: Say) -> None:
    """What is pending must be fit for its phase. Raises LintRefusedError."""
    if not todo:
        return
    from migrations.linting import lint, offline

    linted = lint.lint(tree, todo)
    for line in offline.told(linted):
        say(line)
    lint.require_clean(linted)


def _apply(connection: Connection, tree: Tree, todo: list[Revision], settings: Settings, say: Say) -> None:
    contract = todo[0].phase == "contract"
    if contract:
        from migrations.backfilling import run as backfills

        # First: to count the rows may take long.
        living.require_none(connection, todo, settings, tree)
        backfills.require_complete(connection, tree, todo, backfill_settings.load(os.environ), say)
        # Before the first of them: where a later one fails, this may be the only version that can serve.
        history.record_version(connection, settings.version, tree)
    # Alembic and SQLAlchemy take a second to load: only a run that applies something pays for it.
    from migrations import runner

    stamps.mend(connection, tree)

    def look_again(revision: Revision) -> None:
        """What came while the run waited for a lock is as much in the way: an old version, a row to fill."""
        if contract:
            living.require_none(connection, [revision], settings, tree)
            rows_since.require_none(connection, revision, tree, say)

    runner.apply(connection, todo, settings, say, look_again)
