"""A database of a part's own on the embedded AWS, and versions of the service that run against it on loopback."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from rehearsal.bench_schema.part import PartError
from rehearsal.embedded import Embedded
from rehearsal.live import Live
from rehearsal.trees import PROJECT

_NAME = "schema"
_READY_SECONDS = 20.0
_COMMAND_SECONDS = 900.0


@dataclass(frozen=True, kw_only=True)
class Instance:
    """One database server. Environments are those of a task: DB_* and APP_DB_*."""

    owner: Mapping[str, str]

    def connect(self, database: str, application: str = "bench") -> psycopg.Connection[tuple[Any, ...]]:
        """A session as the owner; the caller closes it."""
        return psycopg.connect(
            host=self.owner["DB_HOST"],
            port=int(self.owner["DB_PORT"]),
            dbname=database,
            user=self.owner["DB_USER"],
            password=self.owner["DB_PASSWORD"],
            application_name=application,
            connect_timeout=10,
        )

    def database(self) -> dict[str, str]:
        """A new, empty database: the environment of its schema's owner."""
        name = f"b{secrets.token_hex(4)}"
        with self.connect(self.owner["DB_NAME"]) as connection:
            connection.autocommit = True
            connection.execute(f'CREATE DATABASE "{name}"')
        app = {"APP_DB_USER": f"app_{name}", "APP_DB_PASSWORD": secrets.token_hex(12)}
        return {**self.owner, "DB_NAME": name, **app}


@contextmanager
def instance(folder: Path) -> Iterator[Instance]:
    """A started embedded AWS with one database instance; all of it is gone at the end. Raises EmbeddedError."""
    embedded = Embedded(project=PROJECT, folder=folder / "aws")
    embedded.stop()  # what an interrupted run left
    try:
        yield _create(Live(prefix=_NAME, environment=embedded.start()))
    finally:
        embedded.stop()


def _create(live: Live) -> Instance:
    rds = live.client("rds")
    rds.create_db_instance(
        DBInstanceIdentifier=_NAME,
        Engine="postgres",
        DBInstanceClass="db.t4g.micro",
        AllocatedStorage=20,
        MasterUsername="owner",
        ManageMasterUserPassword=True,
        DBName="orders",
    )
    rds.get_waiter("db_instance_available").wait(
        DBInstanceIdentifier=_NAME, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )
    found = live.database()
    secret = live.client("secretsmanager").get_secret_value(SecretId=found["MasterUserSecret"]["SecretArn"])
    login = json.loads(secret["SecretString"])
    return Instance(
        owner={
            "DB_HOST": found["Endpoint"]["Address"],
            "DB_PORT": str(found["Endpoint"]["Port"]),
            "DB_NAME": found["DBName"],
            "DB_USER": login["username"],
            "DB_PASSWORD": login["password"],
            "DB_SSLMODE": "prefer",
        }
    )


def run(tree: Path, environment: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a module of a tree (`migrations expand`) to its end."""
    return subprocess.run(  # noqa: S603  this interpreter, words of our own
        [sys.executable, "-m", *arguments],
        cwd=tree,
        env=_environment(environment),
        capture_output=True,
        text=True,
        check=False,
        timeout=_COMMAND_SECONDS,
    )


def must(done: subprocess.CompletedProcess[str]) -> None:
    """Raise PartError where a command that had to succeed did not."""
    if done.returncode:
        lines = (done.stderr.strip() or done.stdout.strip()).splitlines()
        told = (lines or ["no message"])[-1]
        raise PartError(f"{' '.join(done.args[2:])}: exit code {done.returncode}, expected 0: {told}")


@contextmanager
def service(tree: Path, environment: Mapping[str, str], version: str) -> Iterator[str]:
    """One task of a tree, as the service's own role, ready; answers its URL. Raises PartError."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    login = {"DB_USER": environment["APP_DB_USER"], "DB_PASSWORD": environment["APP_DB_PASSWORD"]}
    place = {"HOST": "127.0.0.1", "PORT": str(port), "APP_VERSION": version}
    process = subprocess.Popen(
        [sys.executable, "-m", "app"],
        cwd=tree,
        env=_environment({**environment, **login, **place}),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        _await_ready(url, process)
        yield url
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await_ready(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline, reason = time.monotonic() + _READY_SECONDS, "no answer"
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/readyz", timeout=2):  # noqa: S310  our own service on loopback
                return
        except (OSError, urllib.error.HTTPError) as error:
            reason = str(error)
            time.sleep(0.05)
    raise PartError(f"the service at {url} was not ready within {_READY_SECONDS:.0f} s: {reason}")


def _environment(own: Mapping[str, str]) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1", "PYTHONWARNINGS": "ignore", **own}
