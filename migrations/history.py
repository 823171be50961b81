"""What was applied, when and by which version: the tables `schema_history` and `schema_versions`.

`schema_history` has one row for each revision, written in the revision's own transaction. `schema_versions` has one
row for each version that ran its expand phase, with the contract revisions it knows: a refusal names from it the
oldest version that can still serve.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from migrations.database import Connection
from migrations.rule import Applied, Known
from migrations.tree import Phase, Tree

_CREATE = """
CREATE TABLE IF NOT EXISTS schema_history (
    revision text PRIMARY KEY,
    phase text NOT NULL CHECK (phase IN ('expand', 'contract')),
    version text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    seconds double precision NOT NULL
);
CREATE TABLE IF NOT EXISTS schema_versions (
    version text PRIMARY KEY,
    contract_known text[] NOT NULL,
    first_seen timestamptz NOT NULL DEFAULT clock_timestamp()
);
-- As Alembic would make it; made here so that it is there before the service's role gets its rights.
CREATE TABLE IF NOT EXISTS alembic_version (
    version_num varchar(32) NOT NULL CONSTRAINT alembic_version_pkc PRIMARY KEY
);
"""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One row of `schema_history`."""

    revision: str
    phase: str
    version: str
    applied_at: datetime
    seconds: float


def exists(connection: Connection) -> bool:
    """Is there a history in this database?"""
    row = connection.execute("SELECT to_regclass('schema_history') IS NOT NULL").fetchone()
    return row is not None and bool(row[0])


def ensure(connection: Connection) -> None:
    """Make the tables where they are missing."""
    if not exists(connection):
        with connection.transaction():
            connection.execute(_CREATE)


def entries(connection: Connection) -> list[Entry]:
    """All rows, oldest first; none where there is no history."""
    if not exists(connection):
        return []
    rows = connection.execute(
        "SELECT revision, phase, version, applied_at, seconds FROM schema_history ORDER BY applied_at, revision"
    )
    return [Entry(revision=r[0], phase=r[1], version=r[2], applied_at=r[3], seconds=r[4]) for r in rows]


def applied(connection: Connection) -> Applied:
    """The revisions the database says it has."""
    return Applied.of([(entry.revision, entry.phase) for entry in entries(connection)])


def record(connection: Connection, revision: str, phase: Phase, version: str, seconds: float) -> None:
    """Write one row, in the transaction that is open."""
    connection.execute(
        "INSERT INTO schema_history (revision, phase, version, seconds) VALUES (%s, %s, %s, %s)",
        (revision, phase, version, seconds),
    )


def record_version(connection: Connection, version: str, tree: Tree) -> None:
    """Remember what this version knows; the time it was first seen stays."""
    connection.execute(
        "INSERT INTO schema_versions (version, contract_known) VALUES (%s, %s)"
        " ON CONFLICT (version) DO UPDATE SET contract_known = excluded.contract_known",
        (version, sorted(tree.known("contract"))),
    )


def versions(connection: Connection) -> list[Known]:
    """The versions seen, in order of first release."""
    if not exists(connection):
        return []
    rows = connection.execute("SELECT version, contract_known FROM schema_versions ORDER BY first_seen, version")
    return [Known(version=row[0], contract=frozenset(row[1])) for row in rows]
