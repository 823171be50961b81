"""Backfills that are recorded as complete while rows are left: somebody wrote such rows later.

Looked for only where it matters, which is where a contract revision that is pending needs the backfill.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql

from migrations import rule
from migrations.backfilling import record, run
from migrations.backfilling.declaration import Declaration
from migrations.backfilling.settings import BackfillSettings
from migrations.database import Connection, Say
from migrations.rule import Applied
from migrations.tree import Revision, Tree

# Without an index for `todo` the look reads the table up to the first such row, and where there is none, all of it.
_LOOK_LIMITS = {"statement_timeout": "2s", "lock_timeout": "200ms", "max_parallel_workers_per_gather": "0"}


@dataclass(frozen=True, kw_only=True)
class Left:
    """What a look found, by name."""

    rows: Sequence[str] = ()  # rows are left
    unknown: Sequence[str] = ()  # not seen within the limits


def look(connection: Connection, tree: Tree, applied: Applied, say: Say) -> Left:
    """Is any row left? Bounded: a gate must not wait for the reading of a large table."""
    found = {revision.revision: _any_row(connection, revision) for revision in _recorded(tree, applied)}
    left = Left(
        rows=[name for name, rows in found.items() if rows],
        unknown=[name for name, rows in found.items() if rows is None],
    )
    for name in left.rows:
        say(f"backfill {name} is recorded as complete, and rows are left: it is pending again")
    for name in left.unknown:
        limit = _LOOK_LIMITS["statement_timeout"]
        say(f"backfill {name}: not seen within {limit} whether rows are left; it counts them before the contract")
    return left


def reopen(connection: Connection, tree: Tree, applied: Applied, own: BackfillSettings, say: Say) -> list[Revision]:
    """Those with rows left, counted now; they are on record as not complete then. Raises MigrationError."""
    opened = []
    for revision in _recorded(tree, applied):
        rows = run.left(connection, revision, own)
        if rows:
            say(f"backfill {revision.revision} is recorded as complete, and {rows:,} rows are left: it goes on")
            record.reopen(connection, revision.revision, rows)
            opened.append(revision)
    return opened


def _recorded(tree: Tree, applied: Applied) -> list[Revision]:
    needed = {name for contract in rule.pending(tree, applied, "contract") for name in contract.needs_backfills}
    return [
        revision
        for revision in tree.backfill
        if revision.revision in needed & applied.backfill and applied.all >= set(revision.depends_on)
    ]


def _any_row(connection: Connection, revision: Revision) -> bool | None:
    declared = Declaration.of(revision)
    statement = sql.SQL("SELECT EXISTS (SELECT FROM {} WHERE {})").format(declared.table_sql, declared.todo_sql)
    try:
        with connection.transaction():
            for name, value in _LOOK_LIMITS.items():
                connection.execute("SELECT set_config(%s, %s, true)", (name, value))
            row = connection.execute(statement).fetchone()
    except psycopg.Error:
        if connection.broken:
            raise
        return None
    return row is not None and bool(row[0])
