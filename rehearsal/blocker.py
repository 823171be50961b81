"""A transaction that reads a table and stays open, as a dump or a forgotten console does."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql

Connect = Callable[[], psycopg.Connection[tuple[Any, ...]]]


class Blocker:
    """Holds one table from the start until `release`, or at most `most` seconds. `ended`: seconds since the epoch."""

    def __init__(self, connection: psycopg.Connection[tuple[Any, ...]], table: str, most: float) -> None:
        self.connection = connection
        self.began = time.time()
        self.ended = 0.0
        self._free = threading.Event()
        connection.execute(sql.SQL("SELECT 1 FROM {table} LIMIT 1").format(table=sql.Identifier(table)))
        self._thread = threading.Thread(target=self._hold, args=(most,), daemon=True)
        self._thread.start()

    def release(self) -> None:
        """End the transaction."""
        self._free.set()
        self._thread.join()

    def _hold(self, most: float) -> None:
        self._free.wait(most)
        self.connection.rollback()
        self.ended = time.time()


@contextmanager
def blocker(connect: Connect, table: str, most: float) -> Iterator[Blocker]:
    """Hold the table while this is open, for `most` seconds at most."""
    connection = connect()
    held = Blocker(connection, table, most)
    try:
        yield held
    finally:
        held.release()
        connection.close()
