"""A cheap read, again and again, on a session of its own: what a customer feels while a batch runs."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql

from migrations.backfilling.declaration import Declaration
from migrations.backfilling.throttle import Latency
from migrations.database import Connection, Say, connect
from migrations.settings import Settings
from migrations.told import first_line

_EVERY_SECONDS = 0.05
_FIRST_SECONDS = 1.0  # before the first batch: what is usual
_JOIN_SECONDS = 10.0


@contextmanager
def sampling(settings: Settings, declared: Declaration, latency: Latency, say: Say) -> Iterator[None]:
    """Feed `latency` until the end of the block; the first second of it passes before the block begins."""
    if not latency.judged:
        yield
        return
    stop = threading.Event()
    with connect(settings, say) as connection:
        statement = sql.SQL("SELECT {key} FROM {table} WHERE {key} = {value}").format(
            key=declared.key_sql, table=declared.table_sql, value=_some_key(declared)
        )
        arguments = (connection, statement, latency, stop, say)
        thread = threading.Thread(target=_sample, args=arguments, name="sampler", daemon=True)
        thread.start()
        stop.wait(_FIRST_SECONDS)
        try:
            yield
        finally:
            stop.set()
            thread.join(_JOIN_SECONDS)


def _some_key(declared: Declaration) -> sql.Composable:
    return sql.SQL("(SELECT {key} FROM {table} ORDER BY {key} LIMIT 1)").format(
        key=declared.key_sql, table=declared.table_sql
    )


def _sample(connection: Connection, statement: sql.Composed, latency: Latency, stop: threading.Event, say: Say) -> None:
    while not stop.wait(_EVERY_SECONDS):
        began = time.monotonic()
        try:
            connection.execute(statement)
        except psycopg.Error as error:
            say(f"the probe of the read latency ended: {first_line(error)}; the other limits still hold")
            return
        latency.add(time.monotonic() - began)
