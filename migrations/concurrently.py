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
from migrations.errors import StatementFailedError
from migrations.outside import Session, session

_ATTACHED = "SELECT 1 FROM pg_inherits WHERE inhparent = to_regclass(%s) AND inhrelid = to_regclass(%s)"


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
        name: the index lies in its table's schema.
        columns: SQL: names, or expressions in parentheses, each with its order and operator class where it has one.
        where: SQL, for a partial index.
    """
    rest = f"USING {method} ({', '.join(columns)})"
    rest += f" INCLUDE ({', '.join(include)})" if include else ""
    rest += f" WHERE {where}" if where else ""
    kind = "UNIQUE INDEX" if unique else "INDEX"
    plain, on = name.rpartition(".")[2], _quoted(table)
    _require_schema_of(table, name)
    build = f"CREATE {kind} CONCURRENTLY IF NOT EXISTS {_quoted(plain)} ON {on} {rest}"
    with session() as own:
        if own.connection is not None:
            found = index_look.of_table(own.connection, plain, on)
            if found is not None and found.valid:
                index_look.require_same(own.connection, found, on, kind, rest)
                own.say(f"index {found.name} is there and valid")
                return
            if found is not None:
                own.say(f"index {found.name} is there and not valid, left by a build that was broken off: built again")
                own.run(f"DROP INDEX CONCURRENTLY {found.name}", patient=True)
        own.run(build, patient=True)
        if own.connection is not None:
            index_look.require_valid(index_look.of_table(own.connection, plain, on), name)


def drop_index(name: str) -> None:
    """DROP INDEX CONCURRENTLY: readers and writers go on. In another schema: `schema.index`."""
    with session() as own:
        own.run(f"DROP INDEX CONCURRENTLY IF EXISTS {_quoted(name)}", patient=True)


def reindex(name: str) -> None:
    """REINDEX INDEX CONCURRENTLY, and away with what an earlier one that was broken off has left."""
    index = _quoted(name)
    with session() as own:
        if own.connection is not None:
            for left in index_look.leftovers(own.connection, index):
                own.say(f"index {left} is left by a rebuild that was broken off: dropped")
                own.run(f"DROP INDEX CONCURRENTLY {left}", patient=True)
        own.run(f"REINDEX INDEX CONCURRENTLY {index}", patient=True)
        if own.connection is not None:
            index_look.require_valid(index_look.named(own.connection, index), name)


def add_constraint(table: str, name: str, definition: str) -> None:
    """ADD CONSTRAINT ... NOT VALID, unless it is there: a short lock, and new rows obey. `definition` is SQL."""
    there = "SELECT 1 FROM pg_constraint WHERE conrelid = to_regclass(%s) AND conname = %s::text::name"
    statement = f"ALTER TABLE {_quoted(table)} ADD CONSTRAINT {_one(name)} {definition} NOT VALID"
    with session() as own:
        if not own.finds(there, _quoted(table), name):
            own.run(statement)


def validate_constraint(table: str, name: str) -> None:
    """VALIDATE CONSTRAINT: reads the table while rows are read and written."""
    with session() as own:
        # One that is valid already is not read again.
        own.run(f"ALTER TABLE {_quoted(table)} VALIDATE CONSTRAINT {_one(name)}", patient=True)


def attach_partition(table: str, partition: str, bounds: str) -> None:
    """ATTACH PARTITION, unless it is attached. `bounds` is SQL: `FOR VALUES ...` or `DEFAULT`."""
    parent, part = _quoted(table), _quoted(partition)
    with session() as own:
        if not own.finds(_ATTACHED, parent, part):
            own.run(f"ALTER TABLE {parent} ATTACH PARTITION {part} {bounds}")


def detach_partition(table: str, partition: str) -> None:
    """DETACH PARTITION CONCURRENTLY; one that was broken off in the middle is brought to its end.

    It is not patient: at its end it takes the partition for itself, and readers of it would queue behind that.
    """
    parent, part = _quoted(table), _quoted(partition)
    statement = f"ALTER TABLE {parent} DETACH PARTITION {part}"
    with session() as own:
        if own.finds(f"{_ATTACHED} AND inhdetachpending", parent, part):
            own.run(f"{statement} FINALIZE")
        elif own.connection is None or own.finds(_ATTACHED, parent, part):
            own.run(f"{statement} CONCURRENTLY")
        else:
            _require_detached(own, table, partition)


def once(statement: str, *, done: str) -> None:
    """Any other statement, unless `done`, a SELECT, says by one true value that it was run already."""
    with session() as own:
        if not own.finds(f"SELECT 1 WHERE ({done})"):
            own.run(statement)


def _require_detached(own: Session, table: str, partition: str) -> None:
    """Not attached must mean that it was detached before, not that a name is wrong. Raises StatementFailedError."""
    if not own.finds("SELECT 1 FROM pg_class WHERE oid = to_regclass(%s) AND relkind = 'p'", _quoted(table)):
        found = f"found no partitioned table {table}"
    elif own.finds("SELECT 1 FROM pg_class WHERE oid = to_regclass(%s) AND relispartition", _quoted(partition)):
        found = f"found {partition} attached to another table"
    else:  # gone is as good: a revision may drop it right after
        own.say(f"{partition} is not attached to {table}: nothing to detach")
        return
    raise StatementFailedError(
        f"migrations: detach_partition of {partition} from {table}: {found}, expected its parent; see how the names "
        "are spelled (upper case counts, another schema is `schema.table`). Nothing was detached"
    )


def _require_schema_of(table: str, name: str) -> None:
    """PostgreSQL takes no schema with a new index's name. Raises StatementFailedError."""
    schema, of_table = name.rpartition(".")[0], table.rpartition(".")[0]
    if schema and schema != of_table:
        raise StatementFailedError(
            f"migrations: create_index of {name} on {table}: found schema {schema}, expected {of_table or 'none'}: an "
            "index lies in its table's schema; give its name alone. Nothing was changed"
        )


def _quoted(name: str) -> str:
    """`schema.table` or `table`, each part quoted."""
    return compose.Identifier(*name.split(".")).as_string()


def _one(name: str) -> str:
    """One name, which may have dots."""
    return compose.Identifier(name).as_string()
