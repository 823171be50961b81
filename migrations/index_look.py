"""What an index is: there, valid, and the one that was asked for."""

from __future__ import annotations

from dataclasses import dataclass

from psycopg import sql as compose

from migrations.database import Connection
from migrations.errors import StatementFailedError

# An index that was broken off while it was built has neither; one that was broken off while it was dropped is not live.
_LOOK = """
SELECT index.indisvalid AND index.indisready AND index.indislive, pg_get_indexdef(index.indexrelid),
       index.indrelid::regclass::text
FROM pg_index AS index WHERE index.indexrelid = to_regclass(%s)
"""
# REINDEX CONCURRENTLY builds under such a name, and gives the old one such a name before it drops it.
_LEFTOVERS = """
SELECT other.indexrelid::regclass::text
FROM pg_index AS index JOIN pg_index AS other ON other.indrelid = index.indrelid AND NOT other.indisvalid
JOIN pg_class AS class ON class.oid = other.indexrelid
JOIN pg_class AS own ON own.oid = index.indexrelid
WHERE index.indexrelid = to_regclass(%s) AND class.relname ~ '_cc(new|old)[0-9]*$'
  AND starts_with(own.relname, regexp_replace(class.relname, '_cc(new|old)[0-9]*$', ''))
ORDER BY 1
"""
_PROBE, _PROBE_INDEX = "schema_index_probe", "schema_index_probe_1"


@dataclass(frozen=True, kw_only=True)
class Index:
    """An index that is there."""

    name: str
    valid: bool
    definition: str
    table: str


def look(connection: Connection, name: str) -> Index | None:
    """The index of this name; None where there is none."""
    row = connection.execute(_LOOK, (name,)).fetchone()
    return Index(name=name, valid=bool(row[0]), definition=row[1], table=row[2]) if row else None


def leftovers(connection: Connection, name: str) -> list[str]:
    """What rebuilds of this index that were broken off have left."""
    return [str(row[0]) for row in connection.execute(_LEFTOVERS, (name,))]


def require_valid(connection: Connection, name: str) -> None:
    """Raises StatementFailedError."""
    found = look(connection, name)
    if found is None or not found.valid:
        state = "is not there" if found is None else "is not valid"
        raise StatementFailedError(
            f"migrations: index {name} {state} after it was built, expected it valid; run again: the next run drops it "
            "and builds it again"
        )


def require_same(connection: Connection, found: Index, table: str, kind: str, rest: str) -> None:
    """An index of that name must be the one that is asked for. Raises StatementFailedError.

    Args:
        kind: `INDEX` or `UNIQUE INDEX`.
        rest: what follows the table's name: SQL.

    PostgreSQL itself says what is asked for: the same index on an empty copy of the table, which is gone at once.
    """
    with connection.transaction(force_rollback=True):
        connection.execute(
            compose.SQL("CREATE TEMP TABLE {probe} (LIKE {table}) ON COMMIT DROP").format(
                probe=compose.Identifier(_PROBE), table=compose.Identifier(*table.split("."))
            )
        )
        connection.execute(f"CREATE {kind} {_PROBE_INDEX} ON {_PROBE} {rest}".encode())
        row = connection.execute("SELECT pg_get_indexdef(to_regclass(%s))", (_PROBE_INDEX,)).fetchone()
    same_table = connection.execute("SELECT to_regclass(%s)::text = %s", (table, found.table)).fetchone()
    ours = str(row[0]) if row else ""
    if same_table != (True,) or _kind(found.definition) != _kind(ours):
        raise StatementFailedError(
            f"migrations: there is another index {found.name}: {found.definition}; expected one on {table} as "
            f"{_kind(ours)[1]}. Give the new one another name, or drop the old one"
        )


def _kind(definition: str) -> tuple[bool, str]:
    """Unique or not, and all that comes after the table's name."""
    return definition.startswith("CREATE UNIQUE"), definition.partition(" USING ")[2]
