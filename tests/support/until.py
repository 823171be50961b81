"""Waiting for something to be so, in bounded time."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
BOUND_SECONDS = 60.0  # far longer than it takes: whatever is slow is slow, and what hangs ends
PAUSE_SECONDS = 0.005


def until(condition: Callable[[], T], seconds: float = BOUND_SECONDS) -> T:
    """The first true answer."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not so within {seconds:g} s"
        time.sleep(PAUSE_SECONDS)
    return found
