"""Alembic's own table, `alembic_version`, beside the history.

The history says what was applied. Alembic notes the same in its way: the newest revision of each branch, without an
expand that a contract depends on. Somebody may have stamped something else there; then Alembic's next note would leave
a row too many. Nothing here is worth a wait, as nothing of ours is decided by that table.
"""

from __future__ import annotations

import psycopg

from migrations import history, history_tables
from migrations.database import Connection
from migrations.history import Entry
from migrations.tree import Phase, Tree

_READ = "SELECT version_num FROM alembic_version ORDER BY 1"
_TOLD = 3


def read(connection: Connection) -> list[str]:
    """What the table says; nothing where there is none."""
    if not history_tables.columns(connection, "alembic_version"):
        return []
    return [str(row[0]) for row in connection.execute(_READ)]


def expected(tree: Tree, rows: list[Entry]) -> list[str]:
    """What it says of this history. The image knows every contract in it, or it would have been refused."""
    contract, expand = (_newest(tree, rows, phase) for phase in ("contract", "expand"))
    applied = {entry.revision for entry in rows}
    needed = {name for one in tree.contract if one.revision in applied for name in one.depends_on}
    return sorted({name for name in (contract, expand if expand not in needed else None) if name is not None})


def _newest(tree: Tree, rows: list[Entry], phase: Phase) -> str | None:
    """In the order of the tree, behind which stands what only a newer image knows."""
    order = {one.revision: at for at, one in enumerate(tree.phase(phase))}
    found = [entry.revision for entry in rows if entry.phase == phase]
    return max(reversed(found), key=lambda name: order.get(name, len(order)), default=None)


def odd(connection: Connection, tree: Tree) -> list[str]:
    """Where the table does not say what the history does: one line."""
    try:
        with connection.transaction():
            # Both as they were at one moment: a runner may be at work.
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            connection.execute("SET LOCAL lock_timeout = '200ms'")
            rows, found = history.entries(connection), read(connection)
    except psycopg.Error:
        if connection.broken:
            raise
        return []
    right = expected(tree, rows)
    if found == right or not rows:
        return []
    says = f"alembic_version says {listed(found) or 'nothing'}, and the history {listed(right)}"
    return [f"{says}: the history is what counts, and expand or contract writes the same there"]


def mend(connection: Connection, tree: Tree) -> None:
    """Let it say what the history does. The tables are there, and no other runner is at work."""
    right = expected(tree, history.entries(connection))
    try:
        if read(connection) == right:
            return
        with connection.transaction():
            connection.execute("DELETE FROM alembic_version")
            for name in right:
                connection.execute("INSERT INTO alembic_version VALUES (%s)", (name,))
    except psycopg.errors.LockNotAvailable:
        return  # a revision would wait for the same lock, and says so


def listed(names: list[str]) -> str:
    """The first ones on one line."""
    more = f" and {len(names) - _TOLD} more" if len(names) > _TOLD else ""
    return ", ".join(names[:_TOLD]) + more
