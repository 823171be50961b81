"""What was applied, when, by whom and by which version: the tables `schema_history` and `schema_versions`.

`schema_history` has one row for each revision, written in the revision's own transaction. `schema_versions` has one
row for each version that ran its expand phase, with the contract revisions it knows: a refusal names from it the
oldest version that can still serve.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from migrations.database import Connection
from migrations.rule import Applied, Known
from migrations.settings import Settings
from migrations.tree import Revision, Tree

_TABLES = """
CREATE TABLE IF NOT EXISTS schema_history (
    revision text PRIMARY KEY,
    phase text NOT NULL CHECK (phase IN ('expand', 'contract', 'backfill')),
    version text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    seconds double precision NOT NULL,
    actor text NOT NULL DEFAULT '',
    checksum text -- null: applied by a version that did not write it
);
CREATE TABLE IF NOT EXISTS schema_versions (
    version text PRIMARY KEY,
    contract_known text[] NOT NULL,
    first_seen timestamptz NOT NULL DEFAULT clock_timestamp()
);
-- A revision that runs outside a transaction leaves its mark before it starts: it may be half done where one is found.
CREATE TABLE IF NOT EXISTS schema_marks (
    revision text PRIMARY KEY,
    version text NOT NULL,
    runner text NOT NULL,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TABLE IF NOT EXISTS schema_backfills (
    revision text PRIMARY KEY,
    position text, -- the last key that is done; null: none is
    rows_done bigint NOT NULL DEFAULT 0,
    rows_total bigint,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at timestamptz,
    version text NOT NULL,
    actor text NOT NULL DEFAULT ''
);
-- As Alembic would make it; made here so that it is there before the service's role gets its rights.
CREATE TABLE IF NOT EXISTS alembic_version (
    version_num varchar(32) NOT NULL CONSTRAINT alembic_version_pkc PRIMARY KEY
);
"""
# Tables of an earlier shape: no actor, no checksum, and no phase backfill.
_UPGRADE = """
ALTER TABLE schema_history ADD COLUMN IF NOT EXISTS actor text NOT NULL DEFAULT '';
ALTER TABLE schema_history ADD COLUMN IF NOT EXISTS checksum text;
ALTER TABLE schema_history DROP CONSTRAINT IF EXISTS schema_history_phase_check;
ALTER TABLE schema_history ADD CONSTRAINT schema_history_phase_check
    CHECK (phase IN ('expand', 'contract', 'backfill'));
"""
# The runner's own tables, never part of the service's structure.
OWN_TABLES = ("schema_history", "schema_versions", "schema_marks", "schema_backfills", "alembic_version")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One row of `schema_history`."""

    revision: str
    phase: str
    version: str
    applied_at: datetime
    seconds: float
    actor: str
    checksum: str | None


def exists(connection: Connection) -> bool:
    """Is there a history in this database?"""
    row = connection.execute("SELECT to_regclass('schema_history') IS NOT NULL").fetchone()
    return row is not None and bool(row[0])


def ensure(connection: Connection) -> None:
    """Make the tables where they are missing, and bring older ones into shape."""
    if _current(connection):
        return
    with connection.transaction():
        connection.execute(_TABLES)
        connection.execute(_UPGRADE)


def _current(connection: Connection) -> bool:
    row = connection.execute(
        "SELECT count(*) = %s FROM unnest(%s::text[]) AS name WHERE to_regclass(name) IS NOT NULL",
        (len(OWN_TABLES), list(OWN_TABLES)),
    ).fetchone()
    return row is not None and bool(row[0]) and _has_checksums(connection)


def _has_checksums(connection: Connection) -> bool:
    row = connection.execute(
        "SELECT count(*) FROM pg_attribute WHERE attrelid = to_regclass('schema_history') AND attname = 'checksum'"
    ).fetchone()
    return row is not None and bool(row[0])


def entries(connection: Connection) -> list[Entry]:
    """All rows, oldest first; none where there is no history."""
    if not exists(connection):
        return []
    newer = ", actor, checksum" if _has_checksums(connection) else ", '', NULL"
    rows = connection.execute(
        f"SELECT revision, phase, version, applied_at, seconds{newer}"  # noqa: S608  literals only
        " FROM schema_history ORDER BY applied_at, revision"
    )
    return [Entry(**dict(zip(Entry.__dataclass_fields__, row, strict=True))) for row in rows]


def applied(connection: Connection) -> Applied:
    """The revisions the database says it has."""
    return Applied.of([(entry.revision, entry.phase) for entry in entries(connection)])


def record(connection: Connection, revision: Revision, settings: Settings, seconds: float) -> None:
    """Write one row, in the transaction that is open."""
    connection.execute(
        "INSERT INTO schema_history (revision, phase, version, seconds, actor, checksum)"
        " VALUES (%s, %s, %s, %s, %s, %s)",
        (revision.revision, revision.phase, settings.version, seconds, settings.actor, revision.checksum),
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
