"""The schema rule: may an image serve a database?

If and only if every contract revision applied to the database, or begun, is known in the image's tree. A contract
revision ships only in a version that no longer needs what it removes, so knowing it is the proof. An expand revision
that the image does not know only added something, so it is harmless.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self

from migrations.tree import Phase, Revision, Tree


@dataclass(frozen=True, kw_only=True)
class Applied:
    """What the database says was applied to it."""

    expand: frozenset[str]
    contract: frozenset[str]
    backfill: frozenset[str] = frozenset()
    # Contract revisions that a run was broken off in: what they remove may be gone. Those whose phase nobody wrote down
    # are among them.
    begun: frozenset[str] = frozenset()

    @property
    def all(self) -> frozenset[str]:
        """Of every phase, come to its end."""
        return self.expand | self.contract | self.backfill

    @property
    def removing(self) -> frozenset[str]:
        """All that may have removed something."""
        return self.contract | self.begun

    @classmethod
    def of(cls, rows: Iterable[Sequence[Any]]) -> Self:
        """From rows of revision, phase, and whether it was only begun."""
        found = [(str(row[0]), row[1], bool(row[2])) for row in rows]

        def done(wanted: Phase) -> frozenset[str]:
            return frozenset(name for name, phase, begun in found if phase == wanted and not begun)

        return cls(
            expand=done("expand"),
            contract=done("contract"),
            backfill=done("backfill"),
            begun=frozenset(name for name, phase, begun in found if begun and phase in (None, "contract")),
        )

    def told(self, names: Iterable[str]) -> list[str]:
        """Contract revisions for a person: which of them are half done."""
        return [f"{name} (begun, not completed)" if name not in self.contract else name for name in names]


@dataclass(frozen=True, kw_only=True)
class Known:
    """Which contract revisions a version was seen to know, in order of first release."""

    version: str
    contract: frozenset[str]


def unknown_contracts(tree: Tree, applied: Applied) -> list[str]:
    """Contract revisions of the database that the image does not know: none means servable.

    One that was begun counts as applied. Where its phase is not on record, only a tree that has it as an expand takes
    it for one.
    """
    return sorted(applied.removing - tree.known("contract") - (tree.known("expand") - applied.contract))


def missing_expands(tree: Tree, applied: Applied) -> list[str]:
    """Expand revisions the image needs and the database lacks, in order."""
    return [revision.revision for revision in pending(tree, applied, "expand")]


def pending(tree: Tree, applied: Applied, phase: Phase) -> list[Revision]:
    """The revisions of a phase that the database lacks, in order."""
    return [revision for revision in tree.phase(phase) if revision.revision not in applied.all]


def reason_not_servable(tree: Tree, applied: Applied) -> str | None:
    """None when the image can serve the database as it is now, else one line."""
    if unknown := unknown_contracts(tree, applied):
        return f"schema: contract {', '.join(applied.told(unknown))} is applied and this image does not know it"
    if missing := missing_expands(tree, applied):
        return f"schema: expand {', '.join(missing)} is not applied, this image needs it"
    return None


def oldest_able(applied: Applied, versions: Sequence[Known]) -> str | None:
    """The version first released among those that know every contract revision applied or begun."""
    return next((known.version for known in versions if applied.removing <= known.contract), None)


def hint(able: str | None) -> str:
    """What can serve instead."""
    return (
        f"the oldest version that can serve is {able}"
        if able
        else "no version seen here can, release one that knows it"
    )


def refusal(version: str, unknown: Sequence[str], able: str | None) -> str:
    """One line: what the version lacks and what can serve instead."""
    names = ", ".join(unknown)
    return f"version {version} cannot serve this database: contract {names} removed what it needs; {hint(able)}"


def needed_backfills(tree: Tree, applied: Applied) -> list[str]:
    """Pending backfills through the last one that the image itself needs: one of its contract revisions does, and a
    version that brings a contract no longer reads what that removes. Those before it come with it, in their order.
    """
    needed = {name for revision in tree.contract for name in revision.needs_backfills}
    names = [revision.revision for revision in pending(tree, applied, "backfill")]
    last = max((at for at, name in enumerate(names, 1) if name in needed), default=0)
    return names[:last]
