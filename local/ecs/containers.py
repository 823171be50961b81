"""The containers of one task: pulled, started, watched and stopped. Used by the task's own thread."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from local import server
from local.contracts import Image
from local.ecs import metadata, roles, strays
from local.ecs.checks import UNHEALTHY, UNKNOWN, Check, Checker
from local.ecs.command import command, environment
from local.ecs.errors import StartFailure
from local.ecs.host import Host
from local.ecs.injection import secret_value
from local.ecs.logs import Discard, LogSink, open_stream
from local.ecs.model import Container, Task, now
from local.ecs.spawner import Launch
from local.ecs.watcher import Process

DEFAULT_STOP_TIMEOUT_SECONDS = 30.0
HURRIED_STOP_SECONDS = 2.0


@dataclass
class Prepared:
    """A container with all that it is started from."""

    container: Container
    override: Mapping[str, Any]
    image: Image
    secrets: dict[str, str]
    sink: LogSink | Discard

    @property
    def definition(self) -> Mapping[str, Any]:
        """Its container definition."""
        return self.container.definition


class Containers:
    """Starts and stops what a task consists of."""

    def __init__(self, task: Task, host: Host) -> None:
        self._task, self._host = task, host
        self._stop_signals: dict[str, signal.Signals] = {}
        self._scratch = host.scratch / task.id

    def prepare(self) -> list[Prepared]:
        """Pull secrets, log stream and image of every container, before any is started.

        Raises:
            StartFailure: one of them cannot be had.
        """
        task = self._task
        with server.LOCK:
            roles.check(task.place, task.task_definition)
            task.times["pullStartedAt"] = now()
        overrides = {one.get("name"): one for one in task.overrides.get("containerOverrides") or ()}
        result = []
        for container in task.containers:
            definition = container.definition
            values = {
                one["name"]: secret_value(task.place, one["valueFrom"]) for one in definition.get("secrets") or ()
            }
            log = definition.get("logConfiguration")
            sink = open_stream(task.place.account, task.place.region, log, container.name, task.id)
            image = self._pull(container)
            result.append(Prepared(container, overrides.get(container.name, {}), image, values, sink))
        with server.LOCK:
            task.times["pullStoppedAt"] = now()
        return result

    def start(self, prepared: list[Prepared]) -> None:
        """Start the containers, each when those it depends on are as far as it asks.

        Returns early when the task is asked to stop or an essential container has ended.

        Raises:
            StartFailure: a container does not start.
        """
        for one in _in_order(prepared):
            self._await_dependencies(one)
            if self._task.stop_request is not None or self.essential_ended():
                return
            self._start_one(one)

    def essential_ended(self) -> bool:
        """True when a container ended with which the task ends. Takes note of every end on the way."""
        for container in self._task.containers:
            process = container.process
            if process is not None and process.ended.is_set() and container.last_status != "STOPPED":
                with server.LOCK:
                    container.last_status = "STOPPED"
                    container.exit_code = process.exit_code
        return any(one.essential and one.last_status == "STOPPED" for one in self._task.containers)

    def stop(self) -> None:
        """The stop signal to each main process; after its stopTimeout the whole group is killed.

        Returns when all have ended.
        """
        running = [(one, one.process) for one in self._task.containers if one.process is not None]
        began = time.monotonic()
        for container, process in running:
            process.terminate(self._stop_signals[container.name])
        for container, process in running:
            limit = float(container.definition.get("stopTimeout") or DEFAULT_STOP_TIMEOUT_SECONDS)
            self._await_end(process, began, limit)
        self.essential_ended()
        if self._scratch.exists():
            strays.end(self._scratch)
            shutil.rmtree(self._scratch, ignore_errors=True)

    def _await_end(self, process: Process, began: float, limit: float) -> None:
        while not process.ended.is_set():
            allowed = min(limit, HURRIED_STOP_SECONDS) if self._host.hurried() else limit
            left = began + allowed - time.monotonic()
            if left <= 0:
                process.kill()
                process.ended.wait()
                return
            self._task.changed.wait(left)
            self._task.changed.clear()

    def _pull(self, container: Container) -> Image:
        try:
            image = self._host.images.resolve(container.image)
        except LookupError as error:
            raise StartFailure(str(error.args[0] if error.args else error), container.name) from None
        with server.LOCK:
            container.image_digest = image.digest
        return image

    def _await_dependencies(self, one: Prepared) -> None:
        containers = {container.name: container for container in self._task.containers}
        for dependency in one.definition.get("dependsOn") or ():
            other, condition = containers[dependency["containerName"]], dependency["condition"]
            while not _far_enough(other, condition) and self._task.stop_request is None:
                self._task.changed.wait()
                self._task.changed.clear()
            process = other.process
            ended = process is not None and process.ended.is_set()
            unhealthy = condition == "HEALTHY" and (other.health == UNHEALTHY or ended)
            if unhealthy or (condition == "SUCCESS" and process is not None and process.exit_code):
                found = f"exited with {process.exit_code}, expected 0" if process and ended else "is unhealthy"
                raise StartFailure(
                    f"CannotStartContainerError: dependency {other.name} of {one.container.name} {found}",
                    one.container.name,
                )

    def _start_one(self, one: Prepared) -> None:
        task, container = self._task, one.container
        launch = self._launch(one)
        output, write_end = os.pipe()
        try:
            popen = self._host.spawner.spawn(replace(launch, output=write_end))
        except OSError as error:
            os.close(output)
            raise StartFailure(
                f'CannotStartContainerError: unable to start container process: exec: "{launch.argv[0]}": '
                f"{(error.strerror or str(error)).lower()}: unknown",
                container.name,
            ) from None
        finally:
            os.close(write_end)
        self._stop_signals[container.name] = signal.Signals[one.image.stop_signal or "SIGTERM"]
        process = self._host.watcher.watch(f"{task.id}-{container.name}", popen, output, one.sink, task.changed.set)
        with server.LOCK:
            container.process = process
            container.runtime_id = metadata.key(task, container)
            container.last_status = "RUNNING"
        check = Check.of(one.definition)
        if check is not None:
            Checker(container, process, check, launch, self._host, task.changed).start()

    def _launch(self, one: Prepared) -> Launch:
        """What the container is started from, but for where its output goes."""
        task = self._task
        given = {
            **self._host.task_environment,
            "HOST": str(task.address),
            "HOME": str(self._scratch),
            "TMPDIR": str(self._scratch),
            "AWS_REGION": task.place.region,
            "AWS_DEFAULT_REGION": task.place.region,
            "AWS_EXECUTION_ENV": "AWS_ECS_FARGATE",
        }
        if endpoint := given.get("AWS_ENDPOINT_URL"):
            given[metadata.VARIABLE] = metadata.uri(endpoint, task, one.container)
        env = environment(one.image, one.definition, one.override, one.secrets, given)
        what = command(one.image, one.definition, one.override, env)
        self._scratch.mkdir(parents=True, exist_ok=True)
        return Launch(program=what.program, argv=what.argv, environment=env, directory=what.directory)


def _far_enough(container: Container, condition: str) -> bool:
    """True when a dependency is met, or never will be."""
    process = container.process
    if condition == "START" or process is None:
        return True
    return process.ended.is_set() or (condition == "HEALTHY" and container.health != UNKNOWN)


def _in_order(prepared: list[Prepared]) -> list[Prepared]:
    """Containers so that each comes after those it depends on. RegisterTaskDefinition refuses circles."""
    names = {one.container.name: one for one in prepared}
    ordered: dict[str, Prepared] = {}

    def visit(one: Prepared) -> None:
        for dependency in one.definition.get("dependsOn") or ():
            visit(names[dependency["containerName"]])
        ordered.setdefault(one.container.name, one)

    for one in prepared:
        visit(one)
    return list(ordered.values())
