"""The runner's own tables: made where they are missing, brought into shape where they are older, and closed to others.

Default privileges give the service its rights on every table that is made in the schema. It may read these and not
write them, also when a table comes with a later version of the runner.
"""

from __future__ import annotations

from psycopg import sql

from migrations.database import Connection

_TABLES = """
CREATE TABLE IF NOT EXISTS schema_history (
    revision text PRIMARY KEY,
    phase text NOT NULL CHECK (phase IN ('expand', 'contract', 'backfill')),
    version text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    seconds double precision NOT NULL,
    actor text NOT NULL DEFAULT '',
    checksum text, -- null: applied by a version that did not write it
    note text NOT NULL DEFAULT ''
);
CREATE TABLE IF NOT EXISTS schema_versions (
    version text PRIMARY KEY,
    contract_known text[] NOT NULL,
    first_seen timestamptz NOT NULL DEFAULT clock_timestamp(),
    revisions_known integer NOT NULL DEFAULT 0 -- of all phases; 0: seen by a version that did not count them
);
-- A revision that runs outside a transaction leaves its mark before it starts: it may be half done where one is found.
CREATE TABLE IF NOT EXISTS schema_marks (
    revision text PRIMARY KEY,
    version text NOT NULL,
    runner text NOT NULL,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    phase text -- null: left by a version that did not write it
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
-- The structure after the newest revision, to tell what was changed by other hands since: one row.
CREATE TABLE IF NOT EXISTS schema_structure (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    revisions text[] NOT NULL,
    fingerprint text NOT NULL,
    structure jsonb NOT NULL,
    taken_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    version text NOT NULL
);
-- As Alembic would make it; made here so that it is there before the service's role gets its rights.
CREATE TABLE IF NOT EXISTS alembic_version (
    version_num varchar(32) NOT NULL CONSTRAINT alembic_version_pkc PRIMARY KEY
);
"""
# Tables of an earlier shape: no actor, no checksum, no phase backfill.
_UPGRADE = """
ALTER TABLE schema_history ADD COLUMN IF NOT EXISTS actor text NOT NULL DEFAULT '';
ALTER TABLE schema_history ADD COLUMN IF NOT EXISTS checksum text;
ALTER TABLE schema_history ADD COLUMN IF NOT EXISTS note text NOT NULL DEFAULT '';
ALTER TABLE schema_history DROP CONSTRAINT IF EXISTS schema_history_phase_check;
ALTER TABLE schema_history ADD CONSTRAINT schema_history_phase_check
    CHECK (phase IN ('expand', 'contract', 'backfill'));
ALTER TABLE schema_versions ADD COLUMN IF NOT EXISTS revisions_known integer NOT NULL DEFAULT 0;
ALTER TABLE schema_marks ADD COLUMN IF NOT EXISTS phase text;
"""
# Never part of the service's structure.
OWN_TABLES = (
    "schema_history",
    "schema_versions",
    "schema_marks",
    "schema_backfills",
    "schema_structure",
    "alembic_version",
)
_NEWEST = (("schema_history", "note"), ("schema_versions", "revisions_known"), ("schema_marks", "phase"))
_WRITERS = """
SELECT DISTINCT c.relname, coalesce(quote_ident(r.rolname), 'PUBLIC')
FROM pg_class AS c CROSS JOIN aclexplode(c.relacl) AS granted LEFT JOIN pg_roles AS r ON r.oid = granted.grantee
WHERE c.oid = ANY (SELECT to_regclass(name) FROM unnest(%s::text[]) AS name)
  AND granted.grantee <> c.relowner AND granted.privilege_type IN ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE')
"""


def ensure(connection: Connection) -> None:
    """Make the tables where they are missing, and bring older ones into shape."""
    if not current(connection):
        with connection.transaction():
            connection.execute(_TABLES)
            connection.execute(_UPGRADE)
    _close(connection)


def current(connection: Connection) -> bool:
    """Are all tables there, in the shape of this version?"""
    row = connection.execute(
        "SELECT bool_and(to_regclass(name) IS NOT NULL) FROM unnest(%s::text[]) AS name", (list(OWN_TABLES),)
    ).fetchone()
    return row is not None and bool(row[0]) and all(name in columns(connection, table) for table, name in _NEWEST)


def columns(connection: Connection, table: str) -> frozenset[str]:
    """The columns of a table; none where there is no such table."""
    rows = connection.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped",
        (table,),
    )
    return frozenset(str(row[0]) for row in rows)


def _close(connection: Connection) -> None:
    """Take from everybody else the right to write them."""
    for table, role in connection.execute(_WRITERS, (list(OWN_TABLES),)).fetchall():
        connection.execute(
            sql.SQL("REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON {table} FROM {role}").format(
                table=sql.Identifier(str(table)),
                # Quoted by PostgreSQL, or the word PUBLIC.
                role=sql.SQL(str(role)),
            )
        )
