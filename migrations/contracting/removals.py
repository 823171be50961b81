"""What a statement takes away, read from its syntax: tables, columns, constraints, triggers and whatever it drops."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from migrations.linting.syntax import Node

_ALTERED = {
    "DROP_COLUMN": ("column", "COLUMN_NAME_REF"),
    "RENAME_COLUMN": ("name of column", "COLUMN_NAME_REF"),
    "DROP_CONSTRAINT": ("constraint", "CONSTRAINT_NAME_REF"),
    "RENAME_CONSTRAINT": ("name of constraint", "CONSTRAINT_NAME_REF"),
}
_ROWS = ("DELETE", "TRUNCATE")
_TABLES = ("TABLE_NAME_REF", "RELATION_NAME_REF")


@dataclass(frozen=True, kw_only=True)
class Removal:
    """One thing that is gone afterwards. `table`: the one it belongs to, empty where it belongs to none."""

    kind: str
    name: str
    table: str = ""

    def __str__(self) -> str:
        where = f"{self.table}." if self.kind.endswith("column") else ""
        on = f" on {self.table}" if self.table and not where and self.kind not in ("table", "rows") else ""
        return f"{self.kind} {where}{self.name}{on}"


def removals(statement: Node) -> Iterator[Removal]:
    """All that one statement removes; nothing where it only adds or changes."""
    if statement.kind == "ALTER_TABLE":
        yield from _altered(statement)
    elif statement.kind == "DROP_TABLE":
        for table in _children(statement, "TABLE_NAME_REF"):
            yield Removal(kind="table", name=table.name, table=table.name)
    elif statement.kind == "DROP_TRIGGER":
        yield Removal(kind="trigger", name=_first(statement, "TRIGGER_REF"), table=_first(statement, *_TABLES))
    elif statement.kind.startswith("DROP_"):
        yield from _dropped(statement)
    elif statement.kind in _ROWS:
        for table in statement.all(*_TABLES):
            yield Removal(kind="rows", name=table.name, table=table.name)


def _altered(statement: Node) -> Iterator[Removal]:
    table = _first(statement, "TABLE_NAME_REF")
    for action in statement.children:
        if action.kind in _ALTERED:
            kind, name = _ALTERED[action.kind]
            yield Removal(kind=kind, name=_first(action, name), table=table)
        elif action.kind == "TABLE_RENAME_TO":
            yield Removal(kind="name of table", name=table, table=table)


def _dropped(statement: Node) -> Iterator[Removal]:
    kind = statement.kind.removeprefix("DROP_").replace("_", " ").lower()
    named = list(_children(statement, suffix="_REF")) or list(statement.all("FUNCTION_SIG"))
    for node in named:
        # A function is named with its arguments: it is another one with others.
        yield Removal(kind=kind, name=node.text.strip() if node.kind == "FUNCTION_SIG" else node.name)
    if not named:
        yield Removal(kind=kind, name=" ".join(statement.text.split()))


def _children(node: Node, *kinds: str, suffix: str = "") -> Iterator[Node]:
    return (one for one in node.children if one.kind in kinds or (suffix and one.kind.endswith(suffix)))


def _first(node: Node, *kinds: str) -> str:
    return next((one.name for one in node.all(*kinds)), "?")
