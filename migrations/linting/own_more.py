"""More rules of our own: what a statement does to others than the service, and a check that hides in a new column."""

from __future__ import annotations

import re
from collections.abc import Collection

from migrations.history_tables import OWN_TABLES
from migrations.linting.syntax import Node

_NAMED = ("RELATION_NAME_REF", "TABLE_NAME", "TABLE_NAME_REF", "VIEW")
_WITH_BODY = ("CREATE_FUNCTION", "CREATE_PROCEDURE")
_OWN_TABLE = re.compile(rf"\b({'|'.join(OWN_TABLES)})\b", re.IGNORECASE)
_REPLICATION = ("PUBLICATION", "SUBSCRIPTION")
# Squawk has rules for what of these is not harmless.
_ALTERED = (
    "AGGREGATE", "DATABASE", "DEFAULT_PRIVILEGES", "DOMAIN", "EXTENSION", "FOREIGN_TABLE", "FUNCTION", "GROUP", "INDEX",
    "MATERIALIZED_VIEW", "POLICY", "PROCEDURE", "ROLE", "ROUTINE", "SCHEMA", "SEQUENCE", "STATISTICS", "SYSTEM",
    "TABLE", "TRIGGER", "TYPE", "USER", "VIEW",
)  # fmt: skip
_BANNED = {
    "ban-event-trigger": ("ALTER_EVENT_TRIGGER", "CREATE_EVENT_TRIGGER"),
    "ban-replication": tuple(f"{verb}_{what}" for verb in ("ALTER", "CREATE", "DROP") for what in _REPLICATION),
    "ban-rule": ("ALTER_RULE", "CREATE_RULE"),
    "owned-by-role": ("DROP_OWNED", "REASSIGN"),
}


def banned(node: Node) -> tuple[str, str]:
    """The rule that forbids this kind of statement, with its message; two empty texts where none does."""
    rule = next((rule for rule, kinds in _BANNED.items() if node.kind in kinds), "")
    return rule, f"{node.kind.replace('_', ' ')} reaches beyond the tables of this service" if rule else ""


def column_check(node: Node, table: str, made_here: Collection[str]) -> str:
    """A CHECK that comes with its column cannot be NOT VALID: PostgreSQL reads every row at once."""
    if node.kind != "ALTER_TABLE" or table in made_here:
        return ""
    checked = any(column.has("CHECK_CONSTRAINT") for column in node.all("ADD_COLUMN"))
    return f"its CHECK reads all of {table} while nobody else may read or write it" if checked else ""


def runners_table(node: Node) -> str:
    """Any use of a table that the runner keeps its own records in."""
    found = next((name.name for name in node.all(*_NAMED) if name.name in OWN_TABLES), "")
    if not found and node.kind in _WITH_BODY and (inside := _OWN_TABLE.search(node.text)):
        found = inside[1].lower()
    return f"{found} is a table of the runner's own" if found else ""


def other(node: Node) -> tuple[str, str]:
    """The rule for a DROP or ALTER that no other rule knows, with its message; two empty texts where one does."""
    what = node.kind.replace("_", " ")
    if node.kind.startswith("DROP_"):
        return "ban-drop-other", f"{what} may take away what a version that is live needs"
    known = node.kind.removeprefix("ALTER_") in _ALTERED or any(node.kind in kinds for kinds in _BANNED.values())
    if not node.kind.startswith("ALTER_") or known or node.child("REFRESH_VERSION"):
        return "", ""
    return "ban-alter-other", f"{what} may change what a version that is live uses"


def implicit_conversion(node: Node) -> str:
    """What PostgreSQL takes without being asked, in statements of the version that is live too."""
    by_itself = {
        "CREATE_CAST": ("AS_ASSIGNMENT", "AS_IMPLICIT"),
        "CREATE_CONVERSION": ("DEFAULT_KW",),
        "CREATE_OPERATOR_CLASS": ("DEFAULT_KW",),
    }.get(node.kind)
    asked = by_itself is None or node.child(*by_itself) is None
    return "" if asked else f"{node.kind.replace('_', ' ')} that is used without being named"
