"""Looks on, through a session of its own, while a try runs: nobody shall wait behind us for long.

A statement that waits for a table makes all who come after it wait too. The look before the try cannot see a table that
nobody named, nor who comes right after the look. So while a try waits for a table behind a transaction that is not just
passing by, it is withdrawn at once, and the table is learned for the next look. The watch also ends a try when the time
of the whole phase is over.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import psycopg

from migrations import hang_up
from migrations.database import Connection
from migrations.errors import UnreachableError
from migrations.locking.blockers import Lookout, spelled
from migrations.told import first_line

_POLL_SECONDS = 0.02
_IDLE_SINCE = 140000  # the first server that ends idle sessions
_JOIN_SECONDS = 6.0  # longer than any statement of the watch may take
_REMEMBER_SECONDS = 0.25  # between two looks at whom it is that is waited for

_WAITS = "SELECT wait_event_type = 'Lock' FROM pg_stat_get_activity(%s)"
# pg_blocking_pids answers 0 for a prepared transaction.
_FOR_WHAT = """
SELECT held.relation::bigint, held.mode, ARRAY(
    SELECT blocking.pid FROM unnest(pg_blocking_pids(held.pid)) AS blocking(pid)
    LEFT JOIN pg_stat_activity AS session ON session.pid = blocking.pid
    -- Where the server hides since when a transaction lasts, it has lasted for as long as we wait for it.
    WHERE blocking.pid = 0
       OR clock_timestamp() - coalesce(session.xact_start, held.waitstart) > make_interval(secs => %(age)s)
)
FROM pg_locks AS held WHERE held.pid = %(pid)s AND NOT held.granted AND held.locktype = 'relation'
"""
# Waiting in these modes makes nobody wait who reads or writes rows.
_HARMLESS = {"ACCESS SHARE", "ROW SHARE", "ROW EXCLUSIVE", "SHARE UPDATE EXCLUSIVE"}


@contextmanager
def watching(connection: Connection) -> Iterator[Watch]:
    """A watch over this session, through another one like it."""
    info = connection.info
    # Closed at the end like a file; it holds nothing that anybody could wait for.
    with psycopg.connect(info.dsn, password=info.password, autocommit=True, **hang_up.KEPT_ALIVE) as beside:
        beside.execute("SET statement_timeout = '5s'")
        if info.server_version >= _IDLE_SINCE:
            beside.execute("SET idle_session_timeout = 0")  # it has nothing to do between two tries
        # As the role that logged in: where `ALTER ROLE ... SET role` makes it another at once, that other one may
        # neither see the session of the first nor cancel it.
        beside.execute("SET ROLE NONE")
        # Asked, since a pooler in session mode tells its clients a process number of its own making.
        row = connection.execute("SELECT pg_backend_pid()").fetchone()
        yield Watch(beside, row[0] if row else info.backend_pid, connection)


class Watch:
    """Over the tries of one runner's session. After a try: was it withdrawn, is the time over?"""

    def __init__(
        self, connection: Connection, pid: int, watched: Connection, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.connection, self.pid, self.watched, self.clock = connection, pid, watched, clock
        self.withdrawn = self.overdue = False
        self.refused = ""  # why a try was not withdrawn that should have been
        self._remembered = float("-inf")

    @contextmanager
    def over(self, lookout: Lookout, age: float, until: float) -> Iterator[None]:
        """Look on while the block runs. A try does not wait behind a transaction older than `age` seconds.

        Raises UnreachableError where there is nothing to look through any more.
        """
        if self.refused:
            raise UnreachableError(
                f"database: a try could not be withdrawn, and others waited behind it: {self.refused}; expected the "
                "role that logs in to cancel its own statements; run again"
            )
        if self.connection.closed:
            raise UnreachableError("database: the connection that watches over the tries is lost; run again")
        self.withdrawn = self.overdue = False
        self._remembered, lookout.behind = float("-inf"), None
        done = threading.Event()
        thread = threading.Thread(target=self._look, args=(done, lookout, age, until), name="watch", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join(min(_JOIN_SECONDS, max(until - self.clock(), _JOIN_SECONDS / 10)))
            if thread.is_alive():  # it waits for an answer that the network keeps: the next try has no watch
                hang_up.hang_up(self.connection)
                thread.join(_JOIN_SECONDS)

    def _look(self, done: threading.Event, lookout: Lookout, age: float, until: float) -> None:
        # A watch that loses its connection says so at the next try; this try still has the server's own limits.
        with suppress(psycopg.Error):
            while not done.wait(_POLL_SECONDS):
                if self.clock() >= until:
                    self.overdue = True
                    self._cancel()
                elif self._waits_behind_an_old_one(lookout, age):
                    self.withdrawn = True
                    self._cancel()

    def _waits_behind_an_old_one(self, lookout: Lookout, age: float) -> bool:
        row = self.connection.execute(_WAITS, (self.pid,)).fetchone()
        if row is None or not row[0]:
            return False
        found = self.connection.execute(_FOR_WHAT, {"pid": self.pid, "age": age}).fetchone()
        if found is None:
            self._remember(lookout)
            return False
        lookout.behind = None
        relation, mode = int(found[0]), spelled(found[1])
        lookout.learned[relation], lookout.ahead = mode, frozenset(found[2])
        return bool(lookout.ahead) and mode not in _HARMLESS

    def _remember(self, lookout: Lookout) -> None:
        """A row, or an index build that waits for who began before it: it makes nobody wait, but has to be told."""
        if self.clock() - self._remembered >= _REMEMBER_SECONDS:
            self._remembered = self.clock()
            lookout.remember(self.connection, self.pid)

    def _cancel(self) -> None:
        try:
            self.connection.execute("SELECT pg_cancel_backend(%s)", (self.pid,))
        except psycopg.errors.InsufficientPrivilege as error:
            # The session's own key opens too: nobody needs a right for what he runs himself.
            self.refused = first_line(error)
            self.watched.cancel_safe(timeout=_JOIN_SECONDS)
            self.refused = ""
