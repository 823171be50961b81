"""The locks of a statement that cannot run inside of a transaction: seen from another session while it waits.

A writer that does not commit makes it wait: CREATE INDEX CONCURRENTLY takes its locks, then waits for every transaction
that might not know of the index.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from psycopg import sql

from preview import observe
from preview.scratch import Connection

WAIT_SECONDS = 10.0
_LOOK_SECONDS = 0.003
_WAITS = "SELECT 1 FROM pg_locks WHERE pid = %s AND NOT granted LIMIT 1"
_WRITABLE = """
SELECT n.nspname, c.relname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
"""


class Watched:
    """What was seen."""

    def __init__(self) -> None:
        self.held: dict[int, set[str]] = {}

    def add(self, found: Mapping[int, set[str]]) -> None:
        """Add the locks of one look."""
        for oid, modes in found.items():
            self.held.setdefault(oid, set()).update(modes)


@contextmanager
def watching(connect: Callable[[], Connection], pid: int, mode: str) -> Iterator[Watched]:
    """While the block runs its statement in the session `pid`, hold it up once and look at its locks.

    `mode` is the lock that holds it up: what a writer has, or a stronger one for a statement that writers do not
    hold up. The statement is let go when it was seen waiting, and in any case after WAIT_SECONDS.
    """
    watched, ended = Watched(), threading.Event()
    with connect() as blocker, connect() as watcher:
        blocker.execute("BEGIN")
        for schema, name in blocker.execute(_WRITABLE).fetchall():
            blocker.execute(sql.SQL(f"LOCK TABLE {{}} IN {mode} MODE").format(sql.Identifier(schema, name)))
        thread = threading.Thread(target=_watch, args=(watched, ended, watcher, blocker, pid), daemon=True)
        thread.start()
        try:
            yield watched
        finally:
            ended.set()
            thread.join(WAIT_SECONDS)


def _watch(watched: Watched, ended: threading.Event, watcher: Connection, blocker: Connection, pid: int) -> None:
    looks = int(WAIT_SECONDS / _LOOK_SECONDS)
    try:
        for _ in range(looks):
            watched.add(observe.held(watcher, pid))
            if watcher.execute(_WAITS, (pid,)).fetchone():
                watched.add(observe.held(watcher, pid))
                break
            if ended.wait(_LOOK_SECONDS):
                break
    finally:
        blocker.execute("ROLLBACK")
    while not ended.wait(_LOOK_SECONDS):  # it goes on, and may take more
        watched.add(observe.held(watcher, pid))
