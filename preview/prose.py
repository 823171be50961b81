"""Text of others inside Markdown: whatever is in it, it stays text.

A comment on a change request is posted by a build server that may be allowed more than who wrote the revision. So no
reason and no SQL makes a heading, an image, a link, a tag or a mention. A forge looks for mentions and bare addresses
after the Markdown is read, where a backslash is gone already: there a character of no width stands between.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from preview.visible import visible

LONGEST: Final = 1_000  # characters of one text
REST: Final = "see the JSON file"
APART: Final = "&#8203;"
_SIGNS: Final = {
    **{sign: f"\\{sign}" for sign in "\\`*_[]~|"},
    "<": "&lt;",
    ">": "&gt;",
    "&": "&amp;",
    "@": f"@{APART}",
    "#": f"#{APART}",
}
_SPAN: Final = re.compile(r"(?<!`)`([^`]*[^`\s][^`]*)`(?!`)")
_ADDRESS: Final = re.compile(r"(?<=:)(?=//)|(?<=www)(?=\.)", re.IGNORECASE)
# At the beginning of a line: a list, the line under a heading or a table's head, what a forge takes as a command.
_BEGINS: Final = re.compile(r"\A(?:([-+=:/])|(\d{1,9})(?=[.)](?:\s|$)))")


def prose(value: str, *, cell: bool = False) -> str:
    """A text in one line; code in it stays code. `cell`: in a table."""
    text = _one_line(value, LONGEST, f"… ({REST})")
    parts = _SPAN.split(text)
    shown = "".join(code(one, cell=cell) if place % 2 else _escaped(one) for place, one in enumerate(parts))
    return _BEGINS.sub(lambda found: f"\\{found[1]}" if found[1] else f"{found[2]}\\", shown)


def code(value: str, *, cell: bool = False, longest: int = LONGEST) -> str:
    """Code inside a line. Nothing is a sign in it but the back-tick, and in a table the bar."""
    text = _one_line(value, longest, "…")
    if not text:
        return ""
    marks = "`" * (1 + longest_run(text))
    inside = f" {text} " if "`" in (text[0], text[-1]) else text
    shown = f"{marks}{inside}{marks}"
    return shown.replace("|", "\\|") if cell else shown


def fenced(lines: Iterable[str], language: str = "") -> list[str]:
    """Code in lines of its own. One column in, which Markdown takes off again: a forge may act on a first column."""
    inside = [line for given in lines for line in visible(given).split("\n")]
    fence = "`" * max(3, 1 + max(map(longest_run, inside), default=0))
    return [f" {fence}{language}", *(f" {line}" for line in inside), f" {fence}"]


def longest_run(text: str) -> int:
    """How many back-ticks in a row."""
    return max(map(len, re.findall("`+", text)), default=0)


def _escaped(text: str) -> str:
    return _ADDRESS.sub(APART, "".join(_SIGNS.get(one, one) for one in text))


def _one_line(value: str, longest: int, cut: str) -> str:
    text = " ".join(visible(value).split())
    return text if len(text) <= longest else f"{text[: longest - len(cut)]}{cut}"
