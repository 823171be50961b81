"""One runner at a time: a session lock in the database, and what becomes of it when its owner dies.

The lock goes with the session. A runner that was killed loses it within a second, since its server process looks
whether the client is still there (see `database`). A runner that hangs, or whose machine is cut off, keeps its session
and with it the lock: then only AWS knows. The release tells the next runner which tasks are STOPPED, and a session of
such a task is ended. Without that evidence nobody's session is ended: it is waited for, and then named.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import errors

from migrations import identity
from migrations.database import Connection, Say
from migrations.errors import AnotherRunnerError
from migrations.settings import Settings

# Any fixed number: the first eight bytes of "bluegreen migrations".
LOCK = int.from_bytes(b"bluegree", "big") >> 1
# Backfills have a lock of their own: one may run for hours, and an expand in that time is no business of it.
BACKFILL_LOCK = LOCK + 1
_ASK_AGAIN_SECONDS = 0.1
_SAY_EVERY_SECONDS = 5.0

_HOLDER = """
SELECT session.pid, session.backend_start, session.application_name,
       extract(epoch FROM clock_timestamp() - session.backend_start)::float8
FROM pg_locks AS held JOIN pg_stat_activity AS session USING (pid)
WHERE held.locktype = 'advisory' AND held.granted
  AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND held.classid = %(high)s::bigint AND held.objid = %(low)s::bigint
"""
_SESSIONS = """
SELECT pid, backend_start, application_name, extract(epoch FROM clock_timestamp() - backend_start)::float8
FROM pg_stat_activity
WHERE datname = current_database() AND starts_with(application_name, %s) AND pid <> pg_backend_pid()
"""
# The pid may belong to somebody else by now: the session's start does not.
_END = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = %s AND backend_start IS NOT DISTINCT FROM %s"


@dataclass(frozen=True, kw_only=True)
class Session:
    """A session of the database. Since when it is there is not told of another role's."""

    pid: int
    started: datetime | None
    application: str
    age: float | None

    @property
    def task(self) -> str | None:
        """The ECS task it belongs to, where its name tells."""
        return identity.task_of(self.application)

    def __str__(self) -> str:
        since = "of another role" if self.age is None else f"connected for {self.age:.0f} s"
        return f"process {self.pid} ({self.application or identity.PROGRAM}), {since}"


@contextmanager
def one_runner(connection: Connection, settings: Settings, say: Say, lock: int = LOCK) -> Iterator[None]:
    """Hold the session lock. Raises AnotherRunnerError."""
    _wait(connection, settings, say, lock)
    try:
        _end_the_dead(connection, settings, say)
        yield
    finally:
        if not connection.broken and not connection.closed:
            connection.rollback()
            connection.execute("SELECT pg_advisory_unlock(%s)", (lock,))


def _wait(connection: Connection, settings: Settings, say: Say, lock: int) -> None:
    """Asked for again and again and not waited for in the server, so that the wait can be announced and bounded."""
    began = time.monotonic()
    deadline, said, tried = min(began + settings.runner_wait, settings.budgets.until), float("-inf"), set[int]()
    while not _try_lock(connection, lock):
        with _as_who_logged_in(connection):
            holder = _holder(connection, lock)
        if holder is not None and holder.task in settings.stopped_tasks and holder.pid not in tried:
            tried.add(holder.pid)
            end_session(connection, holder, "it held the runner's lock", say)
        elif time.monotonic() >= deadline:
            raise AnotherRunnerError(
                f"migrations: another runner holds the lock after {time.monotonic() - began:.0f} s: {_told(holder)}; "
                "expected it to end. Nothing was changed. Wait for it and run again; where its task no longer runs, "
                "end its session with pg_terminate_backend"
            )
        elif time.monotonic() - said >= _SAY_EVERY_SECONDS:
            said = time.monotonic()
            say(f"another runner is at work, waiting up to {max(deadline - said, 0):.0f} s more: {_told(holder)}")
        time.sleep(_ASK_AGAIN_SECONDS)


def end_session(connection: Connection, session: Session, why: str, say: Say) -> bool:
    """End the session of a task that AWS says is STOPPED; False where this role may not.

    A role may end the sessions of its own role, so the owner of a schema needs no more rights than it has.
    """
    told = f"{session}: its task {session.task} is STOPPED and {why}"
    try:
        with _as_who_logged_in(connection):
            there = connection.execute(_END, (session.pid, session.started)).fetchone()
    except errors.InsufficientPrivilege:
        say(f"{told}; {connection.info.user} may not end it (another role's session), waiting for it instead")
        return False
    say(f"ended {told}" if there else f"gone already: {told}")
    return True


def _end_the_dead(connection: Connection, settings: Settings, say: Say) -> None:
    """A dead runner may have other sessions than the one with the lock, such as one that builds an index."""
    if settings.stopped_tasks:
        with _as_who_logged_in(connection):
            found = connection.execute(_SESSIONS, (identity.PROGRAM,)).fetchall()
        for row in found:
            if (session := _session(row)).task in settings.stopped_tasks:
                end_session(connection, session, "it was still there", say)


@contextmanager
def _as_who_logged_in(connection: Connection) -> Iterator[None]:
    """Where `ALTER ROLE ... SET role` makes the session another role at once, that one may neither see nor end what
    the first has left: sessions belong to who logged in. The tables belong to the other, so it is for a moment only.
    """
    with connection.transaction():
        connection.execute("SET LOCAL ROLE NONE")
        yield


def _session(row: Sequence[Any]) -> Session:
    return Session(pid=row[0], started=row[1], application=row[2] or "", age=row[3])


def _try_lock(connection: Connection, lock: int) -> bool:
    row = connection.execute("SELECT pg_try_advisory_lock(%s)", (lock,)).fetchone()
    return row is not None and bool(row[0])


def _holder(connection: Connection, lock: int) -> Session | None:
    row = connection.execute(_HOLDER, {"high": lock >> 32, "low": lock & 0xFFFFFFFF}).fetchone()
    return _session(row) if row else None


def _told(holder: Session | None) -> str:
    return str(holder) if holder is not None else "a session that is just ending"
