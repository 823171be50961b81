"""Operations for revisions that run outside a transaction (`outside_transaction = True`).

Each is safe to run again, whatever a run that was killed has left: it looks for what is there, and not whether a name
is taken. `IF NOT EXISTS` alone is a trap: an index whose build was broken off exists, is written to and never read.
Such an index is dropped and built again. (A build that somebody else still runs on the table holds it, so the runner
has waited for it before; a dead runner's is ended when the next one gets the lock.)

    from migrations import concurrently

    outside_transaction = True

    def upgrade() -> None:
        concurrently.create_index("orders_customer", "orders", ("customer", "created_at DESC"))
"""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import sql as compose

from migrations import index_look
from migrations.outside import session


def create_index(
    name: str,
    table: str,
    columns: Sequence[str],
    *,
    unique: bool = False,
    method: str = "btree",
    include: Sequence[str] = (),
    where: str = "",
) -> None:
    """CREATE INDEX CONCURRENTLY: reads the table twice while rows are read and written.

    Args:
        columns: SQL: names, or expressions in parentheses, each with its order and operator class where it has one.
        where: SQL, for a partial index.
    """
    rest = f"USING {method} ({', '.join(columns)})"
    rest += f" INCLUDE ({', '.join(include)})" if include else ""
    rest += f" WHERE {where}" if where else ""
    kind = "UNIQUE INDEX" if unique else "INDEX"
    build = f"CREATE {kind} CONCURRENTLY IF NOT EXISTS {_quoted(name)} ON {_quoted(table)} {rest}"
    with session() as own:
        if own.connection is not None:
            found = index_look.look(own.connection, name)
            if found is not None and found.valid:
                index_look.require_same(own.connection, found, table, kind, rest)
                own.say(f"index {name} is there and valid")
                return
            if found is not None:
                own.say(f"index {name} is there and not valid, left by a build that was broken off: built again")
                own.run(f"DROP INDEX CONCURRENTLY {_quoted(name)}", patient=True)
        own.run(build, patient=True)
        if own.connection is not None:
            index_look.require_valid(own.connection, name)


def drop_index(name: str) -> None:
    """DROP INDEX CONCURRENTLY: readers and writers go on."""
    with session() as own:
        own.run(f"DROP INDEX CONCURRENTLY IF EXISTS {_quoted(name)}", patient=True)


def reindex(name: str) -> None:
    """REINDEX INDEX CONCURRENTLY, and away with what an earlier one that was broken off has left."""
    with session() as own:
        if own.connection is not None:
            for left in index_look.leftovers(own.connection, name):
                own.say(f"index {left} is left by a rebuild that was broken off: dropped")
                own.run(f"DROP INDEX CONCURRENTLY {_quoted(left)}", patient=True)
        own.run(f"REINDEX INDEX CONCURRENTLY {_quoted(name)}", patient=True)
        if own.connection is not None:
            index_look.require_valid(own.connection, name)


def add_constraint(table: str, name: str, definition: str) -> None:
    """ADD CONSTRAINT ... NOT VALID, unless it is there: a short lock, and new rows obey. `definition` is SQL."""
    there = "SELECT 1 FROM pg_constraint WHERE conrelid = to_regclass(%s) AND conname = %s"
    statement = f"ALTER TABLE {_quoted(table)} ADD CONSTRAINT {_quoted(name)} {definition} NOT VALID"
    with session() as own:
        if not own.finds(there, table, name):
            own.run(statement)


def validate_constraint(table: str, name: str) -> None:
    """VALIDATE CONSTRAINT: reads the table while rows are read and written."""
    with session() as own:
        # One that is valid already is not read again.
        own.run(f"ALTER TABLE {_quoted(table)} VALIDATE CONSTRAINT {_quoted(name)}", patient=True)


def attach_partition(table: str, partition: str, bounds: str) -> None:
    """ATTACH PARTITION, unless it is attached. `bounds` is SQL: `FOR VALUES ...` or `DEFAULT`."""
    there = "SELECT 1 FROM pg_inherits WHERE inhparent = to_regclass(%s) AND inhrelid = to_regclass(%s)"
    statement = f"ALTER TABLE {_quoted(table)} ATTACH PARTITION {_quoted(partition)} {bounds}"
    with session() as own:
        if not own.finds(there, table, partition):
            own.run(statement)


def detach_partition(table: str, partition: str) -> None:
    """DETACH PARTITION CONCURRENTLY; one that was broken off in the middle is brought to its end."""
    there = "SELECT 1 FROM pg_inherits WHERE inhparent = to_regclass(%s) AND inhrelid = to_regclass(%s)"
    statement = f"ALTER TABLE {_quoted(table)} DETACH PARTITION {_quoted(partition)}"
    with session() as own:
        if own.finds(f"{there} AND inhdetachpending", table, partition):
            own.run(f"{statement} FINALIZE", patient=True)
        elif own.connection is None or own.finds(there, table, partition):
            own.run(f"{statement} CONCURRENTLY", patient=True)


def once(statement: str, *, done: str) -> None:
    """Any other statement, unless `done`, a SELECT, says by one true value that it was run already."""
    with session() as own:
        if not own.finds(f"SELECT 1 WHERE ({done})"):
            own.run(statement)


def _quoted(name: str) -> str:
    """`schema.table` or `table`, each part quoted."""
    return compose.Identifier(*name.split(".")).as_string()
