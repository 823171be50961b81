"""What every part is given, and how it says that it could not measure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Figures = dict[str, Any]


class PartError(Exception):
    """A part could not measure; one line. Its figures are null, and this is the reason."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """Of one run. Times in seconds."""

    folder: Path  # the part's own, empty
    rps: float
    blocker_seconds: float
    rows: int  # of the backfill
    kills: int
    say: Callable[[str], None]
