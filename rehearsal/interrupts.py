"""Interrupts that come while a process is being started wait until it is known, so that it can be stopped."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def held() -> Iterator[None]:
    """Hold interrupts back during the block; one that came is raised as KeyboardInterrupt after it. Main thread only.

    Handlers of our own and not a mask: a mask would be inherited by the process that is started.
    """
    came: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        came.append(number)

    before = {number: signal.signal(number, note) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if came:
        raise KeyboardInterrupt


def as_interrupts() -> None:
    """From now on SIGTERM interrupts as Ctrl-C does."""
    signal.signal(signal.SIGTERM, _interrupt)


def ignored() -> None:
    """From now on neither does anything: what stops everything must not be cut in half."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
