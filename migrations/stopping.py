"""SIGINT and SIGTERM: a run that is told to stop undoes what is not committed, ends its session and says so.

ECS sends SIGTERM when a task is stopped, and SIGKILL `stopTimeout` seconds later. The first process of a container
ignores a signal that it has no handler for: without this, each stop would be a kill.
"""

from __future__ import annotations

import signal
from types import FrameType
from typing import NoReturn

from migrations.errors import Exit, MigrationError

_EXITS = {signal.SIGINT: Exit.INTERRUPTED, signal.SIGTERM: Exit.TERMINATED}


class Stopped(KeyboardInterrupt):
    """A signal came. Of this type so that psycopg cancels the statement that it waits for."""


class StoppedError(MigrationError):
    """What becomes of it for the person at the terminal."""

    def __init__(self, number: signal.Signals, command: str) -> None:
        super().__init__(
            f"migrations: {command}: stopped by {number.name} before it was done; what was not committed is undone, "
            "what was committed before stays, and the session is ended; run again, it goes on from there"
        )
        self.exit = _EXITS[number]


class Signals:
    """Which signal came; None while none has."""

    def __init__(self) -> None:
        self.came: signal.Signals | None = None
        for number in _EXITS:
            signal.signal(number, self._stop)

    def _stop(self, number: int, _: FrameType | None) -> NoReturn:
        self.came = signal.Signals(number)
        # Who sends a second one does not want to wait for the way out: the server undoes by itself what is open.
        for each in _EXITS:
            signal.signal(each, signal.SIG_DFL)
        raise Stopped

    def ignore(self) -> None:
        """The run has its outcome: it is told and nothing else."""
        for number in _EXITS:
            signal.signal(number, signal.SIG_IGN)
