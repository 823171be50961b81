"""What the command can do. Each answers the object that ends up as `result` on the last line of stdout."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

import psycopg

from migrations import gate, history, history_tables, outcome, phases, plan, roles, rule, stamps
from migrations.backfilling import settings as backfill_settings
from migrations.contracting import plan as contract_plan
from migrations.database import Connection, Say, connect
from migrations.errors import PendingError
from migrations.locking.one_runner import BACKFILL_LOCK, one_runner
from migrations.outcome import Result
from migrations.server_errors import named
from migrations.settings import Settings, app_user
from migrations.structures import adopt as adoption
from migrations.structures import drift
from migrations.tree import Tree, read_tree


def check(settings: Settings, say: Say) -> Result:
    """May this image serve this database as it is? Changes nothing of the service's.

    Raises NotServableError, NotAdoptedError, PendingError.
    """
    tree = read_tree()
    started = time.monotonic()
    with connect(settings, say) as connection:
        gate.require_servable(connection, tree, settings.version, "check")
        gate.require_adopted(connection, "check")
        missing = rule.missing_expands(tree, history.applied(connection))
        if missing:
            raise PendingError(
                f"check: version {settings.version} needs expand {', '.join(missing)}, which is not applied; "
                "release the version, so that its expand runs"
            )
        # No reason to refuse: the way back must not depend on who edited a file or changed an index.
        looked = drift.look(connection)
        warnings = [*gate.edited(connection, tree), *looked.lines(), *stamps.odd(connection, tree)]
        warnings += _remember(connection, tree, settings)
        for line in warnings:
            say(f"check: {line}")
        say(f"version {settings.version} can serve this database")
        result = outcome.of("check", connection, settings, tree, [], warnings, looked.live)
    return {**result, "seconds": round(time.monotonic() - started, 3)}


def _remember(connection: Connection, tree: Tree, settings: Settings) -> list[str]:
    """A later refusal may name this version. Not worth a change of the tables, nor a wait, nor the way back: where it
    can't be written (a disk that is full, a database that takes no writes), that is a warning.
    """
    try:
        with connection.transaction():
            connection.execute("SET LOCAL lock_timeout = '200ms'")
            connection.execute("SET LOCAL statement_timeout = '2s'")
            if history_tables.current(connection):
                history.record_version(connection, settings.version, tree)
    except psycopg.Error as error:
        if connection.broken:
            raise
        return [f"version {settings.version} was not noted as able to serve: {named(error)}"]
    return []


def expand(settings: Settings, say: Say) -> Result:
    """Apply the pending expand revisions. Raises MigrationError."""
    return phases.apply("expand", settings, say)


def backfill(settings: Settings, say: Say) -> Result:
    """Complete the pending backfills, in batches; an interrupted one goes on where it was. Raises MigrationError."""
    from migrations.backfilling import again
    from migrations.backfilling import run as backfills

    own = backfill_settings.load(os.environ)
    settings = replace(settings, budgets=settings.budgets.of_backfills)
    tree = read_tree()
    started = time.monotonic()
    with connect(settings, say) as connection, one_runner(connection, settings, say, BACKFILL_LOCK):
        todo = phases.prepare("backfill", connection, tree, settings, say)
        applied = history.applied(connection)
        if settings.needed:
            needed = rule.needed_backfills(tree, applied)
            todo = [revision for revision in todo if revision.revision in needed]
        opened = again.reopen(connection, tree, applied, own, say)
        todo = [revision for revision in tree.backfill if revision in (*todo, *opened)]
        outcomes = backfills.run(connection, todo, settings, own, say)
        if not todo:
            say("backfill: nothing to do")
        result = outcome.of("backfill", connection, settings, tree, [one.revision for one in outcomes])
    told = {one.revision: one.as_json() for one in outcomes}
    return {**result, "backfills": told, "seconds": round(time.monotonic() - started, 3)}


def contract(settings: Settings, say: Say) -> Result:
    """Apply the pending contract revisions. Raises MigrationError."""
    return phases.apply("contract", settings, say)


def adopt(settings: Settings, say: Say) -> Result:
    """Take over a database that something else made, through the revision of --through. Raises MigrationError."""
    tree = read_tree()
    adoption.chain(tree, settings.through)
    started = time.monotonic()
    with connect(settings, say) as connection, one_runner(connection, settings, say):
        gate.require_servable(connection, tree, settings.version, "adopt")
        adopted = adoption.adopt(connection, tree, settings.through, settings, say)
        if adopted:
            say(f"adopted: {', '.join(adopted)}")
        result = outcome.of("adopt", connection, settings, tree, adopted)
    return {**result, "seconds": round(time.monotonic() - started, 3)}


def ensure_roles(settings: Settings, say: Say) -> Result:
    """Make the service's role. Raises MigrationError."""
    name, password = app_user(os.environ)
    tree = read_tree()
    started = time.monotonic()
    with connect(settings, say) as connection, one_runner(connection, settings, say):
        made = roles.ensure_app_role(connection, name, password)
        say(f"role {name} {'made' if made else 'there, its password and rights set'}")
        result = outcome.of("roles", connection, settings, tree, [])
    return {**result, "role": name, "made": made, "seconds": round(time.monotonic() - started, 3)}


def show_history(settings: Settings, say: Say) -> Result:
    """List what was applied, a line each. Changes nothing."""
    tree = read_tree()
    with connect(settings, say) as connection:
        rows = history.entries(connection)
        for entry in rows:
            say(entry.line())
        if not rows:
            say("no revision was ever applied")
        result = outcome.of("history", connection, settings, tree, [])
    return outcome.with_history(result, rows)


COMMANDS: Mapping[str, Callable[[Settings, Say], Result]] = {
    "roles": ensure_roles,
    "check": check,
    "expand": expand,
    "backfill": backfill,
    "contract": contract,
    "contract --plan": contract_plan.plan,
    "plan": plan.plan,
    "adopt": adopt,
    "history": show_history,
}
