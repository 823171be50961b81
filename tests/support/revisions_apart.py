"""Trees cut so that they end with one revision: a test runs each revision by itself, in its place in the order."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from migrations.errors import BadTreeError
from migrations.tree import FOLDERS, HEAD, PHASES, Revision, read_tree
from rehearsal.trees import CHECKOUT, RELEASES, lay


@dataclass(frozen=True)
class Place:
    """One revision in the line of releases."""

    before: str | None  # the release that serves when this one is applied; None: the first one
    release: str  # the release that brings it
    revision: str
    phase: str

    @property
    def id(self) -> str:
        """Name of a test's case."""
        return f"{self.release}-{self.revision}"


# The example's releases, and the checkout as it is, after the first of them.
LINES = (RELEASES, ("v1", CHECKOUT))


def cases(into: Path) -> list[Place]:
    """Every revision of every line of releases, each once. What can't be read has none."""
    found: dict[str, Place] = {}
    for releases in LINES:
        with suppress(BadTreeError):  # when tests are collected: raised there, it would end the others too
            found = {place.id: place for place in read_line(releases, into)} | found
    return list(found.values())


def read_line(releases: tuple[str, ...], into: Path) -> list[Place]:
    """Its revisions, laid as folders in `into`. Raises BadTreeError."""
    trees = {name: lay(name, into) for name in releases}
    # A checkout that no longer begins as v1 does is another service, and nothing was served before it.
    other = CHECKOUT in releases and not _goes_on(trees)
    return list(places(trees, (CHECKOUT,) if other else releases))


def _goes_on(trees: Mapping[str, Path]) -> bool:
    first, checkout = ({(one.revision, one.checksum) for one in in_order(trees[name])} for name in ("v1", CHECKOUT))
    return first <= checkout


def places(trees: Mapping[str, Path], releases: tuple[str, ...] = RELEASES) -> Iterator[Place]:
    """Every revision, in the order in which it comes to a database whose releases follow each other."""
    known: set[str] = set()
    before: str | None = None
    for release in releases:
        for revision in in_order(trees[release]):
            if revision.revision not in known:
                yield Place(before, release, revision.revision, revision.phase)
                known.add(revision.revision)
        before = release


def in_order(tree: Path) -> list[Revision]:
    """The tree's revisions as a release runs them: expand, backfills, contract."""
    found = read_tree(tree / "migrations")
    return [*found.expand, *found.backfill, *found.contract]


def cut(tree: Path, last: str | None, into: Path) -> Path:
    """A copy of the tree without the revisions after `last`; None leaves none."""
    shutil.copytree(tree, into)
    ordered = in_order(into)
    names = [revision.revision for revision in ordered]
    kept = set(names[: names.index(last) + 1]) if last is not None else set()
    for revision in ordered:
        if revision.revision not in kept:
            revision.file.unlink()
    for phase in PHASES:
        head = into / "migrations" / FOLDERS[phase] / HEAD
        left = [revision.revision for revision in ordered if revision.phase == phase and revision.revision in kept]
        if left:
            head.write_text(f"{left[-1]}\n")
        else:
            head.unlink(missing_ok=True)
    return into


def before(tree: Path, revision: str) -> str | None:
    """The revision that a release runs before this one."""
    names = [each.revision for each in in_order(tree)]
    at = names.index(revision)
    return names[at - 1] if at else None
