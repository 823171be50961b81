"""The revisions an image carries, read from its files without running them.

The service asks this at its start too, so it imports neither Alembic nor SQLAlchemy.
A revision's phase is the folder it lies in.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from migrations.errors import BadTreeError

Phase = Literal["expand", "contract"]
PHASES: tuple[Phase, ...] = get_args(Phase)
FOLDER = Path(__file__).parent


@dataclass(frozen=True, kw_only=True)
class Revision:
    """One revision file."""

    revision: str
    phase: Phase
    down_revision: str | None
    depends_on: tuple[str, ...]
    file: Path
    settings: Mapping[str, object]  # optional constants of the file: tables, statement_timeout


@dataclass(frozen=True, kw_only=True)
class Tree:
    """All revisions of an image, each phase in the order in which it is applied."""

    expand: tuple[Revision, ...]
    contract: tuple[Revision, ...]

    def phase(self, phase: Phase) -> tuple[Revision, ...]:
        """The revisions of one phase, first one first."""
        return self.expand if phase == "expand" else self.contract

    def known(self, phase: Phase) -> frozenset[str]:
        """The names of one phase's revisions."""
        return frozenset(revision.revision for revision in self.phase(phase))


def read_tree(folder: Path = FOLDER) -> Tree:
    """Read `expand/` and `contract/` under the folder. Raises BadTreeError."""
    found = {phase: list(_read_phase(folder, phase)) for phase in PHASES}
    names = [revision.revision for revisions in found.values() for revision in revisions]
    if double := sorted({name for name in names if names.count(name) > 1}):
        raise BadTreeError(f"migrations: revision {double[0]} is in two files, expected one file each; rename one")
    tree = Tree(expand=_chain("expand", found["expand"]), contract=_chain("contract", found["contract"]))
    for revision in (*tree.expand, *tree.contract):
        if missing := sorted(set(revision.depends_on) - set(names)):
            raise BadTreeError(f"migrations: {revision.file.name} depends on {missing[0]}, which is in no file")
    return tree


def _read_phase(folder: Path, phase: Phase) -> Iterator[Revision]:
    for file in sorted((folder / phase).glob("*.py")):
        if file.name == "__init__.py":
            continue
        constants = _constants(file)
        name, down, depends = (constants.get(key) for key in ("revision", "down_revision", "depends_on"))
        if not isinstance(name, str) or not name:
            raise BadTreeError(f'migrations: {phase}/{file.name} has no `revision = "..."`, expected one')
        if down is not None and not isinstance(down, str):
            raise BadTreeError(f"migrations: {phase}/{file.name} has down_revision {down!r}, expected one name or None")
        yield Revision(
            revision=name,
            phase=phase,
            down_revision=down,
            depends_on=_names(depends),
            file=file,
            settings=constants,
        )


def _names(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    return tuple(str(name) for name in value) if isinstance(value, list | tuple) else ()


def _constants(file: Path) -> dict[str, object]:
    try:
        module = ast.parse(file.read_text(encoding="utf-8"), str(file))
    except (SyntaxError, UnicodeDecodeError) as error:
        raise BadTreeError(f"migrations: {file.parent.name}/{file.name} is not Python: {error}") from error
    found: dict[str, object] = {}
    for node in module.body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        value = getattr(node, "value", None)
        if isinstance(target, ast.Name) and isinstance(value, ast.expr):
            try:
                found[target.id] = ast.literal_eval(value)
            except ValueError:  # not a plain constant: nothing that is read here
                continue
    return found


def _chain(phase: Phase, revisions: list[Revision]) -> tuple[Revision, ...]:
    """In order of application. Two heads, a gap or a ring is an error: then the order would be chance."""
    followers: dict[str | None, list[Revision]] = {}
    for revision in revisions:
        followers.setdefault(revision.down_revision, []).append(revision)
    ordered: list[Revision] = []
    at: str | None = None
    while at in followers:
        after = followers.pop(at)
        if len(after) > 1:
            names = " and ".join(sorted(revision.revision for revision in after))
            raise BadTreeError(
                f"migrations: {phase} has two heads, {names} both follow {at or 'the start'}; "
                "expected one: set down_revision of the newer to the other"
            )
        ordered.append(after[0])
        at = after[0].revision
    if followers:
        lost = next(iter(followers.values()))[0]
        raise BadTreeError(
            f"migrations: {phase}/{lost.file.name} follows {lost.down_revision}, which is not before it in {phase}; "
            "expected one line of revisions from the first to the head"
        )
    return tuple(ordered)
