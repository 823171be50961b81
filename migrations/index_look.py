"""What an index is: there, valid, and the one that was asked for. Names are given as SQL: each part quoted."""

from __future__ import annotations

from dataclasses import dataclass

from psycopg import sql as compose

from migrations.database import Connection
from migrations.errors import StatementFailedError

# An index that was broken off while it was built has neither; one that was broken off while it was dropped is not live.
_LOOK = """
SELECT index.indexrelid::regclass::text, index.indisvalid AND index.indisready AND index.indislive,
       pg_get_indexdef(index.indexrelid), index.indrelid = to_regclass(%(table)s)
FROM pg_index AS index WHERE index.indexrelid = {which}
"""
_BY_NAME = compose.SQL(_LOOK).format(which=compose.SQL("to_regclass(%(name)s)"))
# An index lies in its table's schema, whatever the search path says. A name is cut as the server cuts it.
_OF_TABLE = compose.SQL(_LOOK).format(
    which=compose.SQL("""(
    SELECT own.oid FROM pg_class AS class JOIN pg_class AS own ON own.relnamespace = class.relnamespace
    WHERE class.oid = to_regclass(%(table)s) AND own.relname = %(name)s::text::name)""")
)
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

    name: str  # as SQL
    valid: bool
    definition: str
    on_table: bool  # on the table that was asked for


def of_table(connection: Connection, name: str, table: str) -> Index | None:
    """The index of this plain name in the schema of the table; None where there is none."""
    return _index(connection.execute(_OF_TABLE, {"name": name, "table": table}).fetchone())


def named(connection: Connection, name: str) -> Index | None:
    """The index of this name; None where there is none."""
    return _index(connection.execute(_BY_NAME, {"name": name, "table": None}).fetchone())


def _index(row: tuple[object, ...] | None) -> Index | None:
    if row is None:
        return None
    return Index(name=str(row[0]), valid=bool(row[1]), definition=str(row[2]), on_table=bool(row[3]))


def leftovers(connection: Connection, name: str) -> list[str]:
    """What rebuilds of this index that were broken off have left, as SQL."""
    return [str(row[0]) for row in connection.execute(_LEFTOVERS, (name,))]


def require_valid(found: Index | None, name: str) -> None:
    """What a build has made. Raises StatementFailedError."""
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
        connection.execute(f"CREATE TEMP TABLE {_PROBE} (LIKE {table}) ON COMMIT DROP".encode())
        connection.execute(f"CREATE {kind} {_PROBE_INDEX} ON {_PROBE} {rest}".encode())
        row = connection.execute(
            "SELECT pg_get_indexdef(to_regclass(%s)), to_regclass(%s)::text", (_PROBE_INDEX, table)
        ).fetchone()
    ours, shown = (str(row[0]), str(row[1])) if row else ("", table)
    if not found.on_table or _kind(found.definition) != _kind(ours):
        raise StatementFailedError(
            f"migrations: there is another index {found.name}: {found.definition}; expected one on {shown} as "
            f"{_kind(ours)[1]}. Give the new one another name, or drop the old one"
        )


def _kind(definition: str) -> tuple[bool, str]:
    """Unique or not, and all that comes after the table's name."""
    return definition.startswith("CREATE UNIQUE"), definition.partition(" USING ")[2]
