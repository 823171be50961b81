"""When a column or a table was last written, as far as PostgreSQL can tell. Reads only: ACCESS SHARE, in bounds.

PostgreSQL keeps no time of a write of a column. It keeps, in each row version, the transaction that wrote it: its
commit time where `track_commit_timestamp` is on, and its place among the transactions that wrote this database's own
history at known times. What was deleted or set to null leaves nothing behind.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

import psycopg
from psycopg import sql

from migrations.database import Connection

LOOK_SECONDS = 10.0  # for reading one table; above it PostgreSQL's estimates have to do
_PART = re.compile(r'"(?:[^"]|"")+"|[^."]+')
_FROZEN = 2_147_483_647  # what age() answers for a row that is older than any transaction that is still told apart


@dataclass(frozen=True, kw_only=True)
class LastWrite:
    """What is known. Times and counts are None where nobody can tell.

    rows: row versions that hold a value. estimated: from PostgreSQL's statistics, the table was not read.
    at: commit time of the newest of them. after, before: what this history knows on both sides of it.
    """

    rows: int | None
    estimated: bool = False
    at: datetime | None = None
    after: str = ""
    before: str = ""
    why: str = ""

    def as_json(self) -> dict[str, object]:
        """For the result."""
        at = self.at.astimezone(UTC).isoformat(timespec="seconds") if self.at else None
        return {
            "rows": self.rows,
            "estimated": self.estimated,
            "writtenAt": at,
            "writtenAfter": self.after or None,
            "writtenBefore": self.before or None,
        }

    def __str__(self) -> str:
        return "; ".join(filter(None, (self._rows(), self._when(), self.why)))

    def _rows(self) -> str:
        if self.rows is None:
            return ""
        return f"{'about ' if self.estimated else ''}{self.rows} rows hold a value"

    def _when(self) -> str:
        if self.rows == 0 and not self.estimated:
            return "when one last did can't be told"
        if self.at is not None:
            return f"the newest of them was written at {self.at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
        sides = [
            side for side in (self.after and f"after {self.after}", self.before and f"before {self.before}") if side
        ]
        return f"the newest of them was written {' and '.join(sides)}" if sides else ""


def last_write(connection: Connection, table: str, column: str = "") -> LastWrite | None:
    """Of a column's values, or of a table's rows; None where there is no such thing."""
    if not _exists(connection, table, column):
        return None
    timed = _tracks_commits(connection)
    try:
        with connection.transaction():
            connection.execute("SET TRANSACTION READ ONLY")
            connection.execute("SELECT set_config('statement_timeout', %s, true)", (f"{LOOK_SECONDS * 1000:.0f}ms",))
            return _read(connection, table, column, timed=timed)
    except psycopg.errors.QueryCanceled:
        return _estimate(connection, table, column, f"reading it takes more than {LOOK_SECONDS:.0f} s")
    except psycopg.errors.LockNotAvailable:
        return _estimate(connection, table, column, "it is locked for another session alone")
    except psycopg.errors.InsufficientPrivilege:
        return _estimate(connection, table, column, "this role may not read it")


def _exists(connection: Connection, table: str, column: str) -> bool:
    row = connection.execute(
        "SELECT c.relkind IN ('r', 'p', 'm') AND (%(column)s = '' OR a.attnum IS NOT NULL) FROM pg_class AS c"
        " LEFT JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname = %(column)s AND a.attnum > 0"
        " WHERE c.oid = to_regclass(%(table)s)",
        {"table": regclass(table), "column": "".join(_parts(column))},
    ).fetchone()
    return row is not None and bool(row[0])


def _parts(name: str) -> list[str]:
    """The names in `schema.table` or `"Odd"."name"`, without their quotes."""
    return [part[1:-1].replace('""', '"') if part[0] == '"' else part for part in _PART.findall(name)]


def regclass(name: str) -> str:
    """A name out of a statement, quoted so that PostgreSQL finds it whatever word it is."""
    return sql.Identifier(*_parts(name)).as_string() if name else ""


def _tracks_commits(connection: Connection) -> bool:
    row = connection.execute("SHOW track_commit_timestamp").fetchone()
    return row is not None and row[0] == "on"


def _read(connection: Connection, table: str, column: str, *, timed: bool) -> LastWrite:
    """One scan: how many rows hold a value, and which transaction wrote the newest of them."""
    where = sql.SQL(" WHERE {} IS NOT NULL").format(sql.Identifier(*_parts(column))) if column else sql.SQL("")
    when = sql.SQL("max(pg_xact_commit_timestamp(xmin))" if timed else "NULL::timestamptz")
    query = sql.SQL("SELECT count(*), min(age(xmin)), {} FROM {}{}").format(when, sql.Identifier(*_parts(table)), where)
    row = connection.execute(query).fetchone()
    rows, newest, at = row or (0, None, None)
    after, before = _sides(connection, newest) if newest is not None and 0 <= newest < _FROZEN else ("", "")
    why = "" if timed else "no commit time: track_commit_timestamp is off"
    if timed and rows and at is None:
        why = "its commit time is older than what PostgreSQL keeps"
    return LastWrite(rows=rows, at=at, after=after, before=before, why=why)


def _sides(connection: Connection, newest: int) -> tuple[str, str]:
    """The last revision that was applied before a transaction of this age, and the first one after it."""
    rows = connection.execute(
        "SELECT phase || ' ' || revision, applied_at, age(xmin) FROM schema_history ORDER BY applied_at, revision"
    ).fetchall()
    told = [(f"{name} (applied {at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC)", age) for name, at, age in rows]
    earlier = [text for text, age in told if newest < age < _FROZEN]
    later = [text for text, age in told if 0 <= age < newest]
    return earlier[-1] if earlier else "", later[0] if later else ""


def _estimate(connection: Connection, table: str, column: str, why: str) -> LastWrite:
    """What ANALYZE found last, which takes no look at the table."""
    row = connection.execute(
        "SELECT c.reltuples, s.null_frac FROM pg_class AS c LEFT JOIN pg_stats AS s"
        " ON s.schemaname = c.relnamespace::regnamespace::text AND s.tablename = c.relname"
        " AND s.attname = %(column)s WHERE c.oid = to_regclass(%(table)s)",
        {"table": regclass(table), "column": "".join(_parts(column))},
    ).fetchone()
    tuples, nulls = row or (-1, None)
    rows = None if tuples < 0 or (column and nulls is None) else round(tuples * (1 - (nulls or 0)))
    return LastWrite(rows=rows, estimated=True, why=f"the table was not read: {why}")
