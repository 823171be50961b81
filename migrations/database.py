"""The one connection of a run: lock, revisions and history go through it, so that all of them end together.

Plain psycopg: most runs have nothing to apply, and need not wait for SQLAlchemy and Alembic to load.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import errors

from migrations.errors import UnreachableError
from migrations.settings import Settings

APPLICATION_NAME = "bluegreen-migrations"
Say = Callable[[str], None]
Connection = psycopg.Connection[tuple[Any, ...]]
# Waiting would not help: wrong password or user, no such database, no right to connect.
_FINAL = ("password authentication failed", "does not exist", "permission denied", "no pg_hba.conf entry")
_OPTIONS = {
    # Without it the server carries on for a runner that was killed: its lock stayed 60 s and its statement committed.
    "client_connection_check_interval": "1s",
    "idle_in_transaction_session_timeout": "60s",
    "statement_timeout": "60s",
    "lock_timeout": "1s",
}


@contextmanager
def connect(settings: Settings, say: Say) -> Iterator[Connection]:
    """An autocommit connection as the owner, waited for within `connect_wait`. Raises UnreachableError."""
    database = settings.database
    place = f"{database.host}:{database.port}/{database.name}"
    deadline = time.monotonic() + settings.connect_wait
    while True:
        try:
            connection = _open(settings)
            break
        except psycopg.OperationalError as error:
            reason = first_line(error)
            if any(text in reason for text in _FINAL) or time.monotonic() >= deadline:
                raise UnreachableError(f"database {place}: {reason}; expected to connect as {database.user}") from error
            say(f"waiting for the database {place}: {reason}")
            time.sleep(1)
    with connection:
        yield connection


def _open(settings: Settings) -> Connection:
    database = settings.database
    return psycopg.connect(
        host=database.host,
        port=database.port,
        dbname=database.name,
        user=database.user,
        password=database.password,
        sslmode=database.sslmode,
        application_name=f"{APPLICATION_NAME} {settings.version}"[:63],
        connect_timeout=5,
        options=" ".join(f"-c {name}={value}" for name, value in _OPTIONS.items()),
        autocommit=True,
    )


def first_line(error: BaseException) -> str:
    """The server's own sentence of an error, without the row it speaks of (that is in its detail)."""
    primary = error.diag.message_primary if isinstance(error, psycopg.Error) else None
    text = (primary or str(error)).strip() or type(error).__name__
    return text.splitlines()[0]


def is_lock_refusal(error: BaseException | None) -> bool:
    """Did the server give up on a lock (or choose us in a deadlock), so that trying again makes sense?"""
    return isinstance(error, errors.LockNotAvailable | errors.DeadlockDetected)


def is_timeout(error: BaseException | None) -> bool:
    """Did the server end the statement for its time limit?"""
    return isinstance(error, errors.QueryCanceled)
