"""What a run ends with: the object on its last line, for the gate, the record and the next preview."""

from __future__ import annotations

import json
from collections.abc import Sequence

from migrations import facts, history, rule
from migrations.backfilling.again import Left
from migrations.database import Connection
from migrations.settings import Settings
from migrations.structures.structure import Structure
from migrations.tree import Tree

Result = dict[str, object]
# The whole line has its limit, see `facts`.
_WARNINGS = 8
_WARNING_LIMIT = 200
_APPLIED = 50
_NOTHING = Left()


def of(
    command: str,
    connection: Connection,
    settings: Settings,
    tree: Tree,
    applied: Sequence[str],
    warnings: Sequence[str] = (),
    live: Structure | None = None,
    left: Left = _NOTHING,
) -> Result:
    """The result of one command. `warnings`: what was told and let pass, such as drift that harms nothing. `live`: the
    structure as it is, where it is known. `left`: backfills on record as complete that are not.
    """
    rows = history.entries(connection)
    newest = {entry.phase: entry.revision for entry in rows}
    have = history.applied(connection)
    needed = [*left.rows, *rule.needed_backfills(tree, have)]
    pending = [each.revision for each in rule.pending(tree, have, "backfill")]
    backfills = [*left.rows, *left.unknown, *pending]
    return {
        "command": command,
        "version": settings.version,
        "revision": "+".join(newest[phase] for phase in ("expand", "contract") if phase in newest),
        "applied": list(applied[-_APPLIED:]),  # the log has a line for each
        **({"appliedLeftOut": len(applied) - _APPLIED} if len(applied) > _APPLIED else {}),
        "pendingBackfills": backfills,
        # Those that must be complete before the image serves, and those that can follow while it does.
        "neededBackfills": needed,
        "laterBackfills": [name for name in backfills if name not in needed],
        "pendingContracts": [each.revision for each in rule.pending(tree, have, "contract")],
        "warnings": [warning[:_WARNING_LIMIT] for warning in warnings[:_WARNINGS]],
        "facts": _agreeing(facts.read(connection, tree, live), backfills),
    }


def _agreeing(told: facts.Facts, pending: Sequence[str]) -> facts.Facts:
    """The record says of a backfill that it is complete; where the look found otherwise, the look is right."""
    known = told["backfills"]
    if isinstance(known, dict):
        told["backfills"] = {
            name: {"left": None, "finished": False} if name in pending and state["finished"] else state
            for name, state in known.items()
        }
    return told


def with_history(result: Result, rows: Sequence[history.Entry]) -> Result:
    """The result of `history`: the newest rows, as many as the line has room for. The log has a line for each row.

    `rows` says how many there are, `leftOut` how many of the oldest are in the log alone.
    """
    told: list[dict[str, object]] = []
    room = facts.LINE_LIMIT
    for entry in reversed(rows):
        row = entry.as_json()
        room -= len(json.dumps({"applied": entry.revision, "row": row}))
        if room < 0:
            break
        told.insert(0, row)
    rest = {name: value for name, value in result.items() if name != "facts"}  # they may fill the line
    return {
        **rest,
        "applied": [row["revision"] for row in told],
        "rows": len(rows),
        "leftOut": len(rows) - len(told),
        "history": told,
    }
