"""One line for each request of the load: when it was due and sent, what came back, from whom.

Tab-separated, so that a run of 100,000 requests takes 8 MB and can be read by any tool.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HEADER = "due\tsent\tmilliseconds\toperation\tstatus\tversion\tcolor\terror\n"
_SUCCESS = range(200, 300)


@dataclass(frozen=True, slots=True)
class Record:
    """One request.

    Attributes:
        due: when it should have been sent, seconds since the epoch.
        sent: when it was handed to the connection.
        milliseconds: from `due` to the end of the answer, so a late generator cannot hide a slow service.
        operation: create, read, list or update.
        status: the HTTP status; 0 when no answer came.
        version: who answered (`x-app-version`); empty when no version did.
        color: the same of `x-app-color`.
        error: why it counts as lost, empty when it does not.
    """

    due: float
    sent: float
    milliseconds: float
    operation: str
    status: int
    version: str
    color: str
    error: str

    @property
    def answered(self) -> float:
        """When the answer had come, seconds since the epoch."""
        return self.due + self.milliseconds / 1000

    @property
    def lost(self) -> bool:
        """True when the client did not get what it asked for."""
        return bool(self.error) or self.status not in _SUCCESS

    def line(self) -> str:
        """As it is written."""
        error = self.error.replace("\t", " ").replace("\n", " ")[:200]
        return (
            f"{self.due:.6f}\t{self.sent:.6f}\t{self.milliseconds:.3f}\t{self.operation}\t{self.status}\t"
            f"{self.version}\t{self.color}\t{error}\n"
        )


def read(path: Path) -> Iterator[Record]:
    """The records of a file in the order in which they were answered. A torn last line is left out."""
    with path.open(encoding="utf-8") as file:
        if file.readline() != HEADER:
            raise ValueError(f"{path}: not a file of requests, expected its first line to be {HEADER!r}")
        for line in file:
            parts = line.rstrip("\n").split("\t")
            if len(parts) != 8 or not line.endswith("\n"):
                continue
            due, sent, milliseconds, operation, status, version, color, error = parts
            yield Record(float(due), float(sent), float(milliseconds), operation, int(status), version, color, error)


def percentile(ordered: list[float], share: float) -> float:
    """The value below which `share` (0 to 1) of an ordered list lies; 0 of an empty one."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0
