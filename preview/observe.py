"""What one statement does to the tables that are there: locks, new files, scans. Asked of the session that ran it.

PostgreSQL counts a scan of an empty table too, so a structure without rows is enough: `pg_stat_xact_user_tables` says
within the transaction which tables were read whole, and a table that was written anew has another relfilenode.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from migrations.revision_limits import MODES
from preview.schema import Lock
from preview.scratch import Connection

STOPS_WRITERS = frozenset(MODES[MODES.index("SHARE") :])

_TABLES = """
SELECT c.oid, CASE n.nspname WHEN 'public' THEN '' ELSE quote_ident(n.nspname) || '.' END || quote_ident(c.relname),
       pg_relation_filenode(c.oid)
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'm', 'v', 'f') AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
"""
_LOCKS = "SELECT relation, mode FROM pg_locks WHERE pid = %s AND locktype = 'relation'"
_SCANS = "SELECT relid, seq_scan FROM pg_stat_xact_user_tables"
_ALL_SCANS = "SELECT relid, seq_scan FROM pg_stat_user_tables"


@dataclass(frozen=True)
class Seen:
    """What a statement did to the tables that were there before it."""

    locks: tuple[Lock, ...] = ()
    rewrites: tuple[str, ...] = ()
    scans: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Tables:
    """The tables of a moment: names and files by oid."""

    names: Mapping[int, str]
    files: Mapping[int, int | None] = field(default_factory=dict)

    @classmethod
    def of(cls, connection: Connection) -> Self:
        """As the session sees them."""
        rows = [(int(row[0]), str(row[1]), row[2]) for row in connection.execute(_TABLES)]
        return cls(names={oid: name for oid, name, _ in rows}, files={oid: file for oid, _, file in rows})


@dataclass(frozen=True, kw_only=True)
class Before:
    """What is to be compared with."""

    tables: Tables
    scans: Mapping[int, int]


def before(connection: Connection, *, committed: bool) -> Before:
    """The state before a statement. `committed`: of the whole database, for a statement that commits by itself."""
    return Before(tables=Tables.of(connection), scans=_scans(connection, committed=committed))


def after(
    connection: Connection, earlier: Before, there: Tables, held: Mapping[int, set[str]], *, committed: bool
) -> Seen:
    """What has changed, of the tables that were `there` when the revision began."""
    now = Tables.of(connection)
    scans = _scans(connection, committed=committed)
    return Seen(
        locks=strongest(held, there),
        rewrites=tuple(
            sorted(
                name
                for oid, name in there.names.items()
                if oid in now.files and oid in earlier.tables.files and now.files[oid] != earlier.tables.files[oid]
            )
        ),
        scans=tuple(sorted(name for oid, name in there.names.items() if scans.get(oid, 0) > earlier.scans.get(oid, 0))),
    )


def held(connection: Connection, pid: int) -> dict[int, set[str]]:
    """The locks that a session holds or waits for: modes by oid of the table."""
    found: dict[int, set[str]] = {}
    for oid, mode in connection.execute(_LOCKS, (pid,)):
        found.setdefault(int(oid), set()).add(_words(str(mode)))
    return found


def strongest(found: Mapping[int, set[str]], there: Tables) -> tuple[Lock, ...]:
    """One lock for each table: a statement that reads what it alters takes a weak one too."""
    return tuple(
        sorted(
            (Lock(table=there.names[oid], mode=max(modes, key=MODES.index)) for oid, modes in found.items()
             if oid in there.names),
            key=lambda lock: (-MODES.index(lock.mode), lock.table),
        )
    )  # fmt: skip


def _words(mode: str) -> str:
    """`AccessExclusiveLock` in the manual's words."""
    return " ".join(re.findall(r"[A-Z][a-z]+", mode.removesuffix("Lock"))).upper()


def _scans(connection: Connection, *, committed: bool) -> dict[int, int]:
    if committed:
        connection.execute("SELECT pg_stat_force_next_flush(), pg_stat_clear_snapshot()")
    rows = connection.execute(_ALL_SCANS if committed else _SCANS)
    return {int(row[0]): int(row[1] or 0) for row in rows}
