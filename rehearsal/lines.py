"""Lines for a person at a terminal: what is said of Pulumi's progress, and no line longer than the terminal."""

from __future__ import annotations

import re
import shutil
import textwrap

# What the `bluegreen` provider tells of each state a task goes through: start and end say enough.
_PASSING = re.compile(r": task [0-9a-f]{32} [A-Z]+, [\d.]+ s$")
_ID = re.compile(r"\b([0-9a-f]{8})[0-9a-f]{24}\b")
_TWICE = re.compile(r"^(\w+: )\1")


def width() -> int:
    """Columns to use: the terminal's (or COLUMNS), 120 where there is none."""
    return min(max(shutil.get_terminal_size((120, 24)).columns, 60), 160)


def progress(message: str) -> str:
    """What of a message is shown, on one line with short ids; empty when it is noise."""
    text = " ".join(message.split())
    return "" if _PASSING.search(text) else _ID.sub(r"\1", _TWICE.sub(r"\1", text))


def fold(first: str, text: str, columns: int, most: int = 4) -> list[str]:
    """The text after `first`, its further lines below its own beginning; cut with an ellipsis after `most` lines."""
    found = textwrap.wrap(
        text, max(columns - len(first), 24), max_lines=most, placeholder=" …", break_on_hyphens=False
    ) or [""]
    return [f"{first}{found[0]}".rstrip(), *(f"{'':{len(first)}}{line}" for line in found[1:])]
