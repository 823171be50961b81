"""Two locks: the session lock that lets one runner work at a time, and the tables' locks, taken without making
the service wait.

A statement that waits for a table's lock makes everybody queue behind it. So the runner looks first: while a
transaction that began some time ago holds the table, it does not even try. Then it tries with a short lock_timeout.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from migrations.database import APPLICATION_NAME, Connection, Say
from migrations.errors import AnotherRunnerError

# Any fixed number: the first eight bytes of "bluegreen migrations".
_SESSION_LOCK = int.from_bytes(b"bluegree", "big") >> 1
LOOK_AGE_SECONDS = 0.2  # a transaction younger than this is the service's own and will be gone at once
LOCK_TIMEOUT_SECONDS = (0.1, 1.0)  # first and longest
_PAUSE_SECONDS = (1.0, 60.0)
_LOOK_AGAIN_SECONDS = 0.25
_SAY_EVERY_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True)
class Blocker:
    """A transaction that holds a table the runner needs. Never its query: a literal in it may be a person's data."""

    pid: int | None  # None: a prepared transaction, which has no process
    application: str
    state: str
    age: float
    table: str

    def __str__(self) -> str:
        who = f"process {self.pid}" if self.pid else "a prepared transaction"
        name = f" ({self.application})" if self.application else ""
        return f"{who}{name} holds {self.table}, {self.state} for {self.age:.0f} s"


_BLOCKERS = """
SELECT held.pid, coalesce(session.application_name, ''), coalesce(session.state, 'prepared'),
       extract(epoch FROM clock_timestamp() - coalesce(session.xact_start, prepared.prepared))::float8 AS age,
       held.relation::regclass::text
FROM pg_locks AS held
LEFT JOIN pg_stat_activity AS session ON session.pid = held.pid
LEFT JOIN pg_locks AS own ON held.pid IS NULL AND own.pid IS NULL AND own.locktype = 'transactionid'
     AND own.virtualtransaction = held.virtualtransaction
LEFT JOIN pg_prepared_xacts AS prepared ON prepared.transaction = own.transactionid
WHERE held.locktype = 'relation' AND held.granted AND held.pid IS DISTINCT FROM pg_backend_pid()
  AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND held.relation IN (SELECT to_regclass(name) FROM unnest(%(tables)s::text[]) AS name)
  AND clock_timestamp() - coalesce(session.xact_start, prepared.prepared) > make_interval(secs => %(age)s)
ORDER BY age DESC
LIMIT 5
"""


def blockers(connection: Connection, tables: Sequence[str], age: float = LOOK_AGE_SECONDS) -> list[Blocker]:
    """Transactions older than `age` seconds that hold one of the tables, oldest first."""
    if not tables:
        return []
    rows = connection.execute(_BLOCKERS, {"tables": list(tables), "age": age})
    return [Blocker(pid=r[0], application=r[1], state=r[2], age=r[3], table=r[4]) for r in rows]


@dataclass(kw_only=True)
class Attempts:
    """The budget of one revision: looks before it leaps, pauses with jitter, and knows who was in the way.

    `clock`, `sleep` and `jitter` are handed in by tests.
    """

    budget: float
    say: Say
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = random.random
    last: Blocker | None = None
    refused: int = 0

    def __post_init__(self) -> None:
        self.started = self.clock()
        self._said = float("-inf")

    @property
    def left(self) -> float:
        """Seconds left of the budget."""
        return self.budget - (self.clock() - self.started)

    @property
    def lock_timeout(self) -> float:
        """Seconds for the next try: short first, doubled with each refusal."""
        low, high = LOCK_TIMEOUT_SECONDS
        return min(high, low * 2.0 ** min(self.refused, 10))

    def wait_for_blockers(self, connection: Connection, tables: Sequence[str]) -> bool:
        """Wait until nothing old holds the tables; False when the budget is spent."""
        while found := blockers(connection, tables):
            self.last = found[0]
            if self.left <= 0:
                return False
            if self.clock() - self._said >= _SAY_EVERY_SECONDS:
                self._said = self.clock()
                self.say(f"not queueing for {self.last.table}: {self.last}; {self.left:.0f} s left")
            self.sleep(_LOOK_AGAIN_SECONDS)
        return self.left > 0

    def pause(self) -> None:
        """After a refusal: wait, longer each time, never beyond the budget."""
        self.refused += 1
        low, high = _PAUSE_SECONDS
        seconds = min(high, low * 2.0 ** min(self.refused - 1, 10)) * (0.5 + self.jitter() / 2)
        seconds = min(seconds, max(self.left, 0))
        self.say(f"lock not obtained in try {self.refused}, next try in {seconds:.1f} s, {self.left:.0f} s left")
        self.sleep(seconds)


@contextmanager
def one_runner(connection: Connection, wait: float, say: Say) -> Iterator[None]:
    """Hold the session lock. It goes with the session, so a runner that died never keeps it. Raises AnotherRunnerError.

    Asked for again and again and not waited for in the server, so that the wait can be announced and bounded.
    """
    deadline = time.monotonic() + wait
    said = False
    while not _try_lock(connection):
        if time.monotonic() >= deadline:
            raise AnotherRunnerError(
                f"migrations: another runner holds the lock after {wait:.0f} s: {_holder(connection)}; "
                "wait for it, or end its server process when its task is no longer there"
            )
        if not said:
            say(f"another runner is at work, waiting up to {wait:.0f} s: {_holder(connection)}")
            said = True
        time.sleep(0.2)
    try:
        yield
    finally:
        if not connection.broken and not connection.closed:
            connection.rollback()
            connection.execute("SELECT pg_advisory_unlock(%s)", (_SESSION_LOCK,))


def _try_lock(connection: Connection) -> bool:
    row = connection.execute("SELECT pg_try_advisory_lock(%s)", (_SESSION_LOCK,)).fetchone()
    return row is not None and bool(row[0])


_HOLDER = """
SELECT session.pid, session.application_name, extract(epoch FROM clock_timestamp() - session.backend_start)::float8
FROM pg_locks AS held JOIN pg_stat_activity AS session USING (pid)
WHERE held.locktype = 'advisory' AND held.granted
  AND held.classid = %(high)s::bigint AND held.objid = %(low)s::bigint
"""


def _holder(connection: Connection) -> str:
    keys = {"high": _SESSION_LOCK >> 32, "low": _SESSION_LOCK & 0xFFFFFFFF}
    row = connection.execute(_HOLDER, keys).fetchone()
    if row is None:
        return "not there any more"
    return f"process {row[0]} ({row[1] or APPLICATION_NAME}), connected for {row[2]:.0f} s"
