"""What a preview knows of a database that is to be taken over: nothing is on record of it, and it is not empty."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from migrations.errors import SettingError
from migrations.tree import read_tree

Facts = Mapping[str, Any]


def adopted(tree: Path | None, through: str, facts: Facts | None) -> tuple[str, ...]:
    """The expand revisions that will be recorded and not run; none where a history is on record.

    Raises SettingError where the tree has no such revision.
    """
    if tree is None or not through or (facts and facts.get("revisions")):
        return ()
    names = [revision.revision for revision in read_tree(tree).expand]
    if through not in names:
        raise SettingError(
            f"bluegreen:adopt is {through}, which is no expand revision of this version; expected one of "
            f"{', '.join(names) or 'none, it has no expand revision'}"
        )
    return tuple(names[: names.index(through) + 1])


def as_applied(names: tuple[str, ...], facts: Facts | None) -> Facts | None:
    """The facts for the examination: what is recorded and not run is there already."""
    return {**(facts or {}), "revisions": list(names)} if names else facts


def note(names: tuple[str, ...]) -> str:
    """For the reader of the report."""
    return (
        f"adopts {', '.join(names)}: recorded, not run, once what lies in the database is found to be what they make "
        "(in an empty database they are run instead)"
    )
