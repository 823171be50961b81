"""`plan`: what is pending, with its SQL, the tables it locks and their sizes, and the lint's word. Changes nothing.

Which lock a statement takes and how long it holds it is measured by the preview, on a PostgreSQL that is nobody's.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from migrations import facts, gate, history, rule
from migrations.database import Say, connect
from migrations.outcome import Result
from migrations.settings import Settings
from migrations.tree import Revision, Tree, read_tree

Sizes = Mapping[str, Mapping[str, int]]


def plan(settings: Settings, say: Say) -> Result:
    """Tell it. Raises MigrationError where this image may not serve the database, or its tree cannot be linted."""
    tree = read_tree()
    started = time.monotonic()
    with connect(settings, say) as connection:
        gate.require_servable(connection, tree, settings.version)
        applied = history.applied(connection)
        sizes = facts.sizes(connection)
    todo = {phase: rule.pending(tree, applied, phase) for phase in ("expand", "backfill", "contract")}
    revisions = [*_linted(tree, [*todo["expand"], *todo["contract"]], sizes, say)]
    for backfill in todo["backfill"]:
        table = str(backfill.settings.get("table", ""))
        say(f"backfill {backfill.revision} would fill {_size(table, sizes)}")
    if not any(todo.values()):
        say("plan: nothing is pending")
    return {
        "command": "plan",
        "version": settings.version,
        "pending": {phase: [one.revision for one in revisions] for phase, revisions in todo.items()},
        "revisions": revisions,
        "seconds": round(time.monotonic() - started, 3),
    }


def _linted(tree: Tree, todo: list[Revision], sizes: Sizes, say: Say) -> list[dict[str, object]]:
    if not todo:
        return []
    # Alembic takes a while to load: only where something is pending.
    from migrations.linting import lint, offline
    from migrations.linting import own as lint_own

    found = []
    for one in lint.lint(tree, todo):
        made = lint_own.made_here(one.sql.statements)
        locked = {table for statement in one.sql.statements for table in lint_own.locked_tables(statement)} - made
        offline.show(one, say)
        for table in sorted(locked):
            say(f"-- locks {_size(table, sizes)}")
        found.append({**one.as_json(), "locks": {table: dict(sizes.get(table, {})) for table in sorted(locked)}})
    return found


def _size(table: str, sizes: Sizes) -> str:
    known = sizes.get(table)
    return f"{table} ({known['rows']:,} rows, {known['bytes'] / 1e6:,.1f} MB)" if known else f"{table} (size not known)"
