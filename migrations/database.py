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

from migrations import hang_up, identity
from migrations.errors import OutOfTimeError, PoolerError, SettingError, StatementFailedError, UnreachableError
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
    # In a stricter one every batch of a backfill fails that meets a row written since it began.
    "default_transaction_isolation": "read committed",
    # What is behind public in the path of this role is not behind it in that of the service. A temporary table comes
    # last, as it must not stand for one of the service.
    "search_path": "public, pg_temp",
    # A runner whose machine is cut off: its server process ends after half a minute, where the network tells at all.
    "tcp_keepalives_idle": "15",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}
# Of a server that has it: the limit of a phase is ours, a revision's is its statement_timeout, and a session that
# pauses between two tries is not forgotten.
_SESSION_SINCE = {140000: {"idle_session_timeout": "0"}, 170000: {"transaction_timeout": "0"}}
_SCHEMA = "public"
_SET = "SELECT set_config(name, value, false) FROM unnest(%s::text[], %s::text[]) AS setting(name, value)"


@contextmanager
def connect(settings: Settings, say: Say) -> Iterator[Connection]:
    """An autocommit connection as the owner, waited for within `connect_wait`. Raises UnreachableError, PoolerError."""
    name = identity.application_name(settings.metadata_uri, settings.version, say)
    connection, budgets = _await(settings, name, say), settings.budgets
    with hang_up.in_time(connection, budgets.until, budgets.grace) as clock:
        try:
            pooler.require_own_session(connection, lambda: _open(settings, name), _place(settings))
            _require_public(connection, settings)
            _set(connection)
        except BaseException:
            connection.close()
            raise
        with connection, _told(settings, connection, clock):
            yield connection


@contextmanager
def _told(settings: Settings, connection: Connection, clock: hang_up.Clock) -> Iterator[None]:
    try:
        yield
    except (psycopg.Error, StatementFailedError, OutOfTimeError) as error:
        if clock.over:
            raise _out_of_time(settings, error) from error
        if not connection.broken or not isinstance(error, psycopg.OperationalError | StatementFailedError):
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


def _require_public(connection: Connection, settings: Settings) -> None:
    """Refuse to make tables in public where this role has made them elsewhere. Raises SettingError.

    To set the path alone would be worse than to keep it: a database whose tables are in another schema would look
    empty, and get them all once more.
    """
    row = connection.execute("SELECT current_schema(), current_setting('search_path'), current_user").fetchone()
    schema, path, role = row or (None, "", "")
    if schema != _SCHEMA:
        found = f"the schema {schema}" if schema else "no schema, as public is not there or may not be used"
        raise SettingError(
            f"database {_place(settings)}: what role {role} makes goes into {found} (its search_path is {path}); "
            f"expected {_SCHEMA}, where the service looks for it. Set it: ALTER ROLE {role} IN DATABASE "
            f"{settings.database.name} SET search_path = {_SCHEMA}; tables that are in another schema already: ALTER "
            f"TABLE ... SET SCHEMA {_SCHEMA}; nothing was changed"
        )


def _set(connection: Connection) -> None:
    values = dict(_SESSION)
    for version, more in _SESSION_SINCE.items():
        values |= more if connection.info.server_version >= version else {}
    connection.execute(_SET, (list(values), list(values.values())))


def _out_of_time(settings: Settings, error: BaseException) -> OutOfTimeError:
    return OutOfTimeError(
        f"database {_place(settings)}: the time of the whole phase is over, and what ran then was ended "
        f"({_server_said(error)}); what was not committed is undone, what was committed before stays; run again, or "
        "give it more time (timeoutSeconds)"
    )


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
        **hang_up.KEPT_ALIVE,
    )


def is_lock_refusal(error: BaseException | None) -> bool:
    """Did the server give up on a lock (or choose us in a deadlock), so that trying again makes sense? Or on a row that
    somebody else wrote, where a revision asked for a stricter isolation.
    """
    return isinstance(error, errors.LockNotAvailable | errors.DeadlockDetected | errors.SerializationFailure)


def is_timeout(error: BaseException | None) -> bool:
    """Did the server end the statement for its time limit?"""
    return isinstance(error, errors.QueryCanceled)
