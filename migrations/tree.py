"""The revisions an image carries: three phases, each one line of revisions from the first to its head.

A phase's folder has a file HEAD with the name of its newest revision's file. Two branches that both add a revision
change its one line, so git reports a conflict when they meet, and not a release. The file's name and not only the
revision's: both branches may have numbered theirs alike, and git merges two changes that are equal.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from migrations.backfilling import wellformed
from migrations.errors import BadTreeError
from migrations.revision_file import FOLDERS, Phase, Revision, read_revision

PHASES: tuple[Phase, ...] = get_args(Phase)
FOLDER = Path(__file__).parent
HEAD = "HEAD"

__all__ = ["FOLDER", "FOLDERS", "HEAD", "PHASES", "Phase", "Revision", "Tree", "read_tree"]


@dataclass(frozen=True, kw_only=True)
class Tree:
    """All revisions of an image, each phase in the order in which it is applied."""

    expand: tuple[Revision, ...]
    contract: tuple[Revision, ...]
    backfill: tuple[Revision, ...] = ()

    def phase(self, phase: Phase) -> tuple[Revision, ...]:
        """The revisions of one phase, first one first."""
        return {"expand": self.expand, "contract": self.contract, "backfill": self.backfill}[phase]

    def known(self, phase: Phase) -> frozenset[str]:
        """The names of one phase's revisions."""
        return frozenset(revision.revision for revision in self.phase(phase))

    def all(self) -> Iterator[Revision]:
        """Every revision, phase by phase."""
        for phase in PHASES:
            yield from self.phase(phase)


def read_tree(folder: Path = FOLDER) -> Tree:
    """Read `expand/`, `contract/` and `backfills/` under the folder. Raises BadTreeError."""
    found = {phase: _read_phase(folder, phase) for phase in PHASES}
    names = [revision.revision for revisions in found.values() for revision in revisions]
    if double := sorted({name for name in names if names.count(name) > 1}):
        raise BadTreeError(f"migrations: revision {double[0]} is in two files, expected one file each; rename one")
    if not found["expand"]:
        raise BadTreeError(
            f"migrations: {FOLDERS['expand']}/ has no revision, expected the one that makes the first table; "
            "see that the image holds the folder (its Dockerfile, .dockerignore)"
        )
    chains = {phase: _chain(phase, revisions) for phase, revisions in found.items()}
    for phase, chain in chains.items():
        _require_head(folder / FOLDERS[phase] / HEAD, chain)
    tree = Tree(expand=chains["expand"], contract=chains["contract"], backfill=chains["backfill"])
    for revision in tree.all():
        if missing := sorted(set(revision.depends_on) - set(names)):
            raise BadTreeError(f"migrations: {revision.file.name} depends on {missing[0]}, which is in no file")
        if missing := sorted(set(revision.needs_backfills) - tree.known("backfill")):
            raise BadTreeError(f"migrations: {revision.file.name} needs backfill {missing[0]}, which is in no file")
    wellformed.require(tree.backfill, tree.known("expand"))
    return tree


def _read_phase(folder: Path, phase: Phase) -> list[Revision]:
    files = sorted((folder / FOLDERS[phase]).glob("*.py"))
    return [read_revision(file, phase) for file in files if file.name != "__init__.py"]


def _require_head(file: Path, chain: tuple[Revision, ...]) -> None:
    wanted = chain[-1].file.stem if chain else ""
    found = file.read_text(encoding="utf-8").strip() if file.exists() else ""
    # An image is read with the revision's name too; the project's own trees are held to the longer one by a test.
    if found not in ({wanted, chain[-1].revision} if chain else {""}):
        raise BadTreeError(
            f"migrations: {file.parent.name}/{HEAD} says {found or 'nothing'}, expected {wanted or 'no such file'}, "
            "the file of the folder's newest revision; write its name there (a conflict in this file means that two "
            "branches added a revision: let the later one follow the other)"
        )


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
