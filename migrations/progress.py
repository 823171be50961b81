"""Lines of the command's output, each at once: the log of a task is watched while it runs.

What a line tells may come from anybody: a session's name, a prepared transaction's, who releases. `one_line` is the one
place that keeps it from being more than one line, or from driving a terminal.
"""

from __future__ import annotations

import os
from typing import TextIO


def one_line(text: str) -> str:
    """The text with whatever is no printable character written as its escape."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def tell(line: str, stream: TextIO) -> None:
    """Write a line. A log that nobody takes any more must not end a run, which may hold locks and has work to do."""
    try:
        print(one_line(line), file=stream, flush=True)
    except OSError:
        # The rest goes nowhere. What is still buffered would fail once more when the process ends.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
