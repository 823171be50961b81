"""Container health checks: the command of the container definition, run beside the container as Docker runs it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from local import server
from local.ecs.host import Host
from local.ecs.model import Container
from local.ecs.spawner import Launch
from local.ecs.watcher import Process

# Defaults and limits of `HealthCheck` in the API reference; times in seconds.
DEFAULTS = {"interval": 30, "timeout": 5, "retries": 3}
LIMITS = {"interval": (5, 300), "timeout": (2, 120), "retries": (1, 10), "startPeriod": (0, 300)}
HEALTHY, UNHEALTHY, UNKNOWN = "HEALTHY", "UNHEALTHY", "UNKNOWN"


@dataclass(frozen=True)
class Check:
    """A health check. Times are in seconds.

    Attributes:
        argv: the command; exit code 0 is health.
        retries: so many failures in a row are an unhealthy container.
        start_period: failures in it do not count.
    """

    argv: tuple[str, ...]
    interval: float
    timeout: float
    retries: int
    start_period: float

    @staticmethod
    def of(definition: Mapping[str, Any]) -> Check | None:
        """The health check of a container definition, or None."""
        given = {**DEFAULTS, **(definition.get("healthCheck") or {})}
        kind, *words = given.get("command") or ["NONE"]
        if kind == "NONE":
            return None
        # The shell belongs to what the definition asks for; the container itself is never started by one.
        argv = tuple(words) if kind == "CMD" else ("/bin/sh", "-c", *words)
        return Check(argv, given["interval"], given["timeout"], given["retries"], given.get("startPeriod") or 0)


def problem(definition: Mapping[str, Any]) -> str | None:
    """What is wrong with the health check of a container definition, in words; None where nothing is."""
    given = definition.get("healthCheck")
    if given is None:
        return None
    command = given.get("command") or []
    if not command or command[0] not in ("CMD", "CMD-SHELL", "NONE") or (command[0] != "NONE" and len(command) == 1):
        return f"healthCheck.command is {command}; expected CMD or CMD-SHELL and a command"
    for name, (least, most) in LIMITS.items():
        if name in given and not least <= given[name] <= most:
            return f"healthCheck.{name} is {given[name]}; expected {least} to {most}"
    return None


class Checker(threading.Thread):
    """Checks one container until it ends.

    Args:
        container: its `health` follows the checks.
        process: its process.
        check: what to run, and how often.
        launch: how the container was started: the check gets the same environment and folder.
        host: starts the command, and is woken when the health changes.
        changed: set when the health changes.
    """

    def __init__(
        self, container: Container, process: Process, check: Check, launch: Launch, host: Host, changed: threading.Event
    ) -> None:
        super().__init__(name=f"ecs-check-{container.name}", daemon=True)
        self._container, self._process, self._check, self._launch = container, process, check, launch
        self._host, self._changed = host, changed

    def run(self) -> None:
        """Check, wait, check again."""
        began, failures = time.monotonic(), 0
        while not self._process.ended.wait(self._check.interval):
            if self._passes():
                failures = 0
                self._become(HEALTHY)
            elif time.monotonic() - began > self._check.start_period:
                failures += 1
                if failures >= self._check.retries:
                    self._become(UNHEALTHY)

    def _become(self, health: str) -> None:
        with server.LOCK:
            before, self._container.health = self._container.health, health
        if before != health:
            self._changed.set()
            self._host.wake()

    def _passes(self) -> bool:
        """True when the command exits with 0 in time."""
        program = shutil.which(self._check.argv[0], path=self._launch.environment.get("PATH"))
        if program is None:
            return False
        try:
            popen = self._host.spawner.spawn(replace(self._launch, program=program, argv=self._check.argv))
        except OSError:
            return False
        try:
            return popen.wait(self._check.timeout) == 0
        except subprocess.TimeoutExpired:
            os.killpg(popen.pid, signal.SIGKILL)
            popen.wait()
            return False
