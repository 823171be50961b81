"""What the example's next versions build on, of the revisions that a checkout has.

`rehearsal/overlays/` names its revisions itself, and its first ones follow one of the checkout's. A revision that you
add there would follow the same one, or be named alike: two heads, or one name in two files. So the versions that are
laid begin with the revision that the overlays follow and what is before it, whatever was added after it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from migrations.errors import BadTreeError
from migrations.revision_file import FOLDERS, Phase, Revision, read_revision
from migrations.tree import HEAD, PHASES


@dataclass(frozen=True, kw_only=True)
class Base:
    """The revisions of a checkout, in two."""

    kept: tuple[Revision, ...]
    left_out: tuple[Path, ...]  # files, phase by phase
    follows: tuple[str, ...]  # the revisions that the overlays name; none: they bring all that they need

    def line(self) -> str:
        """What is left out and why; empty when nothing is."""
        if not self.left_out:
            return ""
        reason = f"build on {' and '.join(self.follows)}" if self.follows else "bring every revision of theirs"
        names = ", ".join(f"{file.parent.name}/{file.stem}" for file in self.left_out)
        return (
            f"the example's next versions in rehearsal/overlays {reason} (docs/rehearsal.md, Versions), so these "
            f"revisions of the checkout are left out: {names}"
        )


def read_base(migrations: Path, overlays: Iterable[Path]) -> Base:
    """Divide the revisions of a folder `migrations`. Raises BadTreeError when what the overlays follow is not there.

    A file that nobody follows need not make sense: it is left out.
    """
    theirs = [revision for overlay in overlays for revision in _read(overlay / "migrations")]
    follows = sorted(_named(theirs) - {revision.revision for revision in theirs})
    unreadable: list[BadTreeError] = []
    mine: dict[str, list[Revision]] = {}
    for revision in _read(migrations, unreadable):
        mine.setdefault(revision.revision, []).append(revision)
    if missing := [name for name in follows if name not in mine]:
        if unreadable:
            raise unreadable[0]
        first = next(revision for revision in theirs if missing[0] in _named([revision]))
        raise BadTreeError(
            f"rehearsal/overlays: {first.file.name} follows {missing[0]}, which is in no file of migrations/; the "
            "overlays are the next versions of the example: keep its first one as rehearsal/overlays/v1, or replace "
            "them by your own (docs/rehearsal.md, Versions)"
        )
    kept = _with_what_is_before(follows, mine)
    files = {revision.file for revision in kept}
    left_out = tuple(file for phase in PHASES for file in _files(migrations, phase) if file not in files)
    return Base(kept=kept, left_out=left_out, follows=tuple(follows))


def cut(migrations: Path, overlays: Iterable[Path]) -> None:
    """Take what the overlays do not build on out of the folder. Raises BadTreeError, OSError."""
    base = read_base(migrations, overlays)
    for file in base.left_out:
        file.unlink()
    for phase in PHASES:
        head = migrations / FOLDERS[phase] / HEAD
        if newest := _newest([revision for revision in base.kept if revision.phase == phase]):
            head.write_text(f"{newest}\n", encoding="utf-8")
        else:
            head.unlink(missing_ok=True)


def _files(migrations: Path, phase: Phase) -> list[Path]:
    return sorted(file for file in (migrations / FOLDERS[phase]).glob("*.py") if file.name != "__init__.py")


def _read(migrations: Path, unreadable: list[BadTreeError] | None = None) -> Iterator[Revision]:
    for phase in PHASES:
        for file in _files(migrations, phase):
            try:
                yield read_revision(file, phase)
            except BadTreeError as error:
                if unreadable is None:
                    raise
                unreadable.append(error)


def _named(revisions: Iterable[Revision]) -> set[str]:
    """The revisions that these must come after."""
    return {
        name
        for each in revisions
        for name in (each.down_revision, *each.depends_on, *each.needs_backfills)
        if name is not None
    }


def _with_what_is_before(follows: Sequence[str], mine: Mapping[str, list[Revision]]) -> tuple[Revision, ...]:
    names, at = set(follows), set(follows)
    while at:
        at = _named(revision for name in at for revision in mine.get(name, ())) - names
        names |= at
    return tuple(revision for name, found in mine.items() if name in names for revision in found)


def _newest(revisions: Sequence[Revision]) -> str:
    """Stem of the one that none of the others follows."""
    followed = {revision.down_revision for revision in revisions}
    return next((each.file.stem for each in revisions if each.revision not in followed), "")
