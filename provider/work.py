"""One long operation: its progress lines, its time limit, and the wait that a cancel ends."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

from provider.rpc.engine import EngineLog
from provider.rpc.messages import Fail

TICK_SECONDS = 1.0
FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 1.5


class Canceled(Fail):
    """The run was canceled (Ctrl-C, SIGTERM), or its engine died."""


class Overdue(Fail):
    """The time limit of the operation was reached."""


@dataclass
class Work:
    """What a handler needs while it waits for AWS. `limit` is in seconds from the start of the operation."""

    log: EngineLog
    urn: str
    cancelled: threading.Event
    orphaned: threading.Event
    limit: float
    started: float = field(default_factory=time.monotonic)
    _pause: float = FIRST_PAUSE_SECONDS
    _ticked: float = 0.0

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.started

    def say(self, text: str) -> None:
        """A lasting line under the resource."""
        self.log.info(self.urn, text)

    def warn(self, text: str) -> None:
        """A lasting line that is marked as a warning."""
        self.log.warning(self.urn, text)

    def tick(self, text: str) -> None:
        """The status column, at most once a second: what is waited for, and for how long already."""
        if time.monotonic() - self._ticked >= TICK_SECONDS:
            self._ticked = time.monotonic()
            self.log.tick(self.urn, f"{text}, {self.seconds:.0f} s of at most {self.limit:.0f} s")

    def check(self) -> None:
        """Raise Canceled or Overdue if it is time to stop."""
        if self.cancelled.is_set():
            raise Canceled("canceled")
        if self.seconds > self.limit:
            raise Overdue(f"the time limit of {self.limit:.0f} s is over")

    def pause(self) -> None:
        """Wait before asking AWS again: short at first, so that what is quick stays quick. Raises as `check`."""
        self.check()
        self.cancelled.wait(min(self._pause, max(0.0, self.limit - self.seconds) + 0.01))
        self._pause = min(self._pause * 1.25, LONGEST_PAUSE_SECONDS)
        self.check()
