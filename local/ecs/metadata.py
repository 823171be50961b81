"""The task metadata endpoint, version 4: what a container may ask about itself and about its task.

On Fargate it has a link-local address. Here it is a path of the embedded AWS, and a container is told it in the same
variable. Only what is true here is answered: no Docker, no networks beyond the task's address, no statistics.
"""

from __future__ import annotations

import datetime
from typing import Any

from moto.ecs.models import ecs_backends

from local.ecs.model import Container, Task, short_name
from local.folder import ACCOUNT, REGION
from local.server import LOCK

PREFIX = "/v4/"
VARIABLE = "ECS_CONTAINER_METADATA_URI_V4"
Json = dict[str, Any]


def uri(endpoint: str, task: Task, container: Container) -> str:
    """What VARIABLE holds in a container; `endpoint` is that of the embedded AWS."""
    return f"{endpoint}{PREFIX}{key(task, container)}"


def answer(path: str) -> Json | None:
    """What is at a path: the container, or with `/task` behind it the task. None: there is no such thing."""
    asked, _, rest = path.removeprefix(PREFIX).rstrip("/").partition("/")
    with LOCK:
        for known in ecs_backends[ACCOUNT][REGION].tasks.values():
            for task in known.values():
                for container in task.containers if asked.startswith(task.id) else ():
                    if key(task, container) == asked:
                        return _view(task, container, rest)
    return None


def key(task: Task, container: Container) -> str:
    """The id of the container's run; as on Fargate it begins with the task's id."""
    return f"{task.id}-{task.containers.index(container):010d}"


def _view(task: Task, container: Container, rest: str) -> Json | None:
    return {"": lambda: _container(task, container), "task": lambda: _task(task)}.get(rest, lambda: None)()


def _task(task: Task) -> Json:
    definition = task.task_definition
    limits = {"CPU": int(definition.cpu) / 1024, "Memory": int(definition.memory)}
    found = {
        "Cluster": task.cluster_arn,
        "TaskARN": task.task_arn,
        "Family": definition.family,
        "Revision": str(definition.revision),
        "DesiredStatus": task.desired_status,
        "KnownStatus": task.last_status,
        "Limits": limits,
        "PullStartedAt": _time(task.times.get("pullStartedAt")),
        "PullStoppedAt": _time(task.times.get("pullStoppedAt")),
        "AvailabilityZone": f"{task.place.region}a",
        "LaunchType": task.launch_type,
        "ServiceName": task.service_name,
        "Containers": [_container(task, one) for one in task.containers],
    }
    return {name: value for name, value in found.items() if value is not None}


def _container(task: Task, container: Container) -> Json:
    definition = task.task_definition
    found = {
        "DockerId": key(task, container),
        "Name": container.name,
        "DockerName": container.name,
        "Image": container.image,
        "ImageID": container.image_digest,
        "Labels": {
            "com.amazonaws.ecs.cluster": task.cluster_arn,
            "com.amazonaws.ecs.container-name": container.name,
            "com.amazonaws.ecs.task-arn": task.task_arn,
            "com.amazonaws.ecs.task-definition-family": definition.family,
            "com.amazonaws.ecs.task-definition-version": str(definition.revision),
        },
        "DesiredStatus": task.desired_status,
        "KnownStatus": container.last_status,
        "ExitCode": container.exit_code,
        "CreatedAt": _time(task.times.get("pullStoppedAt")),
        "StartedAt": _time(task.times.get("startedAt")),
        "Type": "NORMAL",
        "ContainerARN": container.arn,
        "Networks": [{"NetworkMode": "awsvpc", "IPv4Addresses": [task.address]}] if task.address else [],
        **_log(task, container),
    }
    return {name: value for name, value in found.items() if value is not None}


def _log(task: Task, container: Container) -> Json:
    log = container.definition.get("logConfiguration")
    if not log:
        return {}
    options = {name: value for name, value in (log.get("options") or {}).items() if name != "awslogs-stream-prefix"}
    prefix = (log.get("options") or {}).get("awslogs-stream-prefix")
    stream = {"awslogs-stream": f"{prefix}/{container.name}/{short_name(task.task_arn)}"} if prefix else {}
    return {"LogDriver": log["logDriver"], "LogOptions": {**options, **stream}}


def _time(moment: datetime.datetime | None) -> str | None:
    return moment.isoformat().replace("+00:00", "Z") if moment else None
