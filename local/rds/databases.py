"""The databases of the embedded AWS: a PostgreSQL for each DB instance that moto keeps.

One thread does everything that takes time, in the order in which it was asked, and lives as long as the embedded AWS:
a server dies with the thread that started it. Statuses are written when they are true.
"""

from __future__ import annotations

import logging
import queue
import signal
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local.addresses import Addresses, Pool
from local.faults import BadFault
from local.processes import Records
from local.rds import roles
from local.rds.binaries import Distribution, Places, distributions, unprivileged
from local.rds.misbehave import Misbehavior
from local.rds.parameters import contexts, is_static, settings
from local.rds.postgres import Postgres, PostgresError
from local.server import LOCK

log = logging.getLogger(__name__)


@dataclass(kw_only=True)
class Database:
    """One DB instance.

    Attributes:
        instance: moto's DBInstance.
        distribution: the PostgreSQL that serves it.
        address: where it listens.
        server: made by the thread that does the work; None before that.
        applied: the parameters that the server runs with.
    """

    instance: Any
    distribution: Distribution
    address: str
    server: Postgres | None = None
    applied: dict[str, str] = field(default_factory=dict)

    @property
    def reachable(self) -> bool:
        """True when its endpoint is told: from the first `available` on."""
        return self.server is not None


class Databases:
    """Runs the DB instances.

    Args:
        directory: where their data lies.
        addresses: gives each an address of its own.
        records: notes the servers' processes.
        logs: the folder of the servers' logs.
    """

    def __init__(self, directory: Path, addresses: Addresses, records: Records, logs: Path) -> None:
        self._places = Places(directory)
        self._addresses = addresses
        self._records = records
        self._logs = logs
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="rds", daemon=True)
        self._all: list[Database] = []

    def start(self) -> None:
        """Take over moto's DB instances."""
        from local.rds import patches  # it patches moto, which must not happen by an import

        for distribution in distributions():
            contexts(distribution)  # asks PostgreSQL, which nobody may do under the lock
        patches.apply(self)
        self._thread.start()

    def stop(self) -> None:
        """Stop every server and remove its files."""
        self._jobs.put(self._stop_all)
        self._jobs.put(None)
        self._thread.join()

    def all(self) -> list[Database]:
        """Those that are there now."""
        return list(self._all)

    # --- asked by the API, under the lock: nothing here waits

    def create(self, instance: Any, distribution: Distribution) -> None:
        """Give a new DB instance its address and start its server.

        Raises:
            NoFreeAddress: its port is taken on every address.
        """
        database = Database(
            instance=instance,
            distribution=distribution,
            address=self._addresses.take(Pool.DATABASE, instance.port),
        )
        instance.embedded = database
        instance.status = "creating"
        self._all.append(database)
        self._do(database, lambda: self._create(database), "available")

    def delete(self, instance: Any, then: Callable[[], None]) -> None:
        """Stop the server and remove its data.

        Args:
            then: called under the lock when that is done.
        """
        database: Database = instance.embedded
        instance.status = "deleting"
        self._jobs.put(lambda: self._remove(database, then))

    def set_password(self, instance: Any, password: str) -> None:
        """Change the master user's password."""
        instance.status = "resetting-master-credentials"
        sql = roles.password(instance.master_username, password)
        self._do(instance.embedded, lambda: _server(instance.embedded).sql(sql), "available")

    def reconfigure(self, instance: Any) -> None:
        """Apply what of the parameters needs no reboot."""
        self._do(instance.embedded, lambda: self._apply(instance.embedded, static=False), None)

    def reboot(self, instance: Any) -> None:
        """Restart the server, which applies all parameters."""
        instance.status = "rebooting"
        self._do(instance.embedded, lambda: self._restart(instance.embedded), "available")

    def halt(self, instance: Any) -> None:
        """Stop the server and keep its data."""
        instance.status = "stopping"
        self._do(instance.embedded, lambda: _server(instance.embedded).stop(self._records), "stopped")

    def resume(self, instance: Any) -> None:
        """Start a stopped server."""
        instance.status = "starting"
        self._do(instance.embedded, lambda: self._restart(instance.embedded), "available")

    def fault(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """Let a database misbehave. Not under the lock.

        Args:
            wanted: `identifier`, `kind` and what the kind takes; see `misbehave.py`.

        Raises:
            BadFault: no such database, or a fault that makes no sense.
        """
        found = [one for one in self._all if one.instance.db_instance_identifier == wanted.get("identifier")]
        if not found:
            names = ", ".join(sorted(one.instance.db_instance_identifier for one in self._all)) or "none"
            raise BadFault(f"no database {wanted.get('identifier')!r}; there is {names}")
        server = found[0].server
        if server is None or not server.running:
            raise BadFault(f"the database {wanted['identifier']} does not run; it is {found[0].instance.status}")
        told = Misbehavior(server, wanted).begin(lambda how: self.interrupt(found[0], how))
        return {"done": told}

    def interrupt(self, database: Database, how: signal.Signals) -> None:
        """Restart a server as if by accident: no status tells of it."""
        self._jobs.put(lambda: self._restart(database, how))

    # --- done by the thread

    def _do(self, database: Database, job: Callable[[], object], status: str | None) -> None:
        def run() -> None:
            if database.instance.status in {"deleting", "failed"}:
                return
            job()
            with LOCK:
                if status and database.instance.status != "deleting":
                    database.instance.status = status

        def guarded() -> None:
            try:
                run()
            except (PostgresError, OSError) as error:
                log.error("%s: %s", database.instance.db_instance_identifier, error)  # noqa: TRY400  (said in a line)
                with LOCK:
                    database.instance.status = "failed" if database.server is None else "incompatible-parameters"

        self._jobs.put(guarded)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                job()
            except Exception:
                log.exception("a database job failed")

    def _create(self, database: Database) -> None:
        instance = database.instance
        name = instance.db_instance_identifier
        log_file = self._logs / f"postgres-{name}.log"
        server = Postgres(name, database.distribution, self._places, unprivileged(), log_file)
        server.address, server.port = database.address, instance.port
        server.remove()
        server.create()
        database.applied = self._wanted(database)
        server.configure(database.applied)
        server.start(self._records)
        server.sql(roles.create(instance.master_username, instance.embedded_password))
        if instance.db_name and instance.db_name != "postgres":
            server.sql(roles.database(instance.db_name, instance.master_username))
        database.server = server

    def _restart(self, database: Database, how: signal.Signals = signal.SIGINT) -> None:
        server = _server(database)
        server.stop(self._records, how)
        server.port = database.instance.port
        database.applied = self._wanted(database)
        server.configure(database.applied)
        server.start(self._records)

    def _apply(self, database: Database, *, static: bool) -> None:
        wanted = self._wanted(database)
        for name in {*wanted, *database.applied}:
            if not static and is_static(database.distribution, name):
                keep = database.applied.get(name)
                wanted.pop(name, None)
                if keep is not None:
                    wanted[name] = keep
        database.applied = wanted
        server = _server(database)
        server.configure(wanted)
        server.reload()

    def _wanted(self, database: Database) -> dict[str, str]:
        with LOCK:
            parameters = {
                name: dict(one) for name, one in database.instance.db_parameter_groups()[0].parameters.items()
            }
        return settings(database.distribution, parameters)

    def pending(self, database: Database) -> bool:
        """True when a parameter waits for a reboot. Under the lock."""
        wanted = settings(database.distribution, database.instance.db_parameter_groups()[0].parameters)
        names = {*wanted, *database.applied}
        return any(
            wanted.get(name) != database.applied.get(name) and is_static(database.distribution, name) for name in names
        )

    def _remove(self, database: Database, then: Callable[[], None]) -> None:
        if database.server is not None:
            database.server.stop(self._records)
            database.server.remove()
        self._addresses.give_back(database.address)
        with LOCK:
            self._all.remove(database)
            then()

    def _stop_all(self) -> None:
        for database in self._all:
            if database.server is not None:
                database.server.stop(self._records, signal.SIGQUIT)
        self._places.remove()


def _server(database: Database) -> Postgres:
    if database.server is None:
        raise PostgresError(f"{database.instance.db_instance_identifier} has no server")
    return database.server
