"""The live objects of ECS: they lie in moto's own dictionaries, so that tags and look-ups of other services find them.

Everything here is plain state. It is read and changed only under `local.server.LOCK`.
"""

from __future__ import annotations

import datetime
import itertools
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from moto.ecs.models import ecs_backends

if TYPE_CHECKING:
    from local.ecs.runner import Runner
    from local.ecs.watcher import Process

STOPPED_TASKS_STAY_SECONDS = 3600.0
EVENTS_KEPT = 100
_creation = itertools.count()


def now() -> datetime.datetime:
    """The present, in UTC, as the API answers times."""
    return datetime.datetime.now(datetime.UTC)


def short_name(name_or_arn: str) -> str:
    """The last part of an ARN, or the name itself."""
    return name_or_arn.rsplit("/", 1)[-1]


@dataclass(frozen=True)
class Place:
    """The account and region that a thing lives in."""

    account: str
    region: str

    @property
    def backend(self) -> Any:
        """moto's ECS backend of this place."""
        return ecs_backends[self.account][self.region]

    def arn(self, kind: str, rest: str) -> str:
        """An ECS ARN of this place."""
        return f"arn:aws:ecs:{self.region}:{self.account}:{kind}/{rest}"


@dataclass(eq=False, kw_only=True)
class Container:
    """One container of a task; the fields are those of DescribeTasks."""

    arn: str
    name: str
    image: str
    definition: Mapping[str, Any]
    last_status: str = "PENDING"
    exit_code: int | None = None
    reason: str | None = None
    image_digest: str | None = None
    runtime_id: str | None = None
    process: Process | None = None
    health: str = "UNKNOWN"

    @property
    def essential(self) -> bool:
        """True when the task ends with this container."""
        return bool(self.definition.get("essential", True))


@dataclass(frozen=True)
class StopRequest:
    """Who wants a task to stop, and why, in the words of DescribeTasks."""

    code: str
    reason: str


@dataclass(frozen=True)
class Target:
    """Where a task is registered: a target group and the container's port."""

    group: str
    port: int


@dataclass(eq=False, kw_only=True)
class Task:
    """One task, from PROVISIONING to an hour after STOPPED.

    Attributes:
        order: counts up with creation; sorts tasks by age.
        targets: the target groups that it is registered in while it runs.
        changed: set when a container ended or somebody asked it to stop; its runner waits for that.
        good, proven: what the scheduler saw of its health (see `rollout.Member`); success: it lasted.
        sick: why it is to be replaced, as its stoppedReason will say; condemned: it was stopped for that.
        settled: the scheduler has taken note that it stopped.
    """

    place: Place
    id: str
    cluster_name: str
    cluster_arn: str
    task_definition: Any
    group: str
    started_by: str
    containers: list[Container]
    launch_type: str | None
    overrides: dict[str, Any]
    network: dict[str, Any] | None
    tags: list[dict[str, str]] = field(default_factory=list)
    platform_version: str | None = None
    capacity_provider: str | None = None
    enable_execute_command: bool = False
    targets: tuple[Target, ...] = ()
    last_status: str = "PROVISIONING"
    desired_status: str = "RUNNING"
    stop_code: str | None = None
    stopped_reason: str | None = None
    address: str | None = None
    attachment: dict[str, Any] | None = None
    times: dict[str, datetime.datetime] = field(default_factory=lambda: {"createdAt": now()})
    order: int = field(default_factory=lambda: next(_creation))
    version: int = 1
    stop_request: StopRequest | None = None
    changed: threading.Event = field(default_factory=threading.Event)
    runner: Runner | None = None
    running_since: float | None = None
    good: bool = False
    proven: bool = False
    sick: str = ""
    condemned: bool = False
    success: bool = False
    settled: bool = False
    client_token: str | None = None
    asked: dict[str, Any] | None = None
    container_instance_arn: None = None  # moto's tag look-ups read it

    @property
    def task_arn(self) -> str:
        """The task's ARN, under the name that moto uses."""
        return self.place.arn("task", f"{self.cluster_name}/{self.id}")

    @property
    def service_name(self) -> str | None:
        """The service that started it, or None for a task of its own."""
        return self.group.removeprefix("service:") if self.group.startswith("service:") else None

    @property
    def health(self) -> str:
        """Of all its essential containers that have a health check."""
        states = {one.health for one in self.containers if one.essential and one.definition.get("healthCheck")}
        if "UNHEALTHY" in states:
            return "UNHEALTHY"
        return "HEALTHY" if states == {"HEALTHY"} else "UNKNOWN"

    @property
    def checked(self) -> bool:
        """True when an essential container has a health check."""
        return any(one.essential and one.definition.get("healthCheck") for one in self.containers)

    def become(self, status: str, *stamps: str) -> None:
        """Take a lifecycle state, and note the time under the names given."""
        self.last_status = status
        self.version += 1
        for stamp in stamps:
            self.times[stamp] = now()

    def ask_to_stop(self, code: str, reason: str) -> None:
        """Want the task stopped. The first to ask gives the reason."""
        if self.stop_request is None and self.last_status != "STOPPED":
            self.stop_request = StopRequest(code, reason)
            self.desired_status = "STOPPED"
            self.version += 1
        self.changed.set()


@dataclass(eq=False, kw_only=True)
class Deployment:
    """One deployment of a service, with what its tasks are started from."""

    id: str
    task_definition: str
    settings: dict[str, Any]
    status: str = "PRIMARY"
    rollout_state: str = "IN_PROGRESS"
    reason: str = ""
    status_reason: str | None = None
    failed_tasks: int = 0
    desired_count: int = 0
    running_count: int = 0
    pending_count: int = 0
    created: datetime.datetime = field(default_factory=now)
    updated: datetime.datetime = field(default_factory=now)
    finished: datetime.datetime | None = None
    rolled_back_to: Deployment | None = None

    @staticmethod
    def start(task_definition: str, settings: Mapping[str, Any]) -> Deployment:
        """A new deployment, IN_PROGRESS."""
        name = f"ecs-svc/{secrets.randbelow(10**19):019d}"
        kept = ("launchType", "platformVersion", "networkConfiguration", "capacityProviderStrategy", "loadBalancers")
        return Deployment(
            id=name,
            task_definition=task_definition,
            settings={key: settings[key] for key in kept if settings.get(key)},
            reason=f"ECS deployment {name} in progress.",
        )

    @property
    def targets(self) -> tuple[Target, ...]:
        """Where its tasks are registered."""
        balancers = self.settings.get("loadBalancers", ())
        return tuple(Target(one["targetGroupArn"], int(one["containerPort"])) for one in balancers)


@dataclass(eq=False, kw_only=True)
class Service:
    """One ECS service. `settings` holds the fields of CreateService and UpdateService that are stored as given."""

    place: Place
    name: str
    cluster_name: str
    cluster_arn: str
    task_definition: str
    desired_count: int
    settings: dict[str, Any]
    tags: list[dict[str, str]]
    status: str = "ACTIVE"
    created: datetime.datetime = field(default_factory=now)
    deployments: list[Deployment] = field(default_factory=list)
    history: list[Deployment] = field(default_factory=list)
    last_completed: Deployment | None = None
    events: list[dict[str, Any]] = field(default_factory=list)
    running_count: int = 0
    pending_count: int = 0
    failures_in_a_row: int = 0
    start_not_before: float = 0.0
    steady: bool = False
    task_sets: list[Any] = field(default_factory=list)  # moto's task set calls read it

    @property
    def arn(self) -> str:
        """The service's ARN."""
        return self.place.arn("service", f"{self.cluster_name}/{self.name}")

    @property
    def physical_resource_id(self) -> str:
        """The ARN, under the name that moto's tagging uses."""
        return self.arn

    @property
    def scheduling_strategy(self) -> str:
        """REPLICA; read by moto's listing."""
        return str(self.settings["schedulingStrategy"])

    @property
    def primary(self) -> Deployment:
        """The PRIMARY deployment."""
        return self.deployments[0]

    def say(self, message: str) -> None:
        """Add a service event, newest first, as the console shows them."""
        event = {"id": secrets.token_hex(16), "createdAt": now(), "message": f"(service {self.name}) {message}"}
        self.events = [event, *self.events[: EVENTS_KEPT - 1]]

    def deploy(self) -> Deployment:
        """Start a deployment of what the settings say now; the one before becomes ACTIVE."""
        return self.promote(Deployment.start(self.task_definition, self.settings))

    def promote(self, deployment: Deployment) -> Deployment:
        """Make a deployment the PRIMARY one."""
        others = [other for other in self.deployments if other is not deployment]
        for other in others:
            other.status, other.updated = "ACTIVE", now()
        deployment.status, deployment.updated = "PRIMARY", now()
        self.deployments = [deployment, *others]
        if deployment not in self.history:
            self.history.append(deployment)
        self.failures_in_a_row, self.start_not_before, self.steady = 0, 0.0, False
        return deployment

    def roll_back(self, failed: Deployment, last: Deployment, reason: str) -> None:
        """Give up a deployment and go back to the one that completed last."""
        failed.rollout_state, failed.finished, failed.updated = "FAILED", now(), now()
        failed.status_reason, failed.rolled_back_to = reason, last
        last.rollout_state, last.finished = "IN_PROGRESS", None
        last.reason = f"ECS deployment circuit breaker: rolling back to deploymentId {last.id}."
        self.task_definition = last.task_definition
        self.settings.update(last.settings)
        self.say(f"rolling back to deployment {last.id}.")
        self.promote(last)
