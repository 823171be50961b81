"""The end that needs no answer: a run whose time is over hangs up, whatever became of the network.

A network that goes silent keeps a session's socket open, and whoever waits for an answer waits for ever: the limits of
the server are told through that same socket. So each of the runner's connections has the kernel look after it, and a
clock of its own, which cancels what runs when the time of the phase is over, and closes the socket where that is of no
use. The server then undoes what was not committed.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Final

import psycopg

# For libpq: the other end is asked after 15 s of silence, and given up half a minute later; so is what it never took.
KEPT_ALIVE: Final[Mapping[str, Any]] = {
    "keepalives": 1,
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}


class Clock:
    """Of one connection. `over`: it has ended what ran there."""

    def __init__(self, connection: psycopg.Connection[Any], until: float, grace: float) -> None:
        self.connection, self.until, self.grace = connection, until, grace
        self.over = False
        self._done = threading.Event()

    def run(self) -> None:
        """Until `stop`, or the end."""
        if self._passes(self.until + self.grace / 2):
            return
        self.over = True
        with suppress(psycopg.Error):  # of no use: what follows is
            self.connection.cancel_safe(timeout=max(self.grace / 4, 0.1))
        if not self._passes(self.until + self.grace):
            hang_up(self.connection)

    def stop(self) -> None:
        """The connection is done with."""
        self._done.set()

    def _passes(self, until: float) -> bool:
        """Was it stopped before then?"""
        return self._done.wait(min(max(until - time.monotonic(), 0), threading.TIMEOUT_MAX))


@contextmanager
def in_time(connection: psycopg.Connection[Any], until: float, grace: float) -> Iterator[Clock]:
    """End what the connection does `grace` seconds after `until`, by the monotonic clock. Half of them are for what
    notices by itself that its time is over.
    """
    clock = Clock(connection, until, grace)
    thread = threading.Thread(target=clock.run, name="hang up", daemon=True)
    thread.start()
    try:
        yield clock
    finally:
        clock.stop()


def hang_up(connection: psycopg.Connection[Any]) -> None:
    """Close the socket under whoever waits for it: that wait ends with an error at once."""
    with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(connection.fileno())) as line:
        line.shutdown(socket.SHUT_RDWR)
