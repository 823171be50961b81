"""Rows that a contract's backfills must fill, and that came after they were counted.

A contract may wait for its lock for minutes. What lives that writes such rows was looked for, and a person's session or
a job of another team is none of it. So right before each try it is asked once more whether there is such a row.
"""

from __future__ import annotations

import psycopg
from psycopg import sql

from migrations.backfilling.declaration import Declaration
from migrations.database import Connection, Say, is_timeout
from migrations.errors import BackfillIncompleteError
from migrations.tree import Revision, Tree

_SECONDS = 10  # of each look: a lock that is free is not left for long
_NOT_THERE = ("42", "3F")  # what it asks for was taken away by a contract of this run, which had counted it too


def require_none(connection: Connection, contract: Revision, tree: Tree, say: Say) -> None:
    """Raises BackfillIncompleteError; psycopg.Error as any statement of the try would."""
    for backfill in tree.backfill:
        if backfill.revision in contract.needs_backfills and _found(connection, Declaration.of(backfill), say):
            raise BackfillIncompleteError(
                f"migrations: contract {contract.revision} needs backfill {backfill.revision}: rows of "
                f"{backfill.settings['table']} have come that it has to fill, since they were counted at the start of "
                f"this run; nothing of {contract.revision} was done; find what writes them (a trigger can fill them), "
                "run `python -m migrations backfill` as a task, then the contract"
            )


def _found(connection: Connection, declared: Declaration, say: Say) -> bool:
    query = sql.SQL("SELECT EXISTS (SELECT FROM {table} WHERE {todo})").format(
        table=declared.table_sql, todo=declared.todo_sql
    )
    try:
        with connection.transaction():
            connection.execute("SELECT set_config('statement_timeout', %s, true)", (f"{_SECONDS}s",))
            row = connection.execute(query).fetchone()
    except psycopg.Error as error:
        if is_timeout(error):
            say(
                f"backfill {declared.name}: whether rows have come since they were counted is not seen within "
                f"{_SECONDS} s, and not waited for; an index on what `todo` asks for would show it"
            )
            return False
        if (error.sqlstate or "").startswith(_NOT_THERE):
            return False
        raise
    return row is not None and bool(row[0])
