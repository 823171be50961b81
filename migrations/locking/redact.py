"""A query without its literals, fit for a log: a literal may be a person's data.

A small lexer for PostgreSQL's lexical rules. What it does not understand for certain is replaced whole: a text that was
cut off inside a string, a backslash in a plain string (it means two things, by `standard_conforming_strings`), a
character that begins no token.
"""

from __future__ import annotations

import re

NOT_SHOWN = "(not shown: cannot be told from its literals)"
_LONGEST = 200
_HIDDEN = "?"

# Tried in this order at each place. `*+` gives nothing back: a string ends where the server ends it. Letters beyond
# ASCII are part of names, as the server has it.
_TOKENS = re.compile(
    r"""
      (?P<space>      [\ \t\r\n\f\v]+ )
    | (?P<line>       --[^\r\n]* )
    | (?P<block>      /\* )
    | (?P<escape>     [eE]'(?:[^'\\]|''|\\.)*+' )
    | (?P<string>     (?:[bBxXnN]|[uU]&)?'(?:[^'\\]|'')*+' )
    | (?P<dollar>     \$(?P<tag>(?:[A-Za-z_\x80-\U0010ffff][A-Za-z0-9_\x80-\U0010ffff]*)?)\$.*?\$(?P=tag)\$ )
    | (?P<quoted>     (?:[uU]&)?"(?:[^"]|"")++" )
    | (?P<parameter>  \$[0-9]+(?![A-Za-z0-9_$.\x80-\U0010ffff]) )
    | (?P<number>     \.?[0-9][A-Za-z0-9_.\x80-\U0010ffff]* )
    | (?P<word>       [A-Za-z_\x80-\U0010ffff][A-Za-z0-9_$\x80-\U0010ffff]* )
    | (?P<operator>   [-+*/<>=~!@\#%^&|`?,;:.()\[\]{}]  )
    """,
    re.VERBOSE | re.DOTALL,
)
_PLAIN_NAME = re.compile(r'"[A-Za-z_][A-Za-z0-9_]*"')
_COMMENT_MARK = re.compile(r"/\*|\*/")


def redact(query: str) -> str:
    """The query on one line, each literal a question mark, without comments; NOT_SHOWN where that is not certain."""
    parts: list[str] = []
    at = 0
    while at < len(query):
        found = _TOKENS.match(query, at)
        if found is None:
            return NOT_SHOWN
        at = found.end()
        if found.lastgroup == "block":
            end = _end_of_comment(query, at)
            if end is None:
                return NOT_SHOWN
            at = end
        parts.append(_shown(found))
    text = " ".join("".join(parts).split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def _shown(token: re.Match[str]) -> str:
    text = token.group()
    match token.lastgroup:
        case "space" | "line" | "block":
            return " "
        case "word" | "operator" | "parameter":
            return text
        case "quoted" if _PLAIN_NAME.fullmatch(text):
            return text
        case _:  # strings and numbers, and a quoted name that may be anything, such as a column's title
            return _HIDDEN


def _end_of_comment(query: str, at: int) -> int | None:
    """Where the block comment ends that began right before `at`; they nest. None: nowhere."""
    depth = 1
    for mark in _COMMENT_MARK.finditer(query, at):
        depth += 1 if mark.group() == "/*" else -1
        if depth == 0:
            return mark.end()
    return None
