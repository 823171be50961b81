"""Clusters: kept by moto, counted and protected here."""

from __future__ import annotations

from typing import Any

from local.ecs import tasks
from local.ecs.api.request import Request, cluster
from local.ecs.errors import aws_error
from local.ecs.model import Service, short_name
from local.ecs.views import cluster_counts

STORED = {
    "clusterArn": "arn",
    "clusterName": "name",
    "status": "status",
    "registeredContainerInstancesCount": "registered_container_instances_count",
    "settings": "settings",
    "configuration": "configuration",
    "capacityProviders": "capacity_providers",
    "defaultCapacityProviderStrategy": "default_capacity_provider_strategy",
    "serviceConnectDefaults": "service_connect_defaults",
}


def create_cluster(request: Request) -> dict[str, Any]:
    """CreateCluster: an active cluster of the same name is answered as it is."""
    given, backend = request.given, request.place.backend
    name = given.get("clusterName") or "default"
    known = backend.clusters.get(name)
    if known is None or known.status != "ACTIVE":
        known = backend.create_cluster(
            name,
            given.get("tags"),
            given.get("settings"),
            given.get("configuration"),
            given.get("capacityProviders"),
            given.get("defaultCapacityProviderStrategy"),
            service_connect_defaults=given.get("serviceConnectDefaults"),
        )
    return {"cluster": _view(request, known, tags=True)}


def describe_clusters(request: Request) -> dict[str, Any]:
    """DescribeClusters, with counters that are true."""
    found, missing = [], []
    for name in request.given.get("clusters") or ["default"]:
        known = request.place.backend.clusters.get(short_name(name))
        if known is not None:
            found.append(_view(request, known, tags=request.wants_tags))
        else:
            missing.append({"arn": request.place.arn("cluster", short_name(name)), "reason": "MISSING"})
    return {"clusters": found, "failures": missing}


def list_clusters(request: Request) -> dict[str, Any]:
    """ListClusters: deleted ones are not listed."""
    known = request.place.backend.clusters.values()
    return {"clusterArns": [one.arn for one in known if one.status == "ACTIVE"]}


def delete_cluster(request: Request) -> dict[str, Any]:
    """DeleteCluster.

    Raises:
        ClusterContainsServicesException: a service is not INACTIVE yet.
        ClusterContainsTasksException: a task is not STOPPED yet.
    """
    known = cluster(request.place, request.given["cluster"])
    if any(service.status != "INACTIVE" for service in services_of(request, known.name)):
        raise aws_error("ClusterContainsServicesException", "The Cluster cannot be deleted while Services are active.")
    if any(task.last_status != "STOPPED" for task in tasks.of_cluster(request.place, known.name)):
        raise aws_error("ClusterContainsTasksException", "The Cluster cannot be deleted while Tasks are active.")
    known.status = "INACTIVE"
    return {"cluster": _view(request, known, tags=False)}


def services_of(request: Request, name: str) -> list[Service]:
    """The services of a cluster, deleted ones too."""
    known = request.place.backend.services.values()
    return [service for service in known if service.cluster_name == name]


def _view(request: Request, known: Any, *, tags: bool) -> dict[str, Any]:
    counts = cluster_counts(tasks.of_cluster(request.place, known.name), services_of(request, known.name))
    view = {member: getattr(known, attribute) for member, attribute in STORED.items()}
    return {**view, **counts, **({"tags": known.tags or []} if tags else {})}


HANDLERS = {
    "create_cluster": create_cluster,
    "describe_clusters": describe_clusters,
    "list_clusters": list_clusters,
    "delete_cluster": delete_cluster,
}
