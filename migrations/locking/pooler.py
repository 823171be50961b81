"""Is there a pooler in between that hands each transaction another session?

The runner's lock, its limits and the check whether it is still alive belong to a session. Behind a pooler in
transaction mode they land on whatever server process the pooler picks: the unlock goes to another one than the lock,
and the lock stays until that process is recycled. So such a pooler is refused before anything is changed. A pooler in
session mode, a proxy and an address translation keep a session together, and are none of our business.

What is looked at is what matters: a second connection opens a transaction, and so keeps the server process it was
given. If that is the first connection's, or the first one now has another, sessions are shared. Only SELECTs are sent,
since whatever is set in such a session is set for a stranger.
"""

from __future__ import annotations

import select
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import psycopg
from psycopg.pq import ExecStatus

from migrations.errors import PoolerError, UnreachableError

if TYPE_CHECKING:
    from migrations.database import Connection

_ROUNDS = 3  # in a pool that others use too, one look might see nothing
_ANSWER_SECONDS = 5.0
# Its start is hidden from a role that a session was given by `SET role`; the process alone tells enough then.
_WHO = "SELECT concat_ws(' ', pid, backend_start) FROM pg_stat_activity WHERE pid = pg_backend_pid()"
ADVICE = (
    "The runner's lock and limits need a session of their own. Set DB_HOST and DB_PORT to the database's own address; "
    "the service may go on using the pooler. Nothing was changed"
)


class _NoAnswerError(Exception):
    """None came within the limit: the pooler has no server process to give."""


def require_own_session(connection: Connection, second: Callable[[], Connection], place: str) -> None:
    """Refuse a connection whose session is not its own. Raises PoolerError, UnreachableError.

    Args:
        connection: the one to look at; no transaction is open in it.
        second: opens another one like it.
        place: the database, for messages.
    """
    try:
        mine = _ask(connection, _WHO)
        beside = second()
    except _NoAnswerError:
        raise UnreachableError(f"database {place}: no answer within {_ANSWER_SECONDS:.0f} s, expected one") from None
    except psycopg.OperationalError as error:
        if _told_pid(connection) == mine.split()[0]:
            return  # no second connection to be had, and the server itself greeted us: nothing in between
        raise UnreachableError(
            f"database {place}: a second connection was refused: {_first_line(error)}; expected one, to see what the "
            "pooler in between does"
        ) from error
    try:
        if reason := _shared(connection, beside, mine):
            raise PoolerError(f"database {place}: a transaction pooler is in between: {reason}. {ADVICE}")
    finally:
        beside.close()


def _shared(connection: Connection, beside: Connection, mine: str) -> str:
    """How the session of the connection turned out not to be its own; empty when it is."""
    for _ in range(_ROUNDS):
        try:
            theirs = _ask(beside, f"BEGIN READ ONLY; {_WHO}")
        except psycopg.Error as error:
            return f"it does not let a transaction begin ({_first_line(error)})"
        except _NoAnswerError:
            theirs = ""  # a pool in session mode whose last server process is ours, or one that is used up
        if theirs == mine:
            return f"two connections were given the same server process, {mine.split()[0]}"
        try:
            now = _ask(connection, _WHO)
        except _NoAnswerError:
            return "no server process was free for a connection that had one before"
        if now != mine:
            return f"one connection was given server process {mine.split()[0]} and then {now.split()[0]}"
        if not theirs:
            break
        _ask(beside, "ROLLBACK")
    return ""


def _ask(connection: Connection, statements: str) -> str:
    """The one value that the last statement answers, or an empty text. Raises psycopg.Error, _NoAnswerError."""
    raw = connection.pgconn
    raw.send_query(statements.encode())
    deadline, answer = time.monotonic() + _ANSWER_SECONDS, ""
    while True:
        while raw.is_busy():
            ready, _, _ = select.select([raw.socket], [], [], max(deadline - time.monotonic(), 0))
            if not ready:
                raise _NoAnswerError
            raw.consume_input()
        result = raw.get_result()
        if result is None:
            return answer
        if result.status == ExecStatus.FATAL_ERROR:
            raise psycopg.OperationalError(result.get_error_message())
        if result.status == ExecStatus.TUPLES_OK:
            answer = (result.get_value(0, 0) or b"").decode()


def _told_pid(connection: Connection) -> str:
    """The server process as it was named when the connection was made; a pooler names one of its own making."""
    return str(connection.info.backend_pid)


def _first_line(error: psycopg.Error) -> str:
    return str(error).strip().partition("\n")[0]
