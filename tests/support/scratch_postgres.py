"""A PostgreSQL of the tests' own, from the wheel's binaries: loopback, free port, gone at the end."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from local.rds import binaries

_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


@dataclass(frozen=True)
class ScratchServer:
    """A running server."""

    port: int
    password: str

    def environment(self, name: str, user: str = "postgres", password: str | None = None) -> dict[str, str]:
        """DB_* of one of its databases."""
        return {
            "DB_HOST": "127.0.0.1",
            "DB_PORT": str(self.port),
            "DB_NAME": name,
            "DB_USER": user,
            "DB_PASSWORD": password or self.password,
            "DB_SSLMODE": "disable",
        }

    def connect(self, name: str, user: str = "postgres", password: str | None = None) -> psycopg.Connection:
        """An autocommit connection."""
        return psycopg.connect(
            host="127.0.0.1", port=self.port, dbname=name, user=user, password=password or self.password,
            autocommit=True, connect_timeout=5,
        )  # fmt: skip

    @contextmanager
    def database(self) -> Iterator[str]:
        """An empty database, dropped at the end."""
        name = f"t{secrets.token_hex(6)}"
        with self.connect("postgres") as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        try:
            yield name
        finally:
            with self.connect("postgres") as connection:
                connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def _identity() -> dict[str, object]:
    """PostgreSQL refuses uid 0, so as root it runs as an unprivileged user."""
    user = binaries.unprivileged()
    return {} if user.uid == os.getuid() else {"user": user.uid, "group": user.gid, "extra_groups": []}


@contextmanager
def scratch_server() -> Iterator[ScratchServer]:
    """Start one and stop it."""
    root = Path(tempfile.mkdtemp(prefix="bluegreen-pg-"))
    identity = _identity()
    password = secrets.token_hex(8)
    secret = root / "password"
    secret.write_text(password + "\n")
    if identity:
        for path in (root, secret):
            os.chown(path, identity["user"], identity["group"])
    places = binaries.Places(root / "place")
    bin_dir = places.programs(binaries.distributions()[0], binaries.unprivileged())
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    subprocess.run(
        [bin_dir / "initdb", "-D", root / "data", "-U", "postgres", "-A", "scram-sha-256", "--pwfile", secret,
         "--no-sync", "-E", "UTF8", "--locale", "C"],
        check=True, env=_ENVIRONMENT, cwd=root, stdout=subprocess.DEVNULL, **identity,
    )  # fmt: skip
    with (root / "data/postgresql.conf").open("a") as settings:
        settings.write(
            f"listen_addresses='127.0.0.1'\nport={port}\nunix_socket_directories=''\nfsync=off\nmax_connections=200\n"
            "max_prepared_transactions=5\ndeadlock_timeout='200ms'\n"
        )
    process = subprocess.Popen(
        [bin_dir / "postgres", "-D", root / "data"], env=_ENVIRONMENT, cwd=root, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, start_new_session=True, **identity,
    )  # fmt: skip
    server = ScratchServer(port, password)
    try:
        _wait(server, process)
        yield server
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(20)
        places.remove()
        shutil.rmtree(root, ignore_errors=True)


def _wait(server: ScratchServer, process: subprocess.Popen) -> None:
    for _ in range(400):
        try:
            server.connect("postgres").close()
        except psycopg.OperationalError:
            if process.poll() is not None:
                raise
            try:
                process.wait(0.05)
            except subprocess.TimeoutExpired:
                continue
        else:
            return
    raise RuntimeError("PostgreSQL did not start within 20 s")
