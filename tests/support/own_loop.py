"""An event loop for one program of the SDK, of which nothing is left for another test to stumble over."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor


@contextlib.contextmanager
def own_loop() -> Iterator[asyncio.AbstractEventLoop]:
    """An event loop for one program, closed with the ones that the SDK opens in each thread that answers a request."""
    opened: list[asyncio.AbstractEventLoop] = []

    def open_loop() -> None:
        opened.append(asyncio.new_event_loop())
        asyncio.set_event_loop(opened[-1])

    open_loop()
    loop = opened[0]
    executor = ThreadPoolExecutor(max_workers=4, initializer=open_loop)
    loop.set_default_executor(executor)
    try:
        yield loop
    finally:
        for task in asyncio.all_tasks(loop):
            task.cancel()
        executor.shutdown()
        for each in opened:
            each.close()
        asyncio.set_event_loop(None)
