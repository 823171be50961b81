"""Processes named by more than a number, so that a stale record can never end somebody else's process.

A number is given again by the kernel; a number with its start time within one boot of the machine is not.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from local.errors import LocalError

SUFFIX = ".process.json"
_STATE, _SESSION, _START = 2, 5, 21  # fields of /proc/PID/stat, counted from 0
POLL_SECONDS = 0.02


@dataclass(frozen=True, kw_only=True)
class Process:
    """A process that leads its own session, and everything that it started in it.

    Attributes:
        pid: its number.
        started: boot of the machine and clock ticks since then; empty for one that was gone when it was looked at.
        what: what it is, for people.
    """

    pid: int
    started: str
    what: str = ""

    @classmethod
    def of(cls, pid: int, what: str = "") -> Process:
        """The process that has this number now."""
        return cls(pid=pid, started=_started(pid) or "", what=what)

    @property
    def alive(self) -> bool:
        """True while that very process runs. One that ended and that nobody has waited for does not run."""
        return bool(self.started) and _started(self.pid) == self.started

    def send(self, number: signal.Signals) -> None:
        """Send a signal to it and to everything in its session."""
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, number)

    def end(self, seconds: float, first: signal.Signals = signal.SIGTERM) -> bool:
        """Ask it to end, and kill what is left of its session after so many seconds.

        Returns:
            True when it ended by itself.
        """
        self.send(first)
        by_itself = gone([self], seconds)
        for pid in self._session():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        gone([self], 5.0)
        return by_itself

    def _session(self) -> Iterator[int]:
        """What runs in its session, also when the leader is gone; nothing that is older than the leader was."""
        if not self.started or _started(self.pid) not in {None, self.started}:
            return
        boot, ticks = self.started.split(":")
        for entry in Path("/proc").iterdir():
            stat = _stat(int(entry.name)) if entry.name.isdigit() else None
            if stat and int(stat[_SESSION]) == self.pid and boot == _boot() and int(stat[_START]) >= int(ticks):
                yield int(entry.name)


def gone(processes: list[Process], seconds: float) -> bool:
    """Wait until none of them runs, at most so many seconds; True when none does.

    They are looked at once more after the time is up: where the whole machine stood still, they had none of it.
    """
    end = time.monotonic() + seconds
    while True:
        late = time.monotonic() > end
        if not any(process.alive for process in processes):
            return True
        if late:
            return False
        time.sleep(POLL_SECONDS)


class Records:
    """The processes that were started, noted on disk for whoever comes after a crash.

    Args:
        directory: where the records lie; made when something is first noted.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def note(self, process: Process) -> None:
        """Keep a record of the process."""
        self._directory.mkdir(parents=True, exist_ok=True)
        draft = self._directory / f"{process.pid}.draft"
        draft.write_text(json.dumps({"pid": process.pid, "started": process.started, "what": process.what}))
        draft.replace(self._directory / f"{process.pid}{SUFFIX}")

    def forget(self, process: Process) -> None:
        """Drop the record, because the process was seen to end."""
        (self._directory / f"{process.pid}{SUFFIX}").unlink(missing_ok=True)

    def all(self) -> list[Process]:
        """Every process on record, running or not. Raises LocalError for a record that can't be read."""
        return [_read(file) for file in sorted(self._directory.glob(f"*{SUFFIX}"))]


def _read(file: Path) -> Process:
    try:
        record = json.loads(file.read_text())
        return Process(pid=int(record["pid"]), started=record["started"], what=record["what"])
    except (ValueError, KeyError, TypeError) as error:
        pid = file.name.removesuffix(SUFFIX)
        raise LocalError(
            f"process record {file} can't be read ({type(error).__name__}), so it is not known whether that process "
            f"still runs: end process {pid} if it is part of the embedded AWS, then remove the file"
        ) from error


def _started(pid: int) -> str | None:
    """Boot and start time of a running process; None for one that is gone or ended."""
    stat = _stat(pid)
    return f"{_boot()}:{stat[_START]}" if stat and stat[_STATE] not in "ZX" else None


@lru_cache(maxsize=1)
def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat; the second, a name in parentheses that may hold blanks, is one field."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    number, rest = text.split(" (", 1)
    name, fields = rest.rsplit(") ", 1)
    return [number, name, *fields.split()]
