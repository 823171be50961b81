"""What must hold before a command does anything: the rule, a history that says what the database is, files unchanged.

Nothing here changes anything. Each refusal has its own exit code.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from migrations import history, rule, stamps
from migrations.database import Connection
from migrations.errors import EditedError, NotAdoptedError, NotServableError, PendingError
from migrations.on_record import MEND_EDITED
from migrations.stamps import listed
from migrations.structures import structure
from migrations.tree import Revision, Tree

_TOLD = 3


def require_servable(connection: Connection, tree: Tree, version: str, command: str) -> None:
    """The rule: every contract revision applied or begun is known to this image. Raises NotServableError."""
    applied = history.applied(connection)
    unknown = rule.unknown_contracts(tree, applied)
    if not unknown:
        return
    able = rule.oldest_able(applied, history.versions(connection))
    raise NotServableError(f"{command}: {rule.refusal(version, applied.told(unknown), able)}; nothing was changed")


def require_adopted(connection: Connection, command: str) -> None:
    """A database with tables has a history, or something else made it. Raises NotAdoptedError."""
    if history.entries(connection) or history.marks(connection):
        return
    stamped = stamps.read(connection)
    tables = structure.relations(connection)
    if not stamped and not tables:
        return
    found = listed(tables) or "no tables"
    says = f" and says {listed(stamped)} in alembic_version" if stamped else ""
    raise NotAdoptedError(
        f"{command}: the database has {found}{says}, and no history of revisions, so something else made it; "
        "expected an empty database or a history. Take it over with `python -m migrations adopt --through <revision>` "
        "(in a release: the setting bluegreen:adopt), where that is the last expand revision whose work is there; "
        "nothing was changed"
    )


def require_needs(todo: Sequence[Revision], applied: frozenset[str]) -> None:
    """What a revision needs of another phase must be there. Raises PendingError, before any of them is applied."""
    have = set(applied)
    for revision in todo:
        if missing := [name for name in revision.depends_on if name not in have]:
            raise PendingError(
                f"migrations: {revision.phase} {revision.revision} needs {missing[0]}, which is not applied; expected "
                "its phase before this one; nothing was changed; release the version that brings it first"
            )
        have.add(revision.revision)


def require_unedited(connection: Connection, tree: Tree, command: str) -> None:
    """Every revision that was applied is the one in this image. Raises EditedError."""
    found = list(edited(connection, tree))
    if found:
        raise EditedError(
            f"{command}: {'; '.join(found[:_TOLD])}; expected an applied revision to stay as it is; {MEND_EDITED}; "
            "nothing was changed"
        )


def edited(connection: Connection, tree: Tree) -> Iterator[str]:
    """Revisions whose file is not the one that was applied, a line each. What was applied without one is not known."""
    files = {revision.revision: revision for revision in tree.all()}
    for entry in history.entries(connection):
        file = files.get(entry.revision)
        if file is not None and entry.checksum is not None and file.checksum != entry.checksum:
            yield (
                f"{entry.phase} {entry.revision} was edited after version {entry.version} applied it on "
                f"{entry.applied_at:%Y-%m-%d}: checksum {file.checksum} in {file.file.name}, {entry.checksum} applied"
            )
