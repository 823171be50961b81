"""The embedded AWS itself: puts the parts together and runs until it is told to stop.

Started by `python -m local start` as `python -m local.daemon DIRECTORY PORT`, in a session of its own.
"""

from __future__ import annotations

import errno
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from local.addresses import Addresses
from local.calls import CallLog
from local.control import Control
from local.errors import LocalError
from local.faults import Faults
from local.folder import ACCOUNT, REGION, Folder
from local.ports import holder
from local.processes import Process, Records
from local.server import Application, Server

log = logging.getLogger("local")

PREFERRED_PORT = 4599
PART_STOP_SECONDS = 30.0


class Daemon:
    """One embedded AWS.

    Args:
        folder: its state folder.
        port: the port of the API; None for the preferred one, or another where that one is taken.
    """

    def __init__(self, folder: Folder, port: int | None) -> None:
        self._folder = folder
        self._port = port
        self._addresses = Addresses()
        self._calls = CallLog()
        self._faults = Faults()
        self._stops: list[tuple[str, Callable[[], None]]] = []
        self._control: dict[str, Any] = {}
        self._parts: dict[str, Any] = {}

    def start(self) -> None:
        """Start every part; ready when this returns.

        Raises:
            LocalError: a part does not start.
        """
        begin = time.monotonic()
        self._phase("taking the port")
        server = self._server = self._listen()
        self._phase("loading the control plane")
        self._aws = self._control_plane()
        self._phase("starting the parts")
        self._start_parts()
        server.start()
        self._stops.append(("the API", server.stop))
        self._control = {
            "pid": os.getpid(),
            "endpoint": server.endpoint,
            "region": REGION,
            "account": ACCOUNT,
            "started_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "start_seconds": round(time.monotonic() - begin, 3),
        }
        self._folder.write_ready(self._control)
        log.info("ready at %s after %.2f s", server.endpoint, time.monotonic() - begin)

    def stop(self) -> None:
        """Stop every part, the last started first; one that fails or hangs does not keep the others."""
        self._folder.control.unlink(missing_ok=True)
        for name, stop in reversed(self._stops):
            log.info("stopping %s", name)
            thread = threading.Thread(target=_logged, args=(name, stop), daemon=True)
            thread.start()
            thread.join(PART_STOP_SECONDS)
            if thread.is_alive():
                log.error("%s did not stop within %.0f s", name, PART_STOP_SECONDS)
        self._addresses.close()
        log.info("stopped")

    def _listen(self) -> Server:
        wanted = PREFERRED_PORT if self._port is None else self._port
        try:
            return Server(wanted, self._application)
        except OSError as error:
            if error.errno not in {errno.EADDRINUSE, errno.EACCES}:
                raise
            if self._port is None:
                return Server(0, self._application)
            reason = (
                f"in use by {holder('127.0.0.1', wanted)}" if error.errno == errno.EADDRINUSE else "not for this user"
            )
        raise LocalError(f"port {wanted} on 127.0.0.1 is {reason}: end that process, or start with another --port")

    def _application(self, environment: dict[str, Any], start: Callable[..., Any]) -> Any:
        return self._aws(environment, start)

    def _control_plane(self) -> Application:
        from local import moto_ext  # loading moto takes most of the start

        aws = moto_ext.application(self._calls, self._faults)
        from local.ecs import metadata
        from local.task_faults import inflict

        return Control(
            aws,
            calls=self._calls,
            faults=self._faults,
            status=self._status,
            database_fault=self._database_fault,
            task_fault=inflict,
            metadata=metadata.answer,
        )

    def _start_parts(self) -> None:
        from local.ecs.scheduler import Scheduler
        from local.elb.controller import LoadBalancing
        from local.images.store import Images
        from local.rds.databases import Databases

        root = self._folder.root
        databases = Databases(root / "rds", self._addresses, self._folder.records, root / "log")
        balancing = LoadBalancing(root, self._addresses)
        scheduler = Scheduler(
            root / "ecs", balancing, Images(root / "images"), self._addresses, task_environment=self._task_environment()
        )
        for name, part in (("databases", databases), ("load balancing", balancing), ("scheduler", scheduler)):
            self._parts[name] = part
            self._stops.append((name, part.stop))
            part.start()

    def _task_environment(self) -> dict[str, str]:
        """What a task needs to call AWS here, as Fargate gives it region and credentials there."""
        environment = self._folder.environment(self._server.endpoint)
        return {name: value for name, value in environment.items() if name.startswith("AWS_")}

    def _status(self) -> dict[str, Any]:
        from local.inventory import inventory

        return {**self._control, **inventory()}

    def _database_fault(self, wanted: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = self._parts["databases"].fault(wanted)
        return answer

    def _phase(self, text: str) -> None:
        self._folder.write(self._folder.phase, text)


def _logged(name: str, stop: Callable[[], None]) -> None:
    try:
        stop()
    except Exception:
        log.exception("%s did not stop cleanly", name)


def main(arguments: list[str]) -> int:
    """Run one embedded AWS until SIGTERM or SIGINT; the exit code."""
    directory, port = arguments
    folder = Folder(Path(directory))
    told = _told_to_stop()
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for name in ("botocore", "werkzeug", "urllib3"):
        logging.getLogger(name).setLevel(logging.WARNING)
    Records(folder.daemon).note(Process.of(os.getpid(), "embedded AWS"))
    daemon = Daemon(folder, int(port) if port else None)
    try:
        daemon.start()
    except Exception as error:
        log.exception("the start failed")
        daemon.stop()
        folder.write(
            folder.failure, str(error) if isinstance(error, LocalError) else f"{type(error).__name__}: {error}"
        )
        return 1
    os.read(told, 1)
    daemon.stop()
    return 0


def _told_to_stop() -> int:
    """A descriptor that becomes readable on SIGTERM or SIGINT.

    The signals are not blocked: every process started here would inherit that. What `nohup` and shells of build servers
    had ignored is undone for the same reason: a server here is asked to end by SIGQUIT when the daemon is killed.
    """
    readable, writable = os.pipe()
    os.set_blocking(writable, False)
    for number in (signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    signal.set_wakeup_fd(writable, warn_on_full_buffer=False)
    return readable


if __name__ == "__main__":
    code = main(sys.argv[1:])
    logging.shutdown()
    os._exit(code)  # everything is stopped: taking the interpreter apart would only take time
