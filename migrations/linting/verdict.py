"""What the lint says of a revision, as data."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from migrations.revision_file import Phase

Level = Literal["error", "warning"]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that a revision should not do."""

    revision: str
    phase: Phase
    file: str
    rule: str
    level: Level
    statement: int | None  # from 1; None where it is the file and not one statement
    message: str
    advice: str

    def as_json(self) -> dict[str, Any]:
        """For a report."""
        return asdict(self)

    def __str__(self) -> str:
        at = f" statement {self.statement}" if self.statement else ""
        todo = f"; {self.advice}" if self.advice else ""
        return f"{self.file}{at}: {self.level}: {self.rule}: {self.message}{todo}"


@dataclass(frozen=True, kw_only=True)
class Waived:
    """An exception that stands beside the revision, and fired."""

    revision: str
    rule: str
    reason: str

    def as_json(self) -> dict[str, Any]:
        """For a report."""
        return asdict(self)
