"""The rows of `schema_backfills`: how far each backfill is. A batch writes its own; here the rest."""

from __future__ import annotations

from dataclasses import dataclass

from migrations import history
from migrations.backfilling.declaration import Declaration
from migrations.database import Connection
from migrations.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What is on record of a backfill that has begun."""

    position: str | None
    rows_done: int
    rows_total: int


def find(connection: Connection, name: str) -> Kept | None:
    """What an earlier run left, or None."""
    row = connection.execute(
        "SELECT position, rows_done, coalesce(rows_total, 0) FROM schema_backfills WHERE revision = %s", (name,)
    ).fetchone()
    return None if row is None else Kept(position=row[0], rows_done=row[1], rows_total=row[2])


def begin(connection: Connection, declared: Declaration, total: int, settings: Settings) -> Kept:
    """A new one, with the rows that are to be filled."""
    connection.execute(
        "INSERT INTO schema_backfills (revision, rows_total, version, actor) VALUES (%s, %s, %s, %s)",
        (declared.name, total, settings.version, settings.actor),
    )
    return Kept(position=None, rows_done=0, rows_total=total)


def rewind(connection: Connection, name: str) -> None:
    """To the start of the table, for another pass."""
    connection.execute(
        "UPDATE schema_backfills SET position = NULL, updated_at = clock_timestamp() WHERE revision = %s", (name,)
    )


def reopen(connection: Connection, name: str, rows: int) -> None:
    """Not complete after all, with so many rows to fill. Its row of the history goes, and comes again at the end."""
    with connection.transaction():
        connection.execute("DELETE FROM schema_history WHERE revision = %s", (name,))
        connection.execute(
            "UPDATE schema_backfills SET position = NULL, finished_at = NULL, rows_total = rows_done + %s,"
            " updated_at = clock_timestamp() WHERE revision = %s",
            (rows, name),
        )


def finish(connection: Connection, declared: Declaration, settings: Settings, seconds: float) -> None:
    """Complete: in one transaction here and in the history."""
    with connection.transaction():
        connection.execute(
            "UPDATE schema_backfills SET finished_at = clock_timestamp(), updated_at = clock_timestamp(), "
            "version = %s, actor = %s WHERE revision = %s",
            (settings.version, settings.actor, declared.name),
        )
        history.record(connection, declared.revision, settings, seconds)
