"""Envoy's access log as a stream of requests, and the file kept small.

The log and not Envoy's counters, because these book the load balancer's own 5xx as the target's, and round response
times to whole milliseconds.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

log = logging.getLogger(__name__)

MAX_BYTES = 16 << 20
OLD_SECONDS = 1.0  # Envoy writes at least every 200 ms, so after this the old file is complete
FIELDS = 12


@dataclass(frozen=True, kw_only=True)
class Request:
    """One request that was answered.

    Attributes:
        time: when it came, seconds since the epoch.
        listener: name of the listener.
        group: name of the target group's cluster; empty when the load balancer answered by itself.
        status: what the client was told.
        from_target: whether a target gave that answer.
        target: the target it was sent to; empty when none was chosen.
        flags: Envoy's reasons for an answer of its own.
        seconds: from the last byte sent to the target to the first of its answer.
        route: what answered when there is no group: `redirect`, `fixed-response`, `no-target`.
    """

    time: float
    listener: str
    group: str
    status: int
    from_target: bool
    target: str
    flags: str
    seconds: float
    route: str


def parse(line: str) -> Request | None:
    """One line of the log; None for one that is not whole."""
    parts = line.rstrip("\n").split("\t")
    if len(parts) != FIELDS:
        return None
    begin, listener, group, status, details, flags, micros, _, target, _, _, route = parts
    return Request(
        time=float(begin),
        listener=listener,
        group=_text(group),
        status=int(status),
        from_target=details == "via_upstream",
        target=_text(target),
        flags=_text(flags),
        seconds=int(micros) / 1e6 if micros.isdigit() else 0.0,
        route=_text(route),
    )


def _text(value: str) -> str:
    return "" if value == "-" else value


class AccessLog:
    """Reads what was appended since the last time; starts a new file when this one is large.

    Args:
        path: the file Envoy writes.
        reopen: tells Envoy to open it anew.
    """

    def __init__(self, path: Path, reopen: Callable[[], object]) -> None:
        self._path = path
        self._reopen = reopen
        self._file: BinaryIO | None = None
        self._rest = b""
        self._old_since: float | None = None

    def read(self) -> Iterator[Request]:
        """The requests that were answered since the last call."""
        if self._file is None:
            if not self._path.exists():
                return
            self._file = self._path.open("rb")
        yield from self._lines(self._file)
        self._turn()

    def close(self) -> None:
        """Close the file."""
        if self._file:
            self._file.close()
            self._file = None

    def _lines(self, file: BinaryIO) -> Iterator[Request]:
        data = self._rest + file.read()
        *lines, self._rest = data.split(b"\n")
        for line in lines:
            request = parse(line.decode("utf-8", "replace"))
            if request:
                yield request

    def _turn(self) -> None:
        """A large file is renamed and read on until Envoy has surely written its last line there."""
        if self._file is None:
            return
        if self._old_since is not None:
            if time.monotonic() - self._old_since > OLD_SECONDS:
                self.close()
                self._old_since, self._rest = None, b""
        elif self._file.tell() > MAX_BYTES:
            try:
                self._path.rename(self._path.with_suffix(".log.1"))
                self._reopen()
            except OSError as error:
                log.warning("the access log is not turned over: %s", error)
            self._old_since = time.monotonic()
