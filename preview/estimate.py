"""How long a statement takes on the live table: its size, times a rate measured in the same run.

The rate is taken on a table of the scratch server that is filled with rows as wide as the live ones. It is this
machine's: the range around the estimate is wide on purpose, and the basis is said with it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from migrations.linting import squawk
from preview.observe import Seen
from preview.schema import Estimate
from preview.scratch import Connection

FILL_BYTES = 32_000_000
_WIDTH = (60, 4_000)  # bytes of a row that are tried; PostgreSQL moves wider values out of the table
_OVERHEAD = 50  # of a row: its header, the two numbers, its place in the index
_LOW, _HIGH = 0.5, 3.0
_STORAGE = 125_000_000  # bytes in a second: what a gp3 volume gives without paying for more
_CATALOG = Estimate(low=0.0, high=0.1, basis="changes the catalog only")
_CONCURRENTLY = 2  # it reads the table twice


@dataclass(frozen=True, kw_only=True)
class Size:
    """A live table, as the last release saw it: PostgreSQL's own estimates, indexes included."""

    rows: int
    bytes: int

    @property
    def width(self) -> int:
        """Bytes of a row."""
        return min(max(self.bytes // max(self.rows, 1), _WIDTH[0]), _WIDTH[1])


@dataclass(frozen=True, kw_only=True)
class Rates:
    """Bytes of a table that PostgreSQL handles in a second."""

    scan: float
    rewrite: float
    index: float
    server: str


def sizes(facts: Mapping[str, Any]) -> dict[str, Size]:
    """The tables of a release's facts."""
    tables = facts.get("tables") or {}
    return {name: Size(rows=int(one["rows"]), bytes=int(one["bytes"])) for name, one in tables.items()}


def calibrate(connection: Connection, width: int, server: str) -> Rates:
    """Fill a table with rows of this width and see how fast it is read, written anew and indexed."""
    rows = FILL_BYTES // width
    connection.execute("CREATE TABLE calibration (id bigint PRIMARY KEY, n integer NOT NULL, t text NOT NULL)")
    try:
        connection.execute(
            "INSERT INTO calibration SELECT i, i, repeat('x', %s) FROM generate_series(1, %s) AS i",
            (max(width - _OVERHEAD, 1), rows),
        )
        row = connection.execute("SELECT pg_total_relation_size('calibration')").fetchone()
        size = int(row[0]) if row else FILL_BYTES
        return Rates(
            scan=size / _seconds(connection, "ALTER TABLE calibration ADD CHECK (n > 0 AND t IS NOT NULL)"),
            index=size / _seconds(connection, "CREATE INDEX ON calibration (n)"),
            rewrite=size / _seconds(connection, "ALTER TABLE calibration ALTER n TYPE bigint"),
            server=server,
        )
    finally:
        connection.execute("DROP TABLE calibration")


def estimate(sql: str, seen: Seen, live: Mapping[str, Size], rates: Rates | None) -> Estimate | None:
    """For one statement; None where a table's size is not known."""
    touched = sorted({*seen.rewrites, *seen.scans})
    if not touched:
        return _CATALOG
    if rates is None or any(table not in live for table in touched):
        return None
    seconds = 0.0
    basis = []
    for table in touched:
        does, rate, times = _work(sql, seen, table, rates)
        seconds += live[table].bytes * times / rate
        basis.append(f"{table}: {_megabytes(live[table].bytes)} {does} at {_megabytes(rate)}/s")
    told = (
        f"{'; '.join(basis)}, measured here on PostgreSQL {rates.server} in memory; the upper end allows for a storage "
        f"of {_megabytes(_STORAGE)}/s"
    )
    stored = sum(live[table].bytes for table in touched) / _STORAGE
    return Estimate(low=round(seconds * _LOW, 3), high=round(max(seconds * _HIGH, stored, 0.1), 3), basis=told)


def _work(sql: str, seen: Seen, table: str, rates: Rates) -> tuple[str, float, int]:
    if table in seen.rewrites:
        return "written anew", rates.rewrite, 1
    nodes = squawk.parse(sql).statements
    kind = nodes[0].kind if nodes else ""
    if kind in {"CREATE_INDEX", "REINDEX"}:
        if nodes[0].has("CONCURRENTLY_KW"):
            return "read twice and indexed", rates.index, _CONCURRENTLY
        return "indexed", rates.index, 1
    if kind in {"UPDATE", "DELETE", "MERGE"}:
        return "of rows changed", rates.rewrite, 1
    return "read", rates.scan, 1


def _seconds(connection: Connection, statement: str) -> float:
    started = time.monotonic()
    connection.execute(statement.encode())
    return max(time.monotonic() - started, 0.001)


def _megabytes(size: float) -> str:
    return f"{size / 1e6:.0f} MB" if size >= 1e6 else f"{size / 1e3:.0f} kB"
