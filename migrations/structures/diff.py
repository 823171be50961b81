"""How two structures differ, in words, and whether a running service or the next revision may break on it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from migrations.structures.ddl import split_name
from migrations.structures.structure import Structure

Change = Literal["missing", "added", "changed"]
Key = tuple[str, str]
# Their absence or presence changes how fast the service is, and not what it may do.
_HARMLESS = ("index", "statistics")
# New ones are in nobody's way.
_HARMLESS_WHEN_ADDED = ("extension", "type", "sequence", "function", "table", "column", "sequence owner", "view")
_OTHER_HARMLESS = ("index ", "storage ", "tablespace ", "replica identity ")
# How a table or an index is stored and vacuumed, which a person tunes by hand; never the bounds of a partition.
_STORAGE = re.compile(r"(?<!FOR VALUES) WITH \([^()]*\)$")
_STORAGE_TOLD = "its storage parameters"
_STORED = ("table", "index")
# A partition comes and goes with time, by whoever keeps so many months of rows; the table it is of stays as it is.
_PARTITION = re.compile(r"(?:UNLOGGED )?TABLE\| PARTITION OF (.+?) (?:FOR VALUES |DEFAULT)")
_PARTS = ("column", "constraint", "index", "statistics", "trigger", "trigger state")


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One thing that is not as expected."""

    kind: str
    name: str
    change: Change
    breaking: bool
    detail: str = ""

    def __str__(self) -> str:
        what = {"missing": "is missing", "added": "was added", "changed": "differs"}[self.change]
        name = self.name if self.kind == "other" else f"{self.kind} {self.name}"
        return f"{name} {what}" + (f" ({self.detail})" if self.detail else "")

    def as_json(self) -> dict[str, object]:
        """For the result."""
        return {"kind": self.kind, "name": self.name, "change": self.change, "breaking": self.breaking}


def compare(expected: Structure, found: Structure) -> Iterator[Difference]:
    """Every difference; the parts of a table that is missing or new as a whole are not named one by one."""
    old, new = expected.definitions, found.definitions
    for key in [*old, *(key for key in new if key not in old)]:
        if old.get(key) == new.get(key) or _part_of_whole(key, old, new):
            continue
        change: Change = "missing" if key not in new else "added" if key not in old else "changed"
        definition = new[key] if key in new else old[key]
        harmless = _harmless(key, old.get(key), new.get(key))
        yield Difference(
            kind=key[0],
            name=key[1],
            change=change,
            breaking=not harmless and _breaking(key, change, definition),
            detail=harmless or (_detail(key[0], old[key], new[key]) if change == "changed" else ""),
        )


def _harmless(key: Key, old: str | None, new: str | None) -> str:
    """What is said of a difference that harms nothing whatever else is; empty where there is nothing to say."""
    if old is not None and new is not None and _differs_in_storage_only(key[0], old, new):
        return _STORAGE_TOLD
    before, after = _parent(key, old), _parent(key, new)
    if bool(before) == bool(after):
        return ""
    if old is None or new is None:
        return f"a partition of {before or after}"
    return f"detached from {before}" if before else f"attached to {after}"


def _parent(key: Key, definition: str | None) -> str:
    """The table that it is a partition of."""
    found = _PARTITION.match(definition) if definition and key[0] == "table" else None
    return found.group(1) if found else ""


def _differs_in_storage_only(kind: str, old: str, new: str) -> bool:
    return kind in _STORED and _STORAGE.sub("", old) == _STORAGE.sub("", new)


def _part_of_whole(key: Key, old: Mapping[Key, str], new: Mapping[Key, str]) -> bool:
    table = ("table", split_name(key[1])[0])
    before, after = old.get(table), new.get(table)
    # What a partition has of its own is what the table has that it was detached from, or attached to.
    apart = (before is None) != (after is None) or bool(_parent(table, before)) != bool(_parent(table, after))
    return key[0] in _PARTS and apart


def _breaking(key: Key, change: Change, definition: str) -> bool:
    kind, name = key
    if kind == "other":
        return not name.startswith(_OTHER_HARMLESS)
    if kind in _HARMLESS:
        return definition.startswith("CREATE UNIQUE")
    if change != "added":
        return True
    if kind == "column":
        return " NOT NULL" in definition and " DEFAULT " not in definition and " GENERATED " not in definition
    return kind not in _HARMLESS_WHEN_ADDED


def _detail(kind: str, old: str, new: str) -> str:
    """What a column is now; an expression is never told, it may hold a literal."""
    if kind != "column":
        return ""
    before, after = (re.split(r" (?:DEFAULT|GENERATED) ", text)[0] for text in (old, new))
    return f"it is {after}, expected {before}" if before != after else "its default"
