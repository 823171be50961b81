"""Who is in the way of a lock: transactions that have held, or waited for, a table for some time.

On the tables that a revision names, and on their partitions, every holder counts that conflicts with the lock the
revision wants (ACCESS EXCLUSIVE, which conflicts with all, where it names no other). Any other table that a try ran
into, such as one that a foreign key or a view leads to, is learned with the mode that was wanted there.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import psycopg

from migrations.database import Connection
from migrations.locking.redact import redact

STRONGEST: Final = "ACCESS EXCLUSIVE"
# PostgreSQL's table of conflicting lock modes: what a holder must not have.
CONFLICTS: Final[Mapping[str, frozenset[str]]] = {
    mode: frozenset(others.split(", "))
    for mode, others in {
        "ACCESS SHARE": "ACCESS EXCLUSIVE",
        "ROW SHARE": "EXCLUSIVE, ACCESS EXCLUSIVE",
        "ROW EXCLUSIVE": "SHARE, SHARE ROW EXCLUSIVE, EXCLUSIVE, ACCESS EXCLUSIVE",
        "SHARE UPDATE EXCLUSIVE": ("SHARE UPDATE EXCLUSIVE, SHARE, SHARE ROW EXCLUSIVE, EXCLUSIVE, ACCESS EXCLUSIVE"),
        "SHARE": "ROW EXCLUSIVE, SHARE UPDATE EXCLUSIVE, SHARE ROW EXCLUSIVE, EXCLUSIVE, ACCESS EXCLUSIVE",
        "SHARE ROW EXCLUSIVE": (
            "ROW EXCLUSIVE, SHARE UPDATE EXCLUSIVE, SHARE, SHARE ROW EXCLUSIVE, EXCLUSIVE, ACCESS EXCLUSIVE"
        ),
        "EXCLUSIVE": (
            "ROW SHARE, ROW EXCLUSIVE, SHARE UPDATE EXCLUSIVE, SHARE, SHARE ROW EXCLUSIVE, EXCLUSIVE, ACCESS EXCLUSIVE"
        ),
        "ACCESS EXCLUSIVE": (
            "ACCESS SHARE, ROW SHARE, ROW EXCLUSIVE, SHARE UPDATE EXCLUSIVE, SHARE, SHARE ROW EXCLUSIVE, EXCLUSIVE, "
            "ACCESS EXCLUSIVE"
        ),
    }.items()
}


# What else a statement may wait for, as `pg_locks` calls it.
_HELD: Final[Mapping[str, str]] = {
    "transactionid": "a row that it wrote",
    "tuple": "a row",
    "spectoken": "a row that it wrote",
    "virtualxid": "an older snapshot or a lock",
    "advisory": "an advisory lock",
}
_LATELY_SECONDS = 2.0


def spelled(mode: str) -> str:
    """`pg_locks` says AccessShareLock where SQL says ACCESS SHARE."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", mode.removesuffix("Lock")).upper()


@dataclass(frozen=True, kw_only=True)
class Blocker:
    """A transaction that holds a table or a row that the runner needs, or waits for it before us."""

    pid: int | None  # None: a prepared transaction, which has no process
    name: str  # application_name, else what kind of process it is; a prepared transaction's own name
    state: str
    age: float  # seconds since its transaction began; where that is hidden from us: since it was first seen
    table: str  # or what else it holds, in words
    mode: str  # of its lock on a table, else the kind of lock as `pg_locks` has it
    waits: bool
    query: str = field(default="", repr=False)  # as the server has it: never to be shown without `redact`

    @property
    def has_table(self) -> bool:
        """False: a row, or a snapshot."""
        return self.mode in CONFLICTS

    def __str__(self) -> str:
        """Who it is, for the progress."""
        who = f"process {self.pid}" if self.pid else "a prepared transaction"
        name = f" ({self.name})" if self.name else ""
        what = "waits for" if self.waits else "holds"
        return f"{who}{name} {what} {self.table} ({self.mode}), {self.state}, its transaction is {self.age:.0f} s old"

    def in_full(self) -> str:
        """With its query, which has no literals any more, and how to end it: for the error."""
        if self.pid is None:
            return f"{self}; end it with COMMIT PREPARED or ROLLBACK PREPARED"
        query = f", its {'last ' if self.state.startswith('idle') else ''}query: {redact(self.query).rstrip('; ')}"
        return f"{self}{query if self.query else ''}; end it with SELECT pg_terminate_backend({self.pid})"


_LOOK = """
WITH RECURSIVE looked(relation, wanted) AS (
    (
        SELECT to_regclass(name)::oid, %(mode)s::text FROM unnest(%(names)s::text[]) AS named(name)
        UNION ALL
        SELECT * FROM unnest(%(oids)s::oid[], %(modes)s::text[])
    )
    UNION
    SELECT part.inhrelid, looked.wanted FROM pg_inherits AS part JOIN looked ON part.inhparent = looked.relation
)
SELECT held.pid, held.virtualtransaction, held.mode, looked.wanted, held.granted, held.relation::regclass::text,
       coalesce(nullif(session.application_name, ''), session.backend_type, prepared.gid, ''),
       CASE WHEN held.pid IS NULL THEN 'prepared' ELSE coalesce(session.state, 'state not visible') END,
       extract(epoch FROM clock_timestamp() - coalesce(session.xact_start, prepared.prepared))::float8,
       coalesce(session.query, ''), coalesce(session.backend_type = 'autovacuum worker', false)
FROM looked
JOIN pg_locks AS held ON held.relation = looked.relation
LEFT JOIN pg_stat_activity AS session ON session.pid = held.pid
LEFT JOIN pg_locks AS own ON held.pid IS NULL AND own.pid IS NULL AND own.locktype = 'transactionid'
     AND own.virtualtransaction = held.virtualtransaction
LEFT JOIN pg_prepared_xacts AS prepared ON prepared.transaction = own.transactionid
WHERE held.locktype = 'relation' AND held.pid IS DISTINCT FROM pg_backend_pid()
  AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
# The one whom a session waits for that waits for no table. pg_blocking_pids answers 0 for a prepared transaction.
_BEHIND = """
SELECT blocking.pid, coalesce(nullif(session.application_name, ''), session.backend_type, ''),
       CASE WHEN blocking.pid = 0 THEN 'prepared' ELSE coalesce(session.state, 'state not visible') END,
       coalesce(extract(epoch FROM clock_timestamp() - coalesce(session.xact_start, waiting.waitstart)), 0)::float8,
       coalesce(session.query, ''), waiting.locktype
FROM pg_locks AS waiting CROSS JOIN unnest(pg_blocking_pids(waiting.pid)) AS blocking(pid)
LEFT JOIN pg_stat_activity AS session ON session.pid = blocking.pid
WHERE waiting.pid = %s AND NOT waiting.granted AND waiting.locktype <> 'relation'
ORDER BY session.xact_start LIMIT 1
"""
_WRAPAROUND = "to prevent wraparound"


@dataclass(kw_only=True)
class Lookout:
    """What one revision wants to lock, and who is in the way of it."""

    tables: Sequence[str]
    mode: str = STRONGEST
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    learned: dict[int, str] = field(default_factory=dict)  # relation: the mode a try waited for
    ahead: frozenset[int] = frozenset()  # processes that a try waited for last, for a table; 0: a prepared transaction
    unsure: bool = False  # the last look saw somebody whose age is hidden from us and who may be as old as asked for
    behind: Blocker | None = None  # whom this try waited for last, where it was for no table
    _behind_at: float = float("-inf")
    _seen: dict[tuple[int | None, str], float] = field(default_factory=dict)

    @property
    def lately_behind(self) -> Blocker | None:
        """Whom the try waited for until a moment ago."""
        return self.behind if self.clock() - self._behind_at <= _LATELY_SECONDS else None

    def remember(self, connection: Connection, pid: int) -> None:
        """Note whom this session waits for, where it is for no table."""
        row = connection.execute(_BEHIND, (pid,)).fetchone()
        if row is not None:
            who, name, state, age, query, kind = row
            held = _HELD.get(kind, "a lock")
            self.behind = Blocker(
                pid=who or None, name=name, state=state, age=age, table=held, mode=kind, waits=False, query=query
            )
            self._behind_at = self.clock()

    def find_surely(self, connection: Connection, age: float) -> list[Blocker]:
        """As `find`. Where it can't tell, it looks twice: who is there at both looks is not just passing by."""
        found = self.find(connection, age)
        if not found and self.unsure:
            self.sleep(age + 0.05)
            found = self.find(connection, age)
        return found

    def find(self, connection: Connection, age: float) -> list[Blocker]:
        """Transactions at least `age` seconds old that are in the way.

        Who holds comes before who waits, whom a try waited for before others, and then the oldest. Where the server
        hides how old one is, it is as old as it is known here.
        """
        if not self.tables and not self.learned:
            return []
        asked = {
            "names": list(self.tables),
            "mode": self.mode,
            "oids": list(self.learned),
            "modes": list(self.learned.values()),
        }
        self.unsure = False
        found: dict[tuple[int | None, str], Blocker] = {}
        for row in connection.execute(_LOOK, asked).fetchall():
            blocker = self._judge(connection, row, age)
            if blocker is not None:
                found.setdefault((row[0], row[1]), blocker)
        return sorted(found.values(), key=lambda one: (one.waits, (one.pid or 0) not in self.ahead, -one.age))

    def _judge(self, connection: Connection, row: Sequence[Any], least: float) -> Blocker | None:
        pid, transaction, held, wanted, granted, table, name, state, age, query, autovacuum = row
        mode = spelled(held)
        if mode not in CONFLICTS[wanted]:
            return None
        # The server hides how old another role's transaction is from a role that may not see it.
        if age is None:
            now = self.clock()
            age = now - self._seen.setdefault((pid, transaction), now)
            self.unsure = self.unsure or age < least
        if age < least or (autovacuum and _WRAPAROUND not in query and _gave_way(connection, pid)):
            return None
        return Blocker(pid=pid, name=name, state=state, age=age, table=table, mode=mode, waits=not granted, query=query)


def _gave_way(connection: Connection, pid: int) -> bool:
    """End an autovacuum's work on the table, as the server itself would for who waits a second; it comes back later.

    False where our role may not: then it is waited for like any other. One that prevents wraparound is never ended.
    """
    try:
        connection.execute("SELECT pg_cancel_backend(%s)", (pid,))
    except psycopg.errors.InsufficientPrivilege:
        return False
    return True
