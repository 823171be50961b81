"""`plan`: what is pending, with its SQL, the tables it locks and their sizes, and the lint's word. Changes nothing.

It also says what would refuse the first phase that is pending, as the database is now. That is no failure of the plan:
its exit code says whether it could be told, and `refused` in its result what a run would end with. Only an image that
may not serve this database has no plan.

Which lock a statement takes and how long it holds it is measured by the preview, on a PostgreSQL that is nobody's.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from migrations import facts, gate, history, rule, stamps
from migrations.database import Connection, Say, connect
from migrations.errors import MigrationError
from migrations.outcome import Result
from migrations.settings import Settings
from migrations.structures import drift
from migrations.tree import Phase, Revision, Tree, read_tree

if TYPE_CHECKING:
    from migrations.linting.lint import Linted

Sizes = Mapping[str, Mapping[str, int]]
Todo = Mapping[Phase, Sequence[Revision]]
_IN_ORDER: Sequence[Phase] = ("expand", "backfill", "contract")


def plan(settings: Settings, say: Say) -> Result:
    """Tell it. Raises MigrationError where this image may not serve the database, or its tree cannot be linted."""
    tree = read_tree()
    refuse = drift.refuse_of(os.environ)
    started = time.monotonic()
    with connect(settings, say) as connection:
        gate.require_servable(connection, tree, settings.version, "plan")
        applied = history.applied(connection)
        sizes = facts.sizes(connection)
        todo: Todo = {phase: rule.pending(tree, applied, phase) for phase in _IN_ORDER}
        linted = _linted(tree, todo)
        refused = _refused(connection, tree, todo, linted, refuse)
        warnings = [*gate.edited(connection, tree), *stamps.odd(connection, tree)]
    revisions = [_shown(one, sizes, say) for one in linted if one.revision.phase != "backfill"]
    for backfill in todo["backfill"]:
        table = str(backfill.settings.get("table", ""))
        say(f"backfill {backfill.revision} would fill {_size(table, sizes)}")
    if not any(todo.values()):
        say("plan: nothing is pending")
    for line in warnings:
        say(f"plan: {line}")
    if refused:
        say(f"plan: {refused['phase']} would be refused now with exit code {refused['exit']}: {refused['message']}")
    return {
        "command": "plan",
        "version": settings.version,
        "pending": {phase: [one.revision for one in revisions] for phase, revisions in todo.items()},
        "revisions": revisions,
        "refused": refused,
        "warnings": warnings,
        "seconds": round(time.monotonic() - started, 3),
    }


def _linted(tree: Tree, todo: Todo) -> list[Linted]:
    pending = [revision for revisions in todo.values() for revision in revisions]
    if not pending:
        return []
    # Alembic takes a while to load: only where something is pending.
    from migrations.linting import lint

    return lint.lint(tree, pending)


def _shown(one: Linted, sizes: Sizes, say: Say) -> dict[str, object]:
    from migrations.linting import offline, own

    made = own.made_here(one.sql.statements)
    locked = {table for statement in one.sql.statements for table in own.locked_tables(statement)} - made
    offline.show(one, say)
    for table in sorted(locked):
        say(f"-- locks {_size(table, sizes)}")
    return {**one.as_json(), "locks": {table: dict(sizes.get(table, {})) for table in sorted(locked)}}


def _refused(
    connection: Connection, tree: Tree, todo: Todo, linted: Sequence[Linted], refuse: drift.Refuse
) -> dict[str, object] | None:
    """What the first phase that cannot run would end with now, as far as the database and the tree say."""
    have = history.applied(connection).all
    for phase in _IN_ORDER:
        revisions = todo[phase]
        if not revisions and phase != "expand":  # an expand is asked for in every release
            continue
        try:
            gate.require_adopted(connection, phase)
            gate.require_unedited(connection, tree, phase)
            gate.require_needs(revisions, have)
            # The expand looks at the backfills too: they run behind the shift, where a refusal comes too late.
            looked_at = ("expand", "backfill") if phase == "expand" else (phase,)
            _require_clean([one for one in linted if one.revision.phase in looked_at])
            if revisions and phase != "backfill":
                drift.require_none(drift.look(connection), refuse, phase)
        except MigrationError as error:
            return {"phase": phase, **error.as_json()}
        have |= {revision.revision for revision in revisions}
    return None


def _require_clean(linted: Sequence[Linted]) -> None:
    if linted:
        from migrations.linting import lint

        lint.require_clean(linted)


def _size(table: str, sizes: Sizes) -> str:
    known = sizes.get(table)
    return f"{table} ({known['rows']:,} rows, {known['bytes'] / 1e6:,.1f} MB)" if known else f"{table} (size not known)"
