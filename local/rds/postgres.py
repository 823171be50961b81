"""One PostgreSQL server: its files, its process, and SQL as its administrator."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from local.processes import Process, Records
from local.rds.binaries import Distribution, Places, User

LAUNCHER = Path(__file__).parents[1] / "launcher.py"
ADMINISTRATOR = "rdsadmin"  # as on RDS: a superuser that is nobody's
START_SECONDS = 20.0
STOP_SECONDS = 10.0
SQL_SECONDS = 30.0
BUILTIN_LOCALE_SINCE = 17
IO_METHOD_SINCE = 18

# Durable against a crash of the database, not of the machine: its state does not survive a stop anyway.
SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "'32MB'",
    "max_wal_size": "'256MB'",
    "min_wal_size": "'32MB'",
    "max_connections": "200",
    "jit": "off",
    "log_lock_waits": "on",
    "log_min_duration_statement": "1000",
    "log_line_prefix": "'%m [%p] %q%u@%d %a '",
    "timezone": "'UTC'",
    "unix_socket_directories": "''",
}


class PostgresError(RuntimeError):
    """PostgreSQL did not start, or refused what it was asked."""


class Postgres:
    """A server in a folder of its own.

    Args:
        name: the folder's name.
        distribution: which PostgreSQL.
        places: where it may live.
        user: as whom it runs.
        log: the file that takes what it says.
    """

    def __init__(self, name: str, distribution: Distribution, places: Places, user: User, log: Path) -> None:
        self.home = places.data(user) / name
        self.log = log
        self.address = ""
        self.port = 0
        self._major = distribution.major
        self._programs = places.programs(distribution, user)
        self._user = user
        self._password = secrets.token_urlsafe(24)
        self._process: subprocess.Popen[bytes] | None = None
        self.process: Process | None = None

    def create(self) -> None:
        """Make the data folder.

        Raises:
            PostgresError: initdb failed.
        """
        self.home.mkdir(mode=0o700)
        password = self.home / "password"
        password.touch(mode=0o600)
        password.write_text(self._password + "\n")
        for path in (self.home, password):
            os.chown(path, self._user.uid, self._user.gid)
        locale = ["--locale=C"]
        if self._major >= BUILTIN_LOCALE_SINCE:
            locale += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        command: list[str | Path] = [
            *(self._programs / "initdb", "-D", self.home / "data", "-U", ADMINISTRATOR, "--pwfile", password),
            *("-A", "scram-sha-256", "--no-sync", "--no-instructions", "-E", "UTF8", *locale),
        ]
        other = self._user.uid != os.getuid()
        made = subprocess.run(  # noqa: S603  (a program of the wheel)
            command, env=_environment(), cwd=self.home, capture_output=True, text=True, check=False,
            user=self._user.uid if other else None, group=self._user.gid if other else None,
            extra_groups=[] if other else None,
        )  # fmt: skip
        password.unlink()
        if made.returncode:
            raise PostgresError(f"initdb failed with exit code {made.returncode}: {_last_line(made.stderr)}")
        self._own("pg_hba.conf", "host all all 127.0.0.0/8 scram-sha-256\n")

    def configure(self, settings: Mapping[str, str]) -> None:
        """Write the settings, which the next start or `reload` takes over.

        Args:
            settings: name and value as postgresql.conf has them, over those of the embedded AWS.
        """
        sync = {"io_method": "sync"} if self._major >= IO_METHOD_SINCE else {}  # no worker processes
        all_settings = {**SETTINGS, **sync, **settings, "listen_addresses": f"'{self.address}'", "port": str(self.port)}
        self._own("postgresql.conf", "".join(f"{name} = {value}\n" for name, value in all_settings.items()))

    def start(self, records: Records) -> None:
        """Start the server and wait until it takes connections.

        Args:
            records: notes the process.

        Raises:
            PostgresError: it ended, or does not answer within START_SECONDS; with the last line of its log.
        """
        command: list[str | Path] = [
            *(sys.executable, "-I", "-S", LAUNCHER, str(os.getpid()), str(self._user.uid), str(self._user.gid)),
            *(self._programs / "postgres", "-D", self.home / "data"),
        ]
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603  (our launcher and a program of the wheel)
                command, env=_environment(), cwd=self.home, start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        self.process = Process.of(self._process.pid, f"postgres {self.home.name}")
        records.note(self.process)
        end = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > end:
                self.stop(records, signal.SIGQUIT)
                raise PostgresError(f"PostgreSQL did not start: {_last_line(self.log.read_text(errors='replace'))}")
            time.sleep(0.02)

    def stop(self, records: Records, how: signal.Signals = signal.SIGINT) -> None:
        """End the server; its connections are cut.

        Args:
            records: forgets the process.
            how: SIGINT writes everything out first; SIGQUIT ends at once, and the next start recovers.
        """
        if self._process is None or self.process is None:
            return
        self.process.send(signal.SIGCONT)  # one that a fault has stopped would not hear the next
        self.process.end(STOP_SECONDS, how)
        self._process.wait(STOP_SECONDS)
        records.forget(self.process)
        self._process = self.process = None

    @property
    def running(self) -> bool:
        """True while the server's process is there."""
        return self._process is not None and self._process.poll() is None

    def reload(self) -> None:
        """Let the running server take over settings that need no restart."""
        if self._process is not None:
            self._process.send_signal(signal.SIGHUP)

    def sql(self, text: str, *, database: str = "postgres", seconds: float = SQL_SECONDS) -> str:
        """Run SQL as the administrator; what it answers, unaligned, without headings.

        Raises:
            PostgresError: a statement failed (those after it were not run), or it took longer than `seconds`.
        """
        try:
            done = subprocess.run(  # noqa: S603  (a program of the wheel; the SQL goes in by stdin, out of sight of ps)
                [self._programs / "psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-f", "-"],
                input=text, env=self._connection(database), cwd="/", capture_output=True, text=True, check=False,
                timeout=seconds,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise PostgresError(f"PostgreSQL did not answer within {seconds:g} s") from None
        if done.returncode:
            raise PostgresError(_last_line(done.stderr) or f"psql ended with exit code {done.returncode}")
        return done.stdout.strip()

    def remove(self) -> None:
        """Remove its files."""
        shutil.rmtree(self.home, ignore_errors=True)

    def _answers(self) -> bool:
        try:
            self.sql("SELECT 1", seconds=5.0)
        except PostgresError:
            return False
        return True

    def _connection(self, database: str) -> dict[str, str]:
        where = {"PGHOST": self.address, "PGPORT": str(self.port), "PGDATABASE": database, "PGCONNECT_TIMEOUT": "5"}
        return {**_environment(), **where, "PGUSER": ADMINISTRATOR, "PGPASSWORD": self._password}

    def _own(self, name: str, text: str) -> None:
        """Replace a file of the data folder whole."""
        draft = self.home / "data" / f"{name}.draft"
        draft.write_text(text)
        draft.chmod(0o600)
        os.chown(draft, self._user.uid, self._user.gid)
        draft.replace(self.home / "data" / name)


def _environment() -> dict[str, str]:
    return {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    told = [line for line in lines if "FATAL" in line or "ERROR" in line or "error:" in line]
    return (told or lines or [""])[-1]
