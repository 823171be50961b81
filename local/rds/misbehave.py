"""Faults of a database: a lock that is held, a server that is slow, stands still, restarts or crashes."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

import psutil

from local.faults import BadFault
from local.rds.postgres import Postgres, PostgresError
from local.rds.roles import identifier, literal

log = logging.getLogger(__name__)

MAX_SECONDS = 600.0
SLICE_SECONDS = 0.05
TAKE_SECONDS = 10.0
APPLICATION = "bluegreen-fault"


class Misbehavior:
    """One fault.

    Args:
        server: whose.
        wanted: `kind`: `lock` (takes ACCESS EXCLUSIVE on `table` of `database` for `seconds`), `slow` (stands still
            `percent` of the time for `seconds`), `pause` (stands still for `seconds`), `restart` or `crash`.

    Raises:
        BadFault: an unknown kind, or a value that is missing or out of range.
    """

    def __init__(self, server: Postgres, wanted: Mapping[str, Any]) -> None:
        self._server = server
        self._kind = str(wanted.get("kind", ""))
        self._begin = {"lock": self._lock, "slow": self._slow, "pause": self._pause}
        if self._kind not in {*self._begin, "restart", "crash"}:
            raise BadFault(f"the kind is one of lock, slow, pause, restart, crash; found {self._kind!r}")
        self._seconds = _number(wanted, "seconds", 10.0, MAX_SECONDS)
        self._percent = _number(wanted, "percent", 50.0, 95.0)
        self._table = str(wanted.get("table", ""))
        self._database = str(wanted.get("database", ""))

    def begin(self, restart: Callable[[signal.Signals], None]) -> str:
        """Let it happen; what happens, in a line. Returns when it has begun.

        Args:
            restart: restarts the server, in this way.

        Raises:
            BadFault: the lock can't be had.
        """
        if self._kind in self._begin:
            return self._begin[self._kind]()
        restart(signal.SIGQUIT if self._kind == "crash" else signal.SIGINT)
        return f"{self._kind} of {self._server.home.name} is under way"

    def _lock(self) -> str:
        if not self._table:
            raise BadFault("a lock needs the name of a table")
        database = self._database or self._find()
        held = threading.Event()
        failed: list[str] = []

        def hold() -> None:
            sql = (
                f"SET application_name = {literal(APPLICATION)}; SET lock_timeout = '{TAKE_SECONDS:.0f}s'; BEGIN; "
                f"LOCK TABLE {identifier(self._table)}; SELECT pg_sleep({self._seconds}); COMMIT;"
            )
            try:
                self._server.sql(sql, database=database, seconds=self._seconds + TAKE_SECONDS + 5.0)
            except PostgresError as error:
                failed.append(str(error))
                held.set()

        threading.Thread(target=hold, name="rds-lock", daemon=True).start()
        end = time.monotonic() + TAKE_SECONDS
        while not held.wait(SLICE_SECONDS) and not self._held(database):
            if time.monotonic() > end:
                break
        if failed:
            raise BadFault(f"the lock on {self._table} can't be had: {failed[0]}")
        return f"{self._table} of {database} is locked for {self._seconds:g} s"

    def _find(self) -> str:
        """The one database that has the table."""
        names = self._server.sql("SELECT datname FROM pg_database WHERE NOT datistemplate ORDER BY 1").splitlines()
        asked = f"SELECT to_regclass({literal(identifier(self._table))})"
        for name in names:
            if self._server.sql(asked, database=name):
                return name
        raise BadFault(f"no database has a table {self._table}; looked in {', '.join(names)}")

    def _held(self, database: str) -> bool:
        sql = (
            "SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid) "  # noqa: S608  (a constant, quoted)
            f"WHERE application_name = {literal(APPLICATION)} AND mode = 'AccessExclusiveLock' AND granted "
            "AND relation IS NOT NULL"
        )
        return self._server.sql(sql, database=database) != "0"

    def _slow(self) -> str:
        self._run(lambda: self._still(self._percent / 100))
        return f"{self._server.home.name} stands still {self._percent:g} % of the time for {self._seconds:g} s"

    def _pause(self) -> str:
        self._run(lambda: self._still(1.0))
        return f"{self._server.home.name} stands still for {self._seconds:g} s"

    def _run(self, work: Callable[[], None]) -> None:
        self._send(signal.SIGSTOP)
        threading.Thread(target=work, name=f"rds-{self._kind}", daemon=True).start()

    def _still(self, share: float) -> None:
        """Stop and continue the server's processes by turns."""
        end = time.monotonic() + self._seconds
        try:
            while time.monotonic() < end and self._server.running:
                self._send(signal.SIGSTOP)
                time.sleep(SLICE_SECONDS * share)
                if share < 1:
                    self._send(signal.SIGCONT)
                    time.sleep(SLICE_SECONDS * (1 - share))
        finally:
            self._send(signal.SIGCONT)

    def _send(self, number: signal.Signals) -> None:
        for pid in self._pids():
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def _pids(self) -> Iterator[int]:
        """The server's process, and one for each of its connections."""
        process = self._server.process
        if process is None or not process.alive:
            return
        yield process.pid
        with suppress(psutil.NoSuchProcess):
            yield from (child.pid for child in psutil.Process(process.pid).children())


def _number(wanted: Mapping[str, Any], name: str, default: float, most: float) -> float:
    value = wanted.get(name, default)
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise BadFault(f"{name} is a number; found {value!r}") from None
    if not 0 < number <= most:
        raise BadFault(f"{name} is more than 0 and at most {most:g}; found {number:g}")
    return number
