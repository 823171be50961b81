"""What the command can do. Each answers the object that ends up as `result` on the last line of stdout."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping

from migrations import history, living, roles, rule
from migrations.database import Connection, Say, connect
from migrations.errors import NotServableError, PendingError
from migrations.one_runner import one_runner
from migrations.settings import Settings, app_user
from migrations.tree import Phase, Tree, read_tree

Result = dict[str, object]


def check(settings: Settings, say: Say) -> Result:
    """May this image serve this database as it is? Changes nothing. Raises NotServableError, PendingError."""
    tree = read_tree()
    with connect(settings, say) as connection:
        _require_servable(connection, tree, settings.version)
        missing = rule.missing_expands(tree, history.applied(connection))
        if missing:
            raise PendingError(
                f"check: version {settings.version} needs expand {', '.join(missing)}, which is not applied; "
                "release the version, so that its expand runs"
            )
        say(f"version {settings.version} can serve this database")
        return _result("check", connection, settings, [])


def expand(settings: Settings, say: Say) -> Result:
    """Apply the pending expand revisions. Raises MigrationError."""
    return _apply("expand", settings, say)


def contract(settings: Settings, say: Say) -> Result:
    """Apply the pending contract revisions. Raises MigrationError."""
    return _apply("contract", settings, say)


def ensure_roles(settings: Settings, say: Say) -> Result:
    """Make the service's role. Raises MigrationError."""
    name, password = app_user(os.environ)
    with connect(settings, say) as connection, one_runner(connection, settings, say):
        made = roles.ensure_app_role(connection, name, password)
        say(f"role {name} {'made' if made else 'there, its password and rights set'}")
        return {**_result("roles", connection, settings, []), "role": name, "made": made}


def show_history(settings: Settings, say: Say) -> Result:
    """List what was applied."""
    with connect(settings, say) as connection:
        rows = history.entries(connection)
        for entry in rows:
            say(
                f"{entry.applied_at.isoformat(timespec='seconds')} {entry.phase:8} {entry.revision:20} "
                f"by {entry.version} in {entry.seconds:.2f} s"
            )
        if not rows:
            say("no revision was ever applied")
        return _result("history", connection, settings, [entry.revision for entry in rows])


COMMANDS: Mapping[str, Callable[[Settings, Say], Result]] = {
    "roles": ensure_roles,
    "check": check,
    "expand": expand,
    "contract": contract,
    "history": show_history,
}


def _apply(phase: Phase, settings: Settings, say: Say) -> Result:
    tree = read_tree()
    started = time.monotonic()
    with connect(settings, say) as connection, one_runner(connection, settings, say):
        history.ensure(connection)
        _require_servable(connection, tree, settings.version)
        applied = _apply_pending(connection, tree, phase, settings, say)
        history.record_version(connection, settings.version, tree)
        if not applied:
            say(f"{phase}: nothing to do")
        result = _result(phase, connection, settings, applied)
    return {**result, "seconds": round(time.monotonic() - started, 3)}


def _apply_pending(connection: Connection, tree: Tree, phase: Phase, settings: Settings, say: Say) -> list[str]:
    todo = rule.pending(tree, history.applied(connection), phase)
    if not todo:
        return []
    if phase == "contract":
        living.require_none(connection, todo, settings, tree)
    # Alembic and SQLAlchemy take a second to load: only a run that applies something pays for it.
    from migrations import runner

    return runner.apply(connection, todo, settings, say)


def _require_servable(connection: Connection, tree: Tree, version: str) -> None:
    applied = history.applied(connection)
    unknown = rule.unknown_contracts(tree, applied)
    if not unknown:
        return
    able = rule.oldest_able(applied, history.versions(connection))
    hint = f"the oldest version that can serve is {able}" if able else "release a version that knows it"
    raise NotServableError(
        f"check: version {version} cannot serve this database: contract {', '.join(unknown)} removed what it needs; "
        f"{hint}; nothing was changed"
    )


def _result(command: str, connection: Connection, settings: Settings, applied: list[str]) -> Result:
    rows = history.entries(connection)
    newest = {entry.phase: entry.revision for entry in rows}
    revision = "+".join(newest[phase] for phase in ("expand", "contract") if phase in newest)
    pending = rule.pending(read_tree(), history.applied(connection), "contract")
    return {
        "command": command,
        "version": settings.version,
        "revision": revision,
        "applied": applied,
        "pendingContracts": [contract.revision for contract in pending],
    }
