"""A PostgreSQL for a moment: loopback, a free port, a folder of its own, gone at the end. Previews and tests use it.

The programs are the ones that the embedded AWS's databases run on. It runs as an ordinary user, also where this process
is root, and does not outlive this process however that ends.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from local import launcher
from local.rds import binaries

OWNER = "postgres"
INITDB_SECONDS = 60.0
START_SECONDS = 20.0
STOP_SECONDS = 20.0
REMOVALS, REMOVAL_SECONDS = 20, 0.1
_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
_SETTINGS = {
    "listen_addresses": "'127.0.0.1'",
    "unix_socket_directories": "''",
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "max_prepared_transactions": "5",
    "deadlock_timeout": "'200ms'",
}
Connection = psycopg.Connection[tuple[Any, ...]]


class NoScratchError(RuntimeError):
    """No PostgreSQL could be started here; the message says why and what to do."""


@dataclass(frozen=True)
class ScratchServer:
    """A running server."""

    port: int
    password: str
    version: str = ""

    def environment(self, name: str, user: str = OWNER, password: str | None = None) -> dict[str, str]:
        """DB_* of one of its databases."""
        return {
            "DB_HOST": "127.0.0.1",
            "DB_PORT": str(self.port),
            "DB_NAME": name,
            "DB_USER": user,
            "DB_PASSWORD": password or self.password,
            "DB_SSLMODE": "disable",
        }

    def connect(self, name: str, user: str = OWNER, password: str | None = None) -> Connection:
        """An autocommit connection."""
        return psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            dbname=name,
            user=user,
            password=password or self.password,
            autocommit=True,
            connect_timeout=5,
        )

    @contextmanager
    def database(self) -> Iterator[str]:
        """An empty database, dropped at the end."""
        name = f"t{secrets.token_hex(6)}"
        with self.connect("postgres") as connection:
            connection.execute(f'CREATE DATABASE "{name}"'.encode())
        try:
            yield name
        finally:
            with self.connect("postgres") as connection:
                connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


@contextmanager
def scratch_server(major: int | None = None, **more: str) -> Iterator[ScratchServer]:
    """Start one and stop it: of that major version where there is one, else the newest. Raises NoScratchError.

    more: settings of postgresql.conf.
    """
    try:
        distribution, user = _choose(major), binaries.unprivileged()
    except binaries.NoPostgres as error:
        raise NoScratchError(str(error)) from error
    root = Path(tempfile.mkdtemp(prefix="bluegreen-pg-"))
    places = binaries.Places(root / "place")
    try:
        os.chown(root, user.uid, user.gid)
        programs = places.programs(distribution, user)
        server = ScratchServer(_free_port(), secrets.token_hex(8), distribution.version)
        _initialise(programs, root, server, user, more)
        with _running(programs, root, server, user):
            yield server
    finally:
        try:
            _clear(places, root)
        except KeyboardInterrupt:  # in the middle of it
            _clear(places, root)
            raise


def _clear(places: binaries.Places, root: Path) -> None:
    """Remove the folders; again where a program that was killed still made a file."""
    places.remove()
    for _ in range(REMOVALS):
        shutil.rmtree(root, ignore_errors=True)
        if not root.exists():
            return
        time.sleep(REMOVAL_SECONDS)


def _choose(major: int | None) -> binaries.Distribution:
    found = binaries.distributions()
    return next((one for one in found if one.major == major), found[0])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _initialise(
    programs: Path, root: Path, server: ScratchServer, user: binaries.User, more: Mapping[str, str]
) -> None:
    secret = root / "password"
    secret.touch(mode=0o600)
    secret.write_text(server.password + "\n")
    os.chown(secret, user.uid, user.gid)
    other = user.uid != os.getuid()
    command: list[str | Path] = [
        *(programs / "initdb", "-D", root / "data", "-U", OWNER, "-A", "scram-sha-256", "--pwfile", secret),
        *("--no-sync", "--no-instructions", "-E", "UTF8", "--locale", "C"),
    ]
    process = subprocess.Popen(  # noqa: S603  (a program of the wheel)
        command, env=_ENVIRONMENT, cwd=root, text=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        user=user.uid if other else None, group=user.gid if other else None, extra_groups=[] if other else None,
        start_new_session=True,
    )  # fmt: skip
    try:
        _, said = process.communicate(timeout=INITDB_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise NoScratchError(f"initdb took more than {INITDB_SECONDS:g} s in {root}: is the machine busy?") from error
    finally:
        if process.returncode is None:  # with the servers that it starts: they would go on writing
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    if process.returncode:
        raise NoScratchError(f"initdb failed with exit code {process.returncode}: {_last_line(said)}")
    with (root / "data" / "postgresql.conf").open("a") as file:
        file.writelines(f"{name}={value}\n" for name, value in {**_SETTINGS, **more, "port": str(server.port)}.items())


@contextmanager
def _running(programs: Path, root: Path, server: ScratchServer, user: binaries.User) -> Iterator[None]:
    command: list[str | Path] = [
        *(sys.executable, "-I", "-S", Path(launcher.__file__), str(os.getpid()), str(user.uid), str(user.gid)),
        *(programs / "postgres", "-D", root / "data"),
    ]
    log = root / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603  (our launcher and a program of the wheel)
            command, env=_ENVIRONMENT, cwd=root, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            start_new_session=True,
        )  # fmt: skip
    try:
        _await(server, process, log)
        yield
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_SECONDS)


def _await(server: ScratchServer, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(int(START_SECONDS / 0.02)):
        try:
            server.connect("postgres").close()
        except psycopg.OperationalError:
            try:
                process.wait(0.02)
            except subprocess.TimeoutExpired:
                continue
            break
        else:
            return
    told = _last_line(log.read_text(errors="replace"))
    raise NoScratchError(f"PostgreSQL {server.version} did not start within {START_SECONDS:g} s: {told}")


def _last_line(text: str) -> str:
    return ([line.strip() for line in text.splitlines() if line.strip()] or ["it said nothing"])[-1]
