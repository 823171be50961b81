"""A structure as DDL that can be loaded on an empty database of the same major version.

Structure only: no rows, no rights. What is not modelled is named in a comment at the top.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from migrations.structures.structure import Item, Structure

# A function is made before the tables its body speaks of.
_SETTINGS = ("SET check_function_bodies = off",)


def statements(structure: Structure) -> list[str]:
    """The statements in order."""
    columns: dict[str, list[Item]] = {}
    for item in structure.items:
        if item.kind == "column":
            columns.setdefault(_table(item), []).append(item)
    made = [
        _table_ddl(item, columns.get(item.name, ())) if item.kind == "table" else _RENDER[item.kind](item)
        for item in structure.items
        if item.kind == "table" or item.kind in _RENDER
    ]
    return [*_SETTINGS, *made]


def render(structure: Structure) -> str:
    """All of it as one text."""
    notes = "".join(f"-- not modelled: {name}\n" for name in structure.not_modelled)
    return notes + "".join(f"{statement};\n" for statement in statements(structure))


def _table_ddl(table: Item, columns: Sequence[Item]) -> str:
    what, _, rest = table.definition.partition("|")
    listed = ",\n    ".join(f"{_part(column)} {column.definition}" for column in columns)
    # A partition takes its columns from its table.
    brackets = "" if "PARTITION OF " in rest else f" (\n    {listed}\n)" if listed else " ()"
    return f"CREATE {what} {table.name}{brackets}{rest}"


def split_name(name: str) -> tuple[str, str]:
    """Table and part of a name such as orders."a.b": a dot inside quotes does not count."""
    quoted = False
    for at, letter in enumerate(name):
        if letter == '"':
            quoted = not quoted
        elif letter == "." and not quoted:
            return name[:at], name[at + 1 :]
    return name, ""


def _table(item: Item) -> str:
    return split_name(item.name)[0]


def _part(item: Item) -> str:
    return split_name(item.name)[1]


def _as_it_is(item: Item) -> str:
    return item.definition.rstrip().rstrip(";")


def _of_two(item: Item) -> str:
    what, _, rest = item.definition.partition("|")
    return f"CREATE {what} {item.name} {rest}"


def _view(item: Item) -> str:
    return _of_two(item) + (" WITH NO DATA" if item.definition.startswith("MATERIALIZED") else "")


def _trigger_state(item: Item) -> str:
    verb, _, how = item.definition.partition(" ")
    return " ".join(filter(None, (verb, how, "TRIGGER", _part(item))))


_RENDER: Mapping[str, Callable[[Item], str]] = {
    "extension": lambda item: f"CREATE EXTENSION IF NOT EXISTS {item.name} {item.definition}".rstrip(),
    "type": _of_two,
    "sequence": _of_two,
    "sequence owner": lambda item: f"ALTER SEQUENCE {item.name} OWNED BY {item.definition}",
    "function": _as_it_is,
    "constraint": lambda item: f"ALTER TABLE {_table(item)} ADD CONSTRAINT {_part(item)} {item.definition}",
    "view": _view,
    "index": _as_it_is,
    "statistics": _as_it_is,
    "trigger": _as_it_is,
    "trigger state": lambda item: f"ALTER TABLE {_table(item)} {_trigger_state(item)}",
}
