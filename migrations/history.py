"""What was applied, when, by whom and by which version: the tables `schema_history` and `schema_versions`.

`schema_history` has one row for each revision, written in the revision's own transaction. `schema_versions` has one
row for each version that was found able to serve, with the contract revisions it knows: a refusal names from it the
oldest version that can still serve. The tables themselves are made in `history_tables`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from migrations import history_tables
from migrations.database import Connection
from migrations.history_tables import OWN_TABLES, ensure
from migrations.rule import Applied, Known
from migrations.settings import Settings
from migrations.tree import Revision, Tree

__all__ = [
    "OWN_TABLES", "Entry", "adopt", "applied", "ensure", "entries", "exists", "marks", "record", "record_version",
    "versions",
]  # fmt: skip
ADOPTED = "adopted"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One row of `schema_history`."""

    revision: str
    phase: str
    version: str
    applied_at: datetime
    seconds: float
    actor: str
    checksum: str | None  # of the file as it was applied; None: not known
    note: str  # "adopted": taken over from a database that something else made

    def line(self) -> str:
        """For a person."""
        by = f"{self.version} ({self.actor})" if self.actor else self.version
        how = self.note or f"in {self.seconds:.2f} s"
        return f"{self.applied_at.isoformat(timespec='seconds')} {self.phase:8} {self.revision:20} by {by} {how}"

    def as_json(self) -> dict[str, object]:
        """For the result."""
        return {
            "revision": self.revision,
            "phase": self.phase,
            "version": self.version,
            "appliedAt": self.applied_at.isoformat(timespec="seconds"),
            "seconds": round(self.seconds, 3),
            "actor": self.actor,
            "checksum": self.checksum,
            "note": self.note,
        }


_FIELDS = (
    ("revision", "''"), ("phase", "''"), ("version", "''"), ("applied_at", "now()"), ("seconds", "0"),
    ("actor", "''"), ("checksum", "NULL"), ("note", "''"),
)  # fmt: skip


def exists(connection: Connection) -> bool:
    """Is there a history in this database?"""
    row = connection.execute("SELECT to_regclass('schema_history') IS NOT NULL").fetchone()
    return row is not None and bool(row[0])


def entries(connection: Connection) -> list[Entry]:
    """All rows, in the order they were written; none where there is no history."""
    if not exists(connection):
        return []
    # A table of an earlier shape lacks some of them; who only looks does not change it.
    have = history_tables.columns(connection, "schema_history")
    fields = ", ".join(name if name in have else f"{missing} AS {name}" for name, missing in _FIELDS)
    order = "number" if "number" in have else "applied_at, revision"
    rows = connection.execute(f"SELECT {fields} FROM schema_history ORDER BY {order}")  # noqa: S608  literals only
    return [Entry(**dict(zip(Entry.__dataclass_fields__, row, strict=True))) for row in rows]


def applied(connection: Connection) -> Applied:
    """The revisions the database says it has, and those that were begun."""
    # Marks first: a revision that comes to its end between the two looks is then seen twice, and not never.
    begun = [(name, phase, True) for name, phase in _marks(connection)]
    return Applied.of([*begun, *((entry.revision, entry.phase, False) for entry in entries(connection))])


def record(connection: Connection, revision: Revision, settings: Settings, seconds: float) -> None:
    """Write one row, in the transaction that is open; the revision's mark goes with it."""
    connection.execute(
        "INSERT INTO schema_history (revision, phase, version, seconds, actor, checksum)"
        " VALUES (%s, %s, %s, %s, %s, %s)",
        (revision.revision, revision.phase, settings.version, seconds, settings.actor, revision.checksum),
    )
    connection.execute("DELETE FROM schema_marks WHERE revision = %s", (revision.revision,))


def adopt(connection: Connection, revision: Revision, settings: Settings) -> None:
    """Write the row of a revision whose work was found done, in the transaction that is open."""
    connection.execute(
        "INSERT INTO schema_history (revision, phase, version, seconds, actor, checksum, note)"
        " VALUES (%s, %s, %s, 0, %s, %s, %s)",
        (revision.revision, revision.phase, settings.version, settings.actor, revision.checksum, ADOPTED),
    )


def marks(connection: Connection) -> list[str]:
    """Revisions that were begun outside a transaction and never recorded as applied."""
    return [name for name, _ in _marks(connection)]


def _marks(connection: Connection) -> list[tuple[str, str | None]]:
    """Revision and phase; an earlier shape of the table has no phase."""
    have = history_tables.columns(connection, "schema_marks")
    if not have:
        return []
    phase = "phase" if "phase" in have else "NULL"
    rows = connection.execute(
        f"SELECT revision, {phase} FROM schema_marks ORDER BY started_at, revision"  # noqa: S608  literals only
    )
    return [(str(row[0]), row[1]) for row in rows]


def record_version(connection: Connection, version: str, tree: Tree) -> None:
    """Remember what this version knows; the time it was first seen stays."""
    connection.execute(
        "INSERT INTO schema_versions (version, contract_known, revisions_known) VALUES (%s, %s, %s)"
        " ON CONFLICT (version) DO UPDATE"
        " SET contract_known = excluded.contract_known, revisions_known = excluded.revisions_known",
        (version, sorted(tree.known("contract")), len(list(tree.all()))),
    )


def versions(connection: Connection) -> list[Known]:
    """The versions seen, oldest first: a version knows every revision that those before it knew.

    The time it was first seen decides last: a version may be seen late, by a check only.
    """
    have = history_tables.columns(connection, "schema_versions")
    if not have:
        return []
    order = "cardinality(contract_known), " + ("revisions_known, " if "revisions_known" in have else "")
    rows = connection.execute(
        f"SELECT version, contract_known FROM schema_versions ORDER BY {order}first_seen, version"  # noqa: S608  literals
    )
    return [Known(version=row[0], contract=frozenset(row[1])) for row in rows]
