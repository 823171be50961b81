"""The service scheduler and the agent of the embedded AWS, in moto's process.

One thread looks at the services: at once when something happened, and four times a second while a target group may
change its mind about a task. Everything slow happens in the threads of the tasks.
"""

from __future__ import annotations

import logging
import shutil
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from moto.ecs.models import ecs_backends

from local import server
from local.addresses import Addresses
from local.contracts import ImageStore, TargetGroups, TargetHealth
from local.ecs import strays, tasks
from local.ecs.model import STOPPED_TASKS_STAY_SECONDS, Place, Service, Target, Task, now
from local.ecs.reconcile import Look
from local.ecs.runner import Runner
from local.ecs.spawner import Spawner
from local.ecs.watcher import Watcher
from local.processes import Records

LOG = logging.getLogger(__name__)
TICK_SECONDS = 0.25
IDLE_SECONDS = 30.0
STOP_SECONDS = 10.0


class Scheduler:
    """Makes ECS of the embedded AWS live.

    Args:
        directory: its own folder: the records of the containers' processes (see `local.processes.Records`), and the
            tasks' own folders.
        targets: where tasks are registered and drained.
        images: what containers are started from.
        addresses: what tasks get their address from.
        task_environment: what every container is given besides its own environment, such as AWS_ENDPOINT_URL.
    """

    def __init__(
        self,
        directory: Path,
        targets: TargetGroups,
        images: ImageStore,
        addresses: Addresses,
        *,
        task_environment: Mapping[str, str] | None = None,
    ) -> None:
        self.targets, self.images, self.addresses = targets, images, addresses
        self.task_environment: Mapping[str, str] = task_environment or {}
        self.scratch = directory.absolute() / "scratch"
        self._records = Records(directory)
        self.spawner = Spawner()
        self.watcher = Watcher(self._records)
        self._alive: dict[str, Task] = {}
        self._woken = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="ecs-scheduler", daemon=True)

    def start(self) -> None:
        """End what an earlier daemon left, take over moto's ECS, and begin to look after services and tasks."""
        from local.ecs.api import patch  # it patches moto, which must not happen by an import

        self._sweep()
        self.spawner.start()
        self.watcher.start()
        self._thread.start()
        patch.apply(self)

    def stop(self) -> None:
        """Stop every task (within seconds, whatever its stopTimeout) and all threads. Nothing is drained.

        Harmless for one that was not started, or stopped before.
        """
        from local.ecs.api import patch

        self._stopping.set()
        if not self._thread.is_alive():
            return
        self.wake()
        self._thread.join()
        with server.LOCK:
            live = list(self._alive.values())
            for task in live:
                task.ask_to_stop("ServiceSchedulerInitiated", "The embedded AWS was stopped")
        deadline = time.monotonic() + STOP_SECONDS
        for task in live:
            if task.runner is not None:
                task.runner.join(max(0.0, deadline - time.monotonic()))
        self.watcher.stop()
        self.spawner.stop()
        patch.remove()

    def _sweep(self) -> None:
        """End what the containers of a daemon that crashed have left behind."""
        for process in self._records.all():
            LOG.warning("ending what %s left behind (process group %d)", process.what, process.pid)
            process.end(0, signal.SIGKILL)
            self._records.forget(process)
        if self.scratch.exists():
            strays.end(self.scratch)
            shutil.rmtree(self.scratch)

    def wake(self) -> None:
        """Look at the services now."""
        self._woken.set()

    def hurried(self) -> bool:
        """True when the whole embedded AWS stops."""
        return self._stopping.is_set()

    def launch(self, task: Task) -> None:
        """Give a new task the thread that runs it. Called under the lock."""
        if self._stopping.is_set():
            task.ask_to_stop("ServiceSchedulerInitiated", "The embedded AWS was stopped")
        self._alive[task.task_arn] = task
        task.runner = Runner(task, self)
        task.runner.start()

    def _work(self) -> None:
        while not self._stopping.is_set():
            self._woken.clear()
            try:
                wait = self._tick()
            except Exception:
                LOG.exception("the service scheduler failed; it goes on")
                wait = TICK_SECONDS
            self._woken.wait(wait)

    def _tick(self) -> float:
        """Look at everything once; returns the seconds until the next look."""
        with server.LOCK:
            services = list(self._services())
            asked = [(task, target) for service in services for task in _live(service) for target in task.targets]
        # The load balancing has a lock of its own, so it is not asked under ours.
        health: dict[tuple[str, Target], TargetHealth] = {
            (task.id, target): self.targets.health(target.group, str(task.address), target.port)
            for task, target in asked
            if task.address is not None
        }
        with server.LOCK:
            moment = time.monotonic()
            for service in services:
                Look(service, health, moment).run(self.launch)
            self._look_after_tasks()
            self._forget()
        busy = bool(asked) or any(not service.steady for service in services)
        return TICK_SECONDS if busy else IDLE_SECONDS

    def _look_after_tasks(self) -> None:
        """Let go of tasks that stopped; a task that the API no longer knows, because moto was reset, stops."""
        for arn, task in list(self._alive.items()):
            if task.last_status == "STOPPED":
                del self._alive[arn]
            elif task.place.backend.tasks.get(task.cluster_name, {}).get(arn) is not task:
                task.ask_to_stop("ServiceSchedulerInitiated", "The embedded AWS was reset")

    def _services(self) -> Iterator[Service]:
        for place in self._places():
            for service in list(place.backend.services.values()):
                if service.status != "INACTIVE":
                    yield service

    def _places(self) -> Iterator[Place]:
        for account in list(ecs_backends):
            for region in list(ecs_backends[account]):
                yield Place(account, region)

    def _forget(self) -> None:
        """Tasks that stopped an hour ago are not answered any more."""
        limit = now().timestamp() - STOPPED_TASKS_STAY_SECONDS
        for place in self._places():
            for known in place.backend.tasks.values():
                for arn, task in list(known.items()):
                    if task.last_status == "STOPPED" and task.times["stoppedAt"].timestamp() < limit:
                        del known[arn]


def _live(service: Service) -> list[Task]:
    return [task for task in tasks.of_service(service) if task.last_status != "STOPPED"]
