"""The structure of schema `public`, read from PostgreSQL's catalog: no rows, no rights, no statistics.

Two databases that revisions made alike read alike, whatever their oids, the order of their columns and the schema's
name: PostgreSQL itself writes each definition, with the schema as the only one on the search path. What is not
modelled is listed. The runner's own tables are left out.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from psycopg import sql

from migrations.database import Connection
from migrations.history import OWN_TABLES
from migrations.structures import sql as queries
from migrations.structures.rest import OUTSIDE

SCHEMA = "public"
# In the order in which they can be made, where no dependency says otherwise.
KINDS = (
    "extension",
    "type",
    "sequence",
    "function",
    "table",
    "column",
    "sequence owner",
    "constraint",
    "view",
    "index",
    "statistics",
    "trigger",
    "trigger state",
    "other",
)
Address = tuple[int, int]  # catalog and row, as pg_depend names an object


@dataclass(frozen=True, kw_only=True)
class Item:
    """One thing of the schema. `name` is quoted where it must be, and says the table first where it has one."""

    kind: str
    name: str
    definition: str

    @property
    def key(self) -> tuple[str, str]:
        """What it is the definition of."""
        return self.kind, self.name

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True, kw_only=True)
class Structure:
    """All items in an order in which they can be made, and what lies outside of what is read."""

    items: tuple[Item, ...]
    outside: tuple[str, ...] = ()  # other schemas and what belongs to the whole database: never compared

    @property
    def definitions(self) -> Mapping[tuple[str, str], str]:
        """Definition by kind and name: equal for two structures that are alike."""
        return {item.key: item.definition for item in self.items}

    @property
    def not_modelled(self) -> tuple[str, ...]:
        """What cannot be written as DDL: compared by its name only, or not at all."""
        return (*(item.name for item in self.items if item.kind == "other"), *self.outside)

    @property
    def fingerprint(self) -> str:
        """Equal for equal structures."""
        found = sorted([*key, definition] for key, definition in self.definitions.items())
        return hashlib.sha256(json.dumps(found).encode()).hexdigest()[:16]

    def as_json(self) -> list[list[str]]:
        """To store it."""
        return [[item.kind, item.name, item.definition] for item in self.items]

    @classmethod
    def of_json(cls, rows: Sequence[Sequence[str]]) -> Self:
        """As it was stored."""
        return cls(items=tuple(Item(kind=row[0], name=row[1], definition=row[2]) for row in rows))


def read(connection: Connection, schema: str = SCHEMA) -> Structure:
    """The structure as it is. PostgreSQL's own deparsing shares a lock on some tables for a moment, so a table that
    somebody has locked for himself ends this with LockNotAvailable after the session's lock_timeout.
    """
    with connection.transaction():
        # Names of this schema are written without it, all others with theirs.
        connection.execute(sql.SQL("SET LOCAL search_path = {}").format(sql.Identifier(schema)))
        connection.execute(queries.ONE_WAY_OF_WRITING)
        found = dict(_read_items(connection, schema))
        depends = _dependencies(connection, found)
        rows = connection.execute(OUTSIDE, {"schema": schema}).fetchall()
    return Structure(items=tuple(_in_order(found, depends)), outside=tuple(str(row[0]) for row in rows))


def relations(connection: Connection, schema: str = SCHEMA) -> list[str]:
    """Tables, views and sequences besides the runner's own and what extensions brought: none in an empty database."""
    rows = connection.execute(queries.RELATIONS, {"schema": schema, "own": list(OWN_TABLES)})
    return [str(row[0]) for row in rows]


def _read_items(connection: Connection, schema: str) -> Iterator[tuple[Address, Item]]:
    """Every item by the address that dependencies know it by."""
    parameters = {"schema": schema, "own": list(OWN_TABLES)}
    for kind, query in queries.BY_KIND:
        for catalog, oid, name, definition in connection.execute(query, parameters):
            text = _without_schema(str(definition), schema) if kind in queries.ALWAYS_QUALIFIED else str(definition)
            yield (int(catalog), int(oid)), Item(kind=kind, name=str(name), definition=text)


def _without_schema(definition: str, schema: str) -> str:
    """PostgreSQL always writes the schema of these in their first line, even where it is on the search path."""
    quoted = sql.Identifier(schema).as_string()
    for name in (schema, quoted):
        for verb in ("FUNCTION", "PROCEDURE", "STATISTICS"):
            head = f"{verb} {name}."
            first, line, rest = definition.partition("\n")
            if head in first:
                return first.replace(head, f"{verb} ", 1) + line + rest
    return definition


def _dependencies(connection: Connection, found: Mapping[Address, Item]) -> dict[Address, set[Address]]:
    """Which item needs which others to be there before it."""
    # Parts that have an address of their own: a table's row type, a column's default, a constraint's index ...
    alias = {
        (int(row[0]), int(row[1])): (int(row[2]), int(row[3])) for row in connection.execute(queries.PARTS).fetchall()
    }
    needs: dict[Address, set[Address]] = {}
    for row in connection.execute(queries.DEPENDENCIES):
        who, whom = (int(row[0]), int(row[1])), (int(row[2]), int(row[3]))
        who, whom = alias.get(who, who), alias.get(whom, whom)
        # A sequence that a column owns: the column's default needs it, and it is given to the column afterwards.
        if who in found and whom in found and who != whom and found[who].kind != "sequence":
            needs.setdefault(who, set()).add(whom)
    return needs


def _in_order(found: Mapping[Address, Item], needs: Mapping[Address, set[Address]]) -> list[Item]:
    """By kind, and whatever an item needs before it."""
    place = {address: at for at, address in enumerate(found)}
    done: dict[Address, Item] = {}

    def visit(address: Address, above: frozenset[Address]) -> None:
        if address in done or address in above:
            return
        for need in sorted(needs.get(address, ()), key=place.__getitem__):
            visit(need, above | {address})
        done[address] = found[address]

    for address in found:
        visit(address, frozenset())
    return list(done.values())
