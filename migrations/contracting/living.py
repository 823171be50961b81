"""Who runs now that a contract would hurt: tasks and sessions of versions that do not know its revisions.

A version is known by its row in `schema_versions`; one without a row counts as not knowing. Two independent looks: at
the tasks that ECS runs, as the release's provider lists them, and at the sessions that this server has. A process that
ECS does not know of has a session, and a task between two connections is in ECS's list.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from migrations import history
from migrations.database import Connection
from migrations.errors import OldVersionLivesError
from migrations.settings import Settings
from migrations.tree import Revision, Tree

_LISTED = 5
_NAME_LIMIT = 63  # PostgreSQL cuts application_name there, so a long version's end is not in it
_SERVICE = "app "  # the service calls its sessions `app <color> <version>` (app.store)
UNKNOWN_VERSION = "?"  # as the provider writes it for a task that says no version

Knowledge = Mapping[str, frozenset[str]]  # the contract revisions that a version knows


@dataclass(frozen=True, kw_only=True)
class Old:
    """One task or session of a version that does not know all of the revisions."""

    what: str
    versions: tuple[str, ...]  # several: its name is cut, and it may be any of them; none: it says none that is known
    missing: tuple[str, ...]
    todo: str

    def __str__(self) -> str:
        version = f"of version {' or '.join(self.versions)}" if self.versions else "of a version that is not known here"
        return f"{self.what} is {version} and does not know {', '.join(self.missing)}"


def require_none(connection: Connection, todo: Sequence[Revision], settings: Settings, tree: Tree) -> None:
    """Raise OldVersionLivesError where something runs that does not know a revision that is to be applied."""
    found = find(connection, todo, settings, tree)
    if not found:
        return
    more = f", and {len(found) - _LISTED} more" if len(found) > _LISTED else ""
    names = ", ".join(revision.revision for revision in todo)
    raise OldVersionLivesError(
        f"migrations: contract {names} not applied: {'; '.join(str(one) for one in found[:_LISTED])}{more}; expected "
        f"only versions that know it, such as {settings.version}. {found[0].todo}, then run again; "
        "nothing of it was changed"
    )


def find(connection: Connection, todo: Sequence[Revision], settings: Settings, tree: Tree) -> list[Old]:
    """All tasks and sessions that do not know one of the revisions. Changes nothing."""
    knowledge = {known.version: known.contract for known in history.versions(connection)}
    knowledge[settings.version] = tree.known("contract")
    needed = [revision.revision for revision in todo]
    return [*_tasks(settings, needed, knowledge), *_sessions(connection, settings.app_user, needed, knowledge)]


def _tasks(settings: Settings, needed: Sequence[str], knowledge: Knowledge) -> Iterator[Old]:
    for version, task in settings.running:
        versions = (version,) if version in knowledge else ()
        if missing := _missing(versions, needed, knowledge):
            said = f" ({version})" if not versions and version != UNKNOWN_VERSION else ""
            yield Old(what=f"task {task}{said}", versions=versions, missing=missing, todo=f"Stop task {task}")


_SESSIONS = """
SELECT pid, coalesce(application_name, ''), usename::text, host(client_addr), backend_start
FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
  AND (application_name LIKE %(service)s OR usename = %(user)s)
ORDER BY backend_start, pid
"""


def _sessions(connection: Connection, user: str, needed: Sequence[str], knowledge: Knowledge) -> Iterator[Old]:
    # Everybody may see a session's pid, role and name. Address and time of another role's session take membership in
    # pg_read_all_stats (an RDS master user has it), and so would its backend_type: nothing is left out by that.
    for pid, name, role, address, since in connection.execute(_SESSIONS, {"service": f"{_SERVICE}%", "user": user}):
        versions = versions_of(name, knowledge)
        if missing := _missing(versions, needed, knowledge):
            yield Old(
                what=f"process {pid} ({name or 'without a name'}, role {role}, {_whence(address, since)})",
                versions=versions,
                missing=missing,
                todo=f"End what holds it, or `SELECT pg_terminate_backend({pid})` when that is gone already",
            )


def versions_of(application_name: str, knowledge: Knowledge) -> tuple[str, ...]:
    """The known versions that a session of this name may be of. Several where the name is cut."""
    if not application_name.startswith(_SERVICE):
        return ()
    start = application_name[: application_name.rindex(" ") + 1]
    return tuple(version for version in knowledge if (start + version)[:_NAME_LIMIT] == application_name)


def _missing(versions: Sequence[str], needed: Sequence[str], knowledge: Knowledge) -> tuple[str, ...]:
    """What one of the versions does not know; all where there is none."""
    return tuple(name for name in needed if not versions or any(name not in knowledge[version] for version in versions))


def _whence(address: str | None, since: datetime | None) -> str:
    if since is None:
        return "address and time are hidden from this role"
    return f"from {address or 'a socket'}, since {since.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
