"""Lines of the command's output, each at once: the log of a task is watched while it runs."""

from __future__ import annotations

import os
from typing import TextIO


def tell(line: str, stream: TextIO) -> None:
    """Write a line. A log that nobody takes any more must not end a run, which may hold locks and has work to do."""
    try:
        print(line, file=stream, flush=True)
    except OSError:
        # The rest goes nowhere. What is still buffered would fail once more when the process ends.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
