"""Tables of plain text that stay inside a width, and a few words that are said in more than one place."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Final

WIDTH: Final = 96  # the CLI indents what a resource says by four columns
GAP: Final = "  "
LEAST: Final = 12  # columns that the flexible column keeps
CUT: Final = "…"
MIB: Final = 1024 * 1024
SHORT: Final = 0.1  # seconds; below it nobody cares


def table(head: Sequence[str], rows: Sequence[Sequence[str]], flexible: int, indent: str = GAP) -> list[str]:
    """Aligned lines; the column `flexible` is cut so that they fit."""
    cells = [list(head), *([one_line(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    others = sum(width for column, width in enumerate(widths) if column != flexible)
    room = WIDTH - len(indent) - len(GAP) * (len(head) - 1) - others
    widths[flexible] = min(widths[flexible], max(LEAST, room))
    return [indent + _row(row, widths).rstrip() for row in cells]


def wrap(text: str, indent: str = "") -> list[str]:
    """A sentence over as many lines as it needs; those after the first are indented further."""
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent + GAP,
        break_long_words=False,
        break_on_hyphens=False,
    )


def short(text: str, width: int) -> str:
    """The text, cut where it is longer."""
    return text if len(text) <= width else text[: width - 1].rstrip() + CUT


def seconds(value: float | None) -> str:
    """A time as a person reads it: `<0.1 s`, `2.5 s`, `4 min`, `1 h 10 min`."""
    if value is None:
        return "not known"
    if value < SHORT:
        return f"<{SHORT:g} s"
    if value < 10:
        return f"{round(value, 1):g} s"
    if value < 120:
        return f"{value:.0f} s"
    minutes = round(value / 60)
    hours, rest = divmod(minutes, 60)
    if not hours:
        return f"{minutes} min"
    return f"{hours} h {rest} min" if rest else f"{hours} h"


def count(value: int | None) -> str:
    """A number with its thousands apart."""
    return "not known" if value is None else f"{value:,}"


def size(number: int) -> str:
    """`16 KiB`, `238 MiB`, `1.4 GiB`."""
    if number < 1024 * MIB:
        return f"{number / MIB:.0f} MiB" if number >= MIB else f"{number / 1024:.0f} KiB"
    return f"{number / (1024 * MIB):.1f} GiB"


def tasks(number: int) -> str:
    """`1 task`, `2 tasks`."""
    return f"{number} task" if number == 1 else f"{number} tasks"


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    return GAP.join(short(cell, width).ljust(width) for cell, width in zip(cells, widths, strict=True))


def one_line(text: str) -> str:
    """The text with single spaces for all white space."""
    return " ".join(text.split())
