"""Backfills that are recorded as complete while rows are left: somebody wrote such rows later.

Looked for only where it matters, which is where a contract revision that is pending needs the backfill.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql

from migrations import rule, server_errors
from migrations.backfilling import record, run, taken
from migrations.backfilling.declaration import Declaration
from migrations.backfilling.settings import BackfillSettings
from migrations.database import Connection, Say, is_lock_refusal, is_timeout
from migrations.errors import StatementFailedError
from migrations.rule import Applied
from migrations.tree import Revision, Tree

# Without an index for `todo` the look reads the table up to the first such row, and where there is none, all of it.
_SECONDS = 2
_LIMITS = {"statement_timeout": f"{_SECONDS}s", "lock_timeout": "200ms", "max_parallel_workers_per_gather": "0"}


@dataclass(frozen=True, kw_only=True)
class Left:
    """What a look found, by name."""

    rows: Sequence[str] = ()  # rows are left
    unknown: Sequence[str] = ()  # not seen within the limits: the backfill counts them
    warnings: Sequence[str] = ()  # can't be asked, so that the backfill could not count either


@dataclass(frozen=True, kw_only=True)
class Seen:
    """Of one backfill. `rows` None: not seen, and `why`."""

    name: str
    rows: bool | None
    why: str = ""
    failed: bool = False  # not for want of time or a lock


def look(connection: Connection, tree: Tree, applied: Applied, say: Say) -> Left:
    """Is any row left? Bounded: a gate must not wait for the reading of a large table."""
    found = [see(connection, tree, applied, revision, say) for revision in _recorded(tree, applied)]
    for one in found:
        if one.rows:
            say(f"backfill {one.name} is recorded as complete, and rows are left: it is pending again")
        elif one.why:
            say(f"backfill {one.name}: {one.why}")
    return Left(
        rows=[one.name for one in found if one.rows],
        unknown=[one.name for one in found if one.rows is None and not one.failed],
        warnings=[f"backfill {one.name}: {one.why}" for one in found if one.failed],
    )


def see(connection: Connection, tree: Tree, applied: Applied, revision: Revision, say: Say) -> Seen:
    """Is any row of one backfill left?"""
    name = revision.revision
    try:
        return Seen(name=name, rows=_any_row(connection, revision))
    except psycopg.Error as error:
        if server_errors.lost(error):
            raise
        if contract := taken.by_contract(tree, applied, revision, error):
            say(taken.told(revision, contract))
            return Seen(name=name, rows=False)
        if is_lock_refusal(error):
            why = "its table is locked, so whether rows are left was not seen; they are counted before the contract"
            return Seen(name=name, rows=None, why=why)
        if is_timeout(error):
            why = f"not seen within {_SECONDS} s whether rows are left; they are counted before the contract"
            return Seen(name=name, rows=None, why=why)
        return Seen(name=name, rows=None, why=taken.unasked(revision, error), failed=True)


def reopen(connection: Connection, tree: Tree, applied: Applied, own: BackfillSettings, say: Say) -> list[Revision]:
    """Those with rows left, counted now; they are on record as not complete then. Raises MigrationError."""
    opened = []
    for revision in _recorded(tree, applied):
        try:
            rows = run.left_or_taken(connection, tree, applied, revision, own, say)
        except StatementFailedError as error:
            if not taken.is_not_there(error.__cause__):
                raise
            say(str(error))  # the contract is refused by the same; the other backfills need not wait for it
            continue
        if rows:
            say(f"backfill {revision.revision} is recorded as complete, and {rows:,} rows are left: it goes on")
            record.reopen(connection, revision.revision, rows)
            opened.append(revision)
    return opened


def holding(connection: Connection, tree: Tree, applied: Applied, say: Say) -> Iterator[str]:
    """What the pending contract revisions wait for, a line each. Rows are looked for as `look` does, not counted."""
    by_name = {revision.revision: revision for revision in tree.backfill}
    needed = {
        name: one.revision for one in reversed(rule.pending(tree, applied, "contract")) for name in one.needs_backfills
    }
    for name in sorted(needed):
        what = f"contract {needed[name]} needs backfill {name}, which is"
        if missing := sorted(set(by_name[name].depends_on) - applied.all):
            yield f"{what} not complete: it needs {missing[0]}, which is not applied"
            continue
        found = see(connection, tree, applied, by_name[name], say)
        rows = {True: "rows are left", False: "no row is left, and its run has not said so"}.get(bool(found.rows))
        if name not in applied.backfill:
            yield f"{what} not complete: {found.why if found.rows is None else rows}"
        elif found.rows or found.failed:
            yield f"{what} recorded as complete: {found.why if found.rows is None else rows}"
        elif found.why:
            say(f"contract {needed[name]} needs backfill {name}: {found.why}")


def _recorded(tree: Tree, applied: Applied) -> list[Revision]:
    needed = {name for contract in rule.pending(tree, applied, "contract") for name in contract.needs_backfills}
    return [
        revision
        for revision in tree.backfill
        if revision.revision in needed & applied.backfill and applied.all >= set(revision.depends_on)
    ]


def _any_row(connection: Connection, revision: Revision) -> bool:
    declared = Declaration.of(revision)
    statement = sql.SQL("SELECT EXISTS (SELECT FROM {} WHERE {})").format(declared.table_sql, declared.todo_sql)
    with connection.transaction():
        for name, value in _LIMITS.items():
            connection.execute("SELECT set_config(%s, %s, true)", (name, value))
        row = connection.execute(statement).fetchone()
    return row is not None and bool(row[0])
