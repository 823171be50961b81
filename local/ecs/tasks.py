"""Making tasks, and finding them again."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Mapping
from typing import Any

from local.ecs import network
from local.ecs.model import Container, Deployment, Place, Service, Task


def new_task(
    place: Place,
    cluster: Any,
    definition: Any,
    *,
    group: str,
    started_by: str,
    settings: Mapping[str, Any],
    overrides: Mapping[str, Any] | None = None,
    tags: list[dict[str, str]] | None = None,
) -> Task:
    """A task in PROVISIONING, kept by moto's backend. Cluster and definition are moto's.

    Args:
        group: `service:NAME` or what RunTask was given.
        started_by: as RunTask was given; the deployment's id for a service.
        settings: launchType, networkConfiguration, platformVersion, capacityProviderStrategy, enableExecuteCommand.
    """
    identity = secrets.token_hex(16)
    strategy, version = settings.get("capacityProviderStrategy"), settings.get("platformVersion")
    task = Task(
        place=place,
        id=identity,
        cluster_name=cluster.name,
        cluster_arn=cluster.arn,
        task_definition=definition,
        group=group,
        started_by=started_by,
        containers=[_container(place, cluster.name, identity, one) for one in definition.container_definitions],
        launch_type="FARGATE",
        capacity_provider=strategy[0]["capacityProvider"] if strategy else None,
        overrides=dict(overrides or {}),
        network=settings.get("networkConfiguration"),
        platform_version=None if version == "LATEST" else version,
        enable_execute_command=bool(settings.get("enableExecuteCommand")),
        tags=tags or [],
    )
    network.announce(task)
    place.backend.tasks.setdefault(cluster.name, {})[task.task_arn] = task
    return task


def _container(place: Place, cluster: str, task_id: str, definition: Mapping[str, Any]) -> Container:
    return Container(
        arn=place.arn("container", f"{cluster}/{task_id}/{uuid.uuid4()}"),
        name=definition["name"],
        image=definition["image"],
        definition=definition,
    )


def service_task(service: Service, deployment: Deployment) -> Task:
    """A task of a service's deployment."""
    backend = service.place.backend
    definition = backend.describe_task_definition(deployment.task_definition)
    source = {"SERVICE": service.tags, "TASK_DEFINITION": definition.tags}
    tags = list(source.get(service.settings.get("propagateTags", "NONE"), []))
    if service.settings.get("enableECSManagedTags"):
        named = {"aws:ecs:clusterName": service.cluster_name, "aws:ecs:serviceName": service.name}
        tags += [{"key": key, "value": value} for key, value in named.items()]
    settings = {**deployment.settings, "enableExecuteCommand": service.settings.get("enableExecuteCommand")}
    task = new_task(
        service.place,
        backend.clusters[service.cluster_name],
        definition,
        group=f"service:{service.name}",
        started_by=deployment.id,
        settings=settings,
        tags=tags,
    )
    task.targets = deployment.targets
    return task


def of_cluster(place: Place, cluster: str) -> list[Task]:
    """All tasks of a cluster, those stopped within the last hour too, oldest first."""
    return sorted(place.backend.tasks.get(cluster, {}).values(), key=lambda task: task.order)


def of_service(service: Service) -> list[Task]:
    """All tasks of a service, oldest first."""
    return [task for task in of_cluster(service.place, service.cluster_name) if task.service_name == service.name]


def find(place: Place, cluster: str, name_or_arn: str) -> Task | None:
    """A task by its id or ARN."""
    identity = name_or_arn.rsplit("/", 1)[-1]
    return next((task for task in of_cluster(place, cluster) if task.id == identity), None)
