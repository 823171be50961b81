"""`contract --plan`: what the pending contract revisions would remove, when that was last written, and what holds them
back now: backfills that are not complete, tasks and sessions of old versions. Changes nothing, and takes no lock that a
writer could notice. Rows that a backfill left are looked for, for 2 s at most, and not counted as the contract does.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from migrations import gate, history, rule
from migrations.backfilling import again
from migrations.contracting import living
from migrations.contracting.last_write import last_write, regclass
from migrations.contracting.removals import Removal, removals
from migrations.database import Connection, Say, connect
from migrations.outcome import Result
from migrations.settings import Settings
from migrations.tree import Revision, read_tree

if TYPE_CHECKING:
    from migrations.linting.sql import RevisionSql

_HELD_BACK = 5  # backfills, tasks, sessions that are named: a pool alone has many, and the result is one line of a log
_WRITERS = """
SELECT tgname FROM pg_trigger WHERE tgrelid = to_regclass(%s) AND NOT tgisinternal AND tgtype & 28 <> 0 ORDER BY tgname
"""  # tgtype: 4 insert, 8 delete, 16 update


def plan(settings: Settings, say: Say) -> Result:
    """Tell it. Raises MigrationError where this image may not serve this database, or has no parser."""
    tree = read_tree()
    started = time.monotonic()
    with connect(settings, say) as connection:
        gate.require_servable(connection, tree, settings.version, "contract --plan")
        applied = history.applied(connection)
        todo = rule.pending(tree, applied, "contract")
        planned = [_revision(connection, revision, say) for revision in todo]
        held = [*again.holding(connection, tree, applied, say)]
        held += [str(old) for old in living.find(connection, todo, settings, tree)] if todo else []
    for old in held[:_HELD_BACK]:
        say(f"contract would be refused now: {old}")
    if len(held) > _HELD_BACK:
        say(f"contract would be refused now: and for {len(held) - _HELD_BACK} more reasons")
    if not todo:
        say("contract: nothing to do")
    return {
        "command": "contract --plan",
        "version": settings.version,
        "pendingContracts": [revision.revision for revision in todo],
        "plan": planned,
        "heldBackBy": held[:_HELD_BACK],
        "heldBackByCount": len(held),
        "seconds": round(time.monotonic() - started, 3),
    }


def _revision(connection: Connection, revision: Revision, say: Say) -> dict[str, object]:
    # Alembic takes a while to load: only where something is pending.
    from migrations.linting import sql

    written = sql.render(revision)
    for line in _statements(written):
        say(f"contract {revision.revision} would run: {line}")
    gone = list(dict.fromkeys(one for statement in written.statements for one in removals(statement.node)))
    if not gone and not written.unseen:
        say(f"contract {revision.revision} would remove nothing")
    removed = [_removed(connection, revision, one, say) for one in gone]
    return {"revision": revision.revision, "removes": removed, "notSeen": written.unseen or None}


def _statements(written: RevisionSql) -> Iterator[str]:
    for statement in written.statements:
        yield " ".join(statement.sql.split())
    if written.unseen:
        yield f"and more that can't be shown: {written.unseen}"


def _removed(connection: Connection, revision: Revision, removal: Removal, say: Say) -> dict[str, object]:
    """One removal with what is known of it."""
    answer: dict[str, object] = {"kind": removal.kind, "name": removal.name, "table": removal.table or None}
    told = ""
    if removal.kind in ("column", "table", "rows"):
        column = removal.name if removal.kind == "column" else ""
        known = last_write(connection, removal.table, column)
        if known is None:
            told = ": not there now, so nothing is known of it"
        else:
            answer |= known.as_json()
            told = f": {known}{_by_trigger(connection, removal)}"
    elif removal.kind == "index":
        told = f": {_last_used(connection, removal.name)}"
    say(f"contract {revision.revision} would remove {removal}{told}")
    return answer


def _by_trigger(connection: Connection, removal: Removal) -> str:
    """A trigger may be what writes a column that no version names any more."""
    names = [str(row[0]) for row in connection.execute(_WRITERS, (regclass(removal.table),))]
    return f"; its values may be written by trigger {', '.join(names)}" if names and removal.kind == "column" else ""


def _last_used(connection: Connection, index: str) -> str:
    """PostgreSQL 16 and later keep the time of an index's last scan."""
    if connection.info.server_version < 160000:
        return "PostgreSQL keeps no time of its last use before version 16"
    row = connection.execute(
        "SELECT last_idx_scan, idx_scan FROM pg_stat_user_indexes WHERE indexrelid = to_regclass(%s)",
        (regclass(index),),
    ).fetchone()
    if row is None:
        return "not there now"
    if row[0] is None:
        return "never used since the statistics were reset"
    return f"last used {row[0]:%Y-%m-%d %H:%M:%S}, {row[1]} times since the statistics were reset"
