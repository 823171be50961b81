"""Is a value of an enum used in the transaction that adds it? PostgreSQL refuses that before the value is committed.

A value can be written in many ways: values are compared, not their spelling. What cannot be read for certain counts as
a use.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from migrations.linting.calls import called
from migrations.linting.syntax import Node

_ESCAPED = frozenset({"ESC_STRING", "UNICODE_ESC_STRING"})
_STRINGS = frozenset({"STRING", "NATIONAL_STRING", "DOLLAR_QUOTED_STRING", *_ESCAPED})
_DOLLARS = re.compile(r"(\$[^$]*\$)(.*)\1", re.DOTALL)
# These carry texts, and no values of an enum.
_NO_USE = ("COMMENT_ON", "SECURITY_LABEL")
_WITH_BODY = ("CREATE_FUNCTION", "CREATE_PROCEDURE")
_ALL_VALUES = frozenset({"enum_first", "enum_last", "enum_range"})
_COMPOSED = ("{", "(", "[")  # an array, a row, a range: the value stands among others


def used(node: Node, earlier: Node) -> str:
    """Why the statement uses what an earlier one of its transaction adds to an enum; empty where it does not."""
    added = earlier.child("ADD_VALUE") if earlier.kind == "ALTER_TYPE" else None
    literal = added.child("LITERAL") if added else None
    if literal is None or node.kind in _NO_USE or node.child("ADD_VALUE") is not None:
        return ""
    value, enum = text_of(literal), _name(earlier, "TYPE_NAME_REF")
    if any(_means(text, value) for text in _texts(node)) or _in_a_body(node, value):
        return f"{literal.text} was added to its enum in the same transaction"
    if _made_of_other(node, enum) or any(name in _ALL_VALUES for name in called(node)):
        return f"{literal.text} was added to {enum} in the same transaction, and a value of {enum} is made here"
    return ""


def text_of(literal: Node) -> str | None:
    """What a literal of one or more strings stands for; None where it has escapes, which are not read here."""
    strings = [child for child in literal.children if child.kind in _STRINGS]
    escaped = any(child.kind in _ESCAPED for child in strings)
    if escaped and (literal.child("UESCAPE_KW") or any("\\" in child.text for child in strings)):
        return None
    return "".join(_unquoted(child) for child in strings)


def _unquoted(string: Node) -> str:
    if string.kind == "DOLLAR_QUOTED_STRING":
        inside = _DOLLARS.fullmatch(string.text)
        return inside[2] if inside else string.text
    return string.text.partition("'")[2].removesuffix("'").replace("''", "'")


def _texts(node: Node) -> Iterator[str | None]:
    return (
        text_of(literal) for literal in node.all("LITERAL") if any(one.kind in _STRINGS for one in literal.children)
    )


def _means(text: str | None, value: str | None) -> bool:
    if text is None or value is None:
        return True
    return text == value or (text.lstrip().startswith(_COMPOSED) and value in text)


def _in_a_body(node: Node, value: str | None) -> bool:
    """PostgreSQL reads the values in a body of SQL when the function is made; one of PL/pgSQL not before it runs."""
    if node.kind not in _WITH_BODY or any("plpgsql" in one.text.lower() for one in node.all("LANGUAGE_FUNC_OPTION")):
        return False
    return any(text is None or value is None or value in text for text in _texts(node))


def _made_of_other(node: Node, enum: str) -> bool:
    """A cast to the enum of something else than one literal: what it yields is not known here."""
    return any(
        cast.child("LITERAL") is None and _name(cast, "PATH_TYPE") == enum
        for cast in node.all("CAST_EXPR")
    )  # fmt: skip


def _name(node: Node, kind: str) -> str:
    found = node.child(kind)
    return found.name if found else ""
