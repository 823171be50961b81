"""The life of one task, told from start to end by a thread of its own.

PROVISIONING (an address), PENDING (image, secrets, log streams, processes), ACTIVATING (target groups), RUNNING,
DEACTIVATING (target groups: draining), STOPPING (SIGTERM, then SIGKILL), DEPROVISIONING, STOPPED.
The thread holds `local.server.LOCK` only while it changes the task.
"""

from __future__ import annotations

import logging
import threading
import time

from local import server
from local.addresses import NoFreeAddress, Pool
from local.ecs import network
from local.ecs.containers import Containers
from local.ecs.errors import StartFailure
from local.ecs.host import Host
from local.ecs.model import StopRequest, Task

LOG = logging.getLogger(__name__)
DRAIN_LOOK_SECONDS = 0.05
EXITED = StopRequest("EssentialContainerExited", "Essential container in task exited")
FAILED_TO_START = "TaskFailedToStart"


class Runner(threading.Thread):
    """Runs one task to its end."""

    def __init__(self, task: Task, host: Host) -> None:
        super().__init__(name=f"ecs-task-{task.id[:8]}", daemon=True)
        self.task, self.host = task, host
        self._containers = Containers(task, host)

    def run(self) -> None:
        """Provision, start, wait, stop, clean up: whatever goes wrong, the task ends STOPPED with a reason."""
        try:
            stop = self._live()
        except StartFailure as failure:
            self._blame(failure)
            stop = StopRequest(FAILED_TO_START, failure.reason)
        except Exception:
            LOG.exception("task %s", self.task.task_arn)
            stop = StopRequest(FAILED_TO_START, "the agent failed; the log of the embedded AWS says where")
        self._end(stop)

    def _live(self) -> StopRequest:
        """Until something ends the task: what that was.

        Raises:
            StartFailure: it did not start.
        """
        task, containers = self.task, self._containers
        self._provision()
        containers.start(containers.prepare())
        if not containers.essential_ended() and task.stop_request is None:
            self._activate()
        with server.LOCK:
            task.become("RUNNING", "startedAt")
            task.running_since = time.monotonic()
        self.host.wake()
        while not containers.essential_ended() and task.stop_request is None:
            task.changed.wait()
            task.changed.clear()
        if containers.essential_ended():
            self._deregister()  # at once: every request that still goes there is lost
            return EXITED
        self._drain()
        return task.stop_request or EXITED

    def _provision(self) -> None:
        try:
            address = self.host.addresses.take(Pool.TASK)
        except NoFreeAddress as error:
            raise StartFailure(f"ResourceInitializationError: {error}") from None
        with server.LOCK:
            self.task.address = address
            network.attach(self.task)
            self.task.become("PENDING", "connectivityAt")

    def _activate(self) -> None:
        with server.LOCK:
            self.task.become("ACTIVATING")
        for target in self.task.targets:
            self.host.targets.register(target.group, str(self.task.address), target.port)

    def _deregister(self) -> None:
        for target in self.task.targets:
            self.host.targets.deregister(target.group, str(self.task.address), target.port)

    def _drain(self) -> None:
        """Out of the target groups, and wait until no request is in flight or the container ends by itself."""
        task = self.task
        with server.LOCK:
            task.become("DEACTIVATING")
        self._deregister()
        for target in task.targets:
            while not self.host.hurried() and not self._containers.essential_ended():
                if self.host.targets.drained(target.group, str(task.address), target.port):
                    break
                task.changed.wait(DRAIN_LOOK_SECONDS)
                task.changed.clear()

    def _blame(self, failure: StartFailure) -> None:
        with server.LOCK:
            for container in self.task.containers:
                if container.name == failure.container:
                    container.reason = failure.reason

    def _end(self, stop: StopRequest) -> None:
        task = self.task
        with server.LOCK:
            if stop.code == FAILED_TO_START and task.stop_request is not None:
                stop = task.stop_request  # who stops a task that is starting is not told that it failed
            task.stop_code, task.stopped_reason, task.desired_status = stop.code, stop.reason, "STOPPED"
            task.become("STOPPING", "stoppingAt")
        self.host.wake()
        self._containers.stop()
        with server.LOCK:
            task.become("DEPROVISIONING", "executionStoppedAt")
            network.detach(task)
        if task.address is not None:
            self.host.addresses.give_back(task.address)
        with server.LOCK:
            for container in task.containers:
                container.last_status = "STOPPED"
            task.become("STOPPED", "stoppedAt")
        self.host.wake()
