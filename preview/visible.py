"""Text of others, shown so that a reader sees all of it: SQL, reasons, file names, messages.

A control character moves the cursor or colors what follows, a direction mark turns a line around, and the Pulumi CLI
takes what looks like its color tags out. Each stands as Python's escape of it instead: `\\x1b`, `\\u202e`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

COLOR_TAG: Final = "<{%"  # begins a color tag of the Pulumi CLI
BROKEN_TAG: Final = "<{\\x25"


def visible(text: str) -> str:
    """Nothing in it but what can be seen, and line ends and tabs. Doing it twice changes nothing."""
    return "\n".join(map(_visible, text.replace("\r\n", "\n").split("\n")))


def terminal(text: str) -> str:
    """The same for what the Pulumi CLI prints."""
    return visible(text).replace(COLOR_TAG, BROKEN_TAG)


def everywhere(value: Any, change: Callable[[str], str]) -> Any:
    """The same data with each text in it changed."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {change(str(key)): everywhere(one, change) for key, one in value.items()}
    return [everywhere(one, change) for one in value] if isinstance(value, list | tuple) else value


def _visible(line: str) -> str:
    if line.isprintable():
        return line
    return "".join(one if one.isprintable() or one == "\t" else _escaped(one) for one in line)


def _escaped(one: str) -> str:
    return one.encode("unicode_escape").decode("ascii")
