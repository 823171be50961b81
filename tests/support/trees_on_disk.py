"""Commands and services of any version, run as processes from that version's tree."""

import http.client
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

BASE = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1", "PYTHONWARNINGS": "ignore"}


def migrate(
    tree: Path, environment: dict[str, str], command: str, version: str = "v0", *arguments: str
) -> subprocess.CompletedProcess:
    """Run `python -m migrations` of a tree to its end."""
    return subprocess.run(
        [sys.executable, "-m", "migrations", command, *arguments],
        cwd=tree, env={**BASE, "APP_VERSION": version, **environment}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip


def result_of(run: subprocess.CompletedProcess) -> dict[str, Any]:
    """The object on the last line of a run that must have succeeded."""
    assert run.returncode == 0, run.stderr or run.stdout
    return json.loads(run.stdout.splitlines()[-1])["result"]


class RunningService:
    """One task."""

    def __init__(self, port: int, process: subprocess.Popen):
        self.port = port
        self.process = process
        self.url = f"http://127.0.0.1:{port}"

    def request(self, method: str, path: str, body: Any = None, raw: bytes | None = None, **headers: str):
        """Status, parsed body and headers of one answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            payload = raw if raw is not None else None if body is None else json.dumps(body).encode()
            connection.request(method, path, payload, headers)
            response = connection.getresponse()
            text = response.read()
            return response.status, json.loads(text) if text else None, dict(response.getheaders())
        finally:
            connection.close()


@contextmanager
def service(
    tree: Path, environment: dict[str, str], version: str, program: tuple[str, ...] = ("-m", "app"), **extra: str
) -> Iterator[RunningService]:
    """Start one task of a tree and stop it at the end; ready or not, it answers /livez."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, *program],
        cwd=tree, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={**BASE, "HOST": "127.0.0.1", "PORT": str(port), "APP_VERSION": version, **environment, **extra},
    )  # fmt: skip
    running = RunningService(port, process)
    try:
        _await_live(running)
        yield running
    finally:
        process.terminate()
        process.communicate(timeout=40)


def _await_live(running: RunningService) -> None:
    for _ in range(200):
        try:
            running.request("GET", "/livez")
        except OSError:
            try:
                running.process.wait(0.05)
            except subprocess.TimeoutExpired:
                continue
            raise AssertionError(running.process.stdout.read()) from None
        else:
            return
    raise AssertionError("the service did not answer /livez")
