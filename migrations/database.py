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

from migrations import identity
from migrations.errors import PoolerError, StatementFailedError, UnreachableError
from migrations.locking import pooler
from migrations.settings import Settings
from migrations.told import first_line

Say = Callable[[str], None]
Connection = psycopg.Connection[tuple[Any, ...]]
# Waiting would not help: wrong password or user, no such database, no right to connect.
_FINAL = ("password authentication failed", "does not exist", "permission denied", "no pg_hba.conf entry")
_POOLER = "unsupported startup parameter"  # PgBouncer and its kind take only what they can keep track of
# Set once it is sure that the session is our own.
_SESSION = {
    # Without it the server carries on for a runner that was killed: its lock stayed 60 s and its statement committed.
    "client_connection_check_interval": "1s",
    "idle_in_transaction_session_timeout": "60s",
    "statement_timeout": "60s",
    "lock_timeout": "1s",
    # An owner that row security is forced on would count and fill the rows of its policies only, and a contract take
    # away what the others still need. So the server refuses such a query instead of leaving rows out.
    "row_security": "off",
    # A runner whose machine is cut off: its server process ends after half a minute, where the network tells at all.
    "tcp_keepalives_idle": "15",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}
_SET = "SELECT set_config(name, value, false) FROM unnest(%s::text[], %s::text[]) AS setting(name, value)"


@contextmanager
def connect(settings: Settings, say: Say) -> Iterator[Connection]:
    """An autocommit connection as the owner, waited for within `connect_wait`. Raises UnreachableError, PoolerError."""
    name = identity.application_name(settings.metadata_uri, settings.version, say)
    connection = _await(settings, name, say)
    try:
        pooler.require_own_session(connection, lambda: _open(settings, name), _place(settings))
        connection.execute(_SET, (list(_SESSION), list(_SESSION.values())))
    except BaseException:
        connection.close()
        raise
    with connection:
        try:
            yield connection
        except (psycopg.OperationalError, StatementFailedError) as error:
            if not connection.broken:
                raise
            raise UnreachableError(
                f"database {_place(settings)}: the session ended while it was in use: {_server_said(error)}; expected "
                "it to last. What was not committed is undone; see whether another runner took over, and run again"
            ) from error


def _await(settings: Settings, name: str, say: Say) -> Connection:
    place = _place(settings)
    deadline = time.monotonic() + settings.connect_wait
    while True:
        try:
            return _open(settings, name)
        except psycopg.OperationalError as error:
            reason = first_line(error)
            if _POOLER in reason:
                raise PoolerError(f"database {place}: a pooler is in between: {reason}. {pooler.ADVICE}") from error
            if any(text in reason for text in _FINAL) or time.monotonic() >= deadline:
                expected = f"expected to connect as {settings.database.user}"
                raise UnreachableError(f"database {place}: {reason}; {expected}") from error
            say(f"waiting for the database {place}: {reason}")
            time.sleep(1)


def _server_said(error: BaseException) -> str:
    """The first line of what the server said last, however often it was wrapped since."""
    while not isinstance(error, psycopg.Error) and (inner := getattr(error, "orig", None) or error.__cause__):
        error = inner
    return first_line(error)


def _place(settings: Settings) -> str:
    return f"{settings.database.host}:{settings.database.port}/{settings.database.name}"


def _open(settings: Settings, application_name: str) -> Connection:
    database = settings.database
    return psycopg.connect(
        host=database.host,
        port=database.port,
        dbname=database.name,
        user=database.user,
        password=database.password,
        sslmode=database.sslmode,
        application_name=application_name,
        connect_timeout=5,
        autocommit=True,
    )


def is_lock_refusal(error: BaseException | None) -> bool:
    """Did the server give up on a lock (or choose us in a deadlock), so that trying again makes sense?"""
    return isinstance(error, errors.LockNotAvailable | errors.DeadlockDetected)


def is_timeout(error: BaseException | None) -> bool:
    """Did the server end the statement for its time limit?"""
    return isinstance(error, errors.QueryCanceled)
