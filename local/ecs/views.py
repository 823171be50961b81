"""The live objects as the API answers them. Copies, so that an answer is of one moment."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from local.ecs.model import Container, Deployment, Service, Task
from local.ecs.rollout import breaker_threshold

PENDING = frozenset({"PROVISIONING", "PENDING", "ACTIVATING"})
_DEPLOYMENT_STATUS = {"IN_PROGRESS": "IN_PROGRESS", "COMPLETED": "SUCCESSFUL"}


def task_view(task: Task, *, tags: bool) -> dict[str, Any]:
    """A task as DescribeTasks answers it."""
    definition = task.task_definition
    view: dict[str, Any] = {
        "attachments": [dict(task.attachment)] if task.attachment else [],
        "attributes": [{"name": "ecs.cpu-architecture", "value": _architecture(definition)}],
        "availabilityZone": f"{task.place.region}a",
        "capacityProviderName": task.capacity_provider,
        "clusterArn": task.cluster_arn,
        "connectivity": "CONNECTED" if "connectivityAt" in task.times else None,
        "containers": [_container_view(task, container) for container in task.containers],
        "cpu": task.overrides.get("cpu") or definition.cpu,
        "memory": task.overrides.get("memory") or definition.memory,
        "desiredStatus": task.desired_status,
        "enableExecuteCommand": task.enable_execute_command,
        "group": task.group,
        "healthStatus": task.health,
        "lastStatus": task.last_status,
        "launchType": task.launch_type,
        "overrides": {"containerOverrides": [], "inferenceAcceleratorOverrides": [], **task.overrides},
        "platformFamily": "Linux",
        "platformVersion": task.platform_version or "1.4.0",
        "startedBy": task.started_by or None,
        "stopCode": task.stop_code,
        "stoppedReason": task.stopped_reason or (task.stop_request.reason if task.stop_request else None),
        "taskArn": task.task_arn,
        "taskDefinitionArn": definition.arn,
        "version": task.version,
        "ephemeralStorage": {"sizeInGiB": 20},
        **task.times,
    }
    if tags:
        view["tags"] = list(task.tags)
    return view


def _container_view(task: Task, container: Container) -> dict[str, Any]:
    interfaces = []
    if task.attachment and task.address:
        interfaces = [{"attachmentId": task.attachment["id"], "privateIpv4Address": task.address}]
    return {
        "containerArn": container.arn,
        "taskArn": task.task_arn,
        "name": container.name,
        "image": container.image,
        "imageDigest": container.image_digest,
        "runtimeId": container.runtime_id,
        "lastStatus": container.last_status,
        "exitCode": container.exit_code,
        "reason": container.reason,
        "networkBindings": [],
        "networkInterfaces": interfaces,
        "healthStatus": container.health,
        "cpu": str(container.definition.get("cpu", 0)),
        "memory": _text(container.definition.get("memory")),
        "memoryReservation": _text(container.definition.get("memoryReservation")),
    }


def _architecture(definition: Any) -> str:
    return str((definition.runtime_platform or {}).get("cpuArchitecture", "X86_64")).lower()


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def service_view(service: Service, *, tags: bool) -> dict[str, Any]:
    """A service as DescribeServices answers it."""
    view: dict[str, Any] = {
        **service.settings,
        "serviceArn": service.arn,
        "serviceName": service.name,
        "clusterArn": service.cluster_arn,
        "status": service.status,
        "desiredCount": service.desired_count,
        "runningCount": service.running_count,
        "pendingCount": service.pending_count,
        "taskDefinition": service.task_definition,
        "createdAt": service.created,
        "deployments": [deployment_view(deployment) for deployment in service.deployments],
        "events": list(service.events),
        "platformFamily": "Linux",
    }
    if tags:
        view["tags"] = list(service.tags)
    return view


def deployment_view(deployment: Deployment) -> dict[str, Any]:
    """A deployment as it is listed in a service."""
    settings = deployment.settings
    return {
        "id": deployment.id,
        "status": deployment.status,
        "taskDefinition": deployment.task_definition,
        "desiredCount": deployment.desired_count,
        "pendingCount": deployment.pending_count,
        "runningCount": deployment.running_count,
        "failedTasks": deployment.failed_tasks,
        "createdAt": deployment.created,
        "updatedAt": deployment.updated,
        "rolloutState": deployment.rollout_state,
        "rolloutStateReason": deployment.reason,
        "launchType": settings.get("launchType"),
        "capacityProviderStrategy": settings.get("capacityProviderStrategy"),
        "platformVersion": settings.get("platformVersion") or "1.4.0",
        "platformFamily": "Linux",
        "networkConfiguration": settings.get("networkConfiguration"),
    }


def service_deployment_arn(service: Service, deployment: Deployment) -> str:
    """The ARN under which ListServiceDeployments names a deployment."""
    return service.place.arn("service-deployment", _below(service, deployment))


def service_revision_arn(service: Service, deployment: Deployment) -> str:
    """The ARN of what a deployment brings."""
    return service.place.arn("service-revision", _below(service, deployment))


def _below(service: Service, deployment: Deployment) -> str:
    return f"{service.cluster_name}/{service.name}/{deployment.id.rsplit('/', 1)[-1]}"


def service_deployment_view(service: Service, deployment: Deployment, *, brief: bool) -> dict[str, Any]:
    """A deployment as ListServiceDeployments (brief) and DescribeServiceDeployments answer it."""
    view: dict[str, Any] = {
        "serviceDeploymentArn": service_deployment_arn(service, deployment),
        "serviceArn": service.arn,
        "clusterArn": service.cluster_arn,
        "createdAt": deployment.created,
        "startedAt": deployment.created,
        "finishedAt": deployment.finished,
        "status": deployment_status(deployment),
        "statusReason": deployment.status_reason,
        "targetServiceRevisionArn": service_revision_arn(service, deployment),
    }
    if brief:
        return view
    configuration = service.settings["deploymentConfiguration"]
    revision = {
        "arn": view.pop("targetServiceRevisionArn"),
        "requestedTaskCount": deployment.desired_count,
        "runningTaskCount": deployment.running_count,
        "pendingTaskCount": deployment.pending_count,
    }
    view.update(
        updatedAt=deployment.updated,
        targetServiceRevision=revision,
        sourceServiceRevisions=[
            {"arn": service_revision_arn(service, other)} for other in service.deployments if other is not deployment
        ],
        deploymentConfiguration=configuration,
        deploymentCircuitBreaker=_breaker_view(service, deployment),
    )
    if deployment.rolled_back_to:
        view["rollback"] = {
            "reason": deployment.status_reason,
            "startedAt": deployment.finished,
            "serviceRevisionArn": service_revision_arn(service, deployment.rolled_back_to),
        }
    return view


def deployment_status(deployment: Deployment) -> str:
    """The state of a deployment in the words of ServiceDeploymentStatus."""
    if deployment.rollout_state == "FAILED":
        back = deployment.rolled_back_to
        if back is None:
            return "STOPPED"
        return {"COMPLETED": "ROLLBACK_SUCCESSFUL", "FAILED": "ROLLBACK_FAILED"}.get(
            back.rollout_state, "ROLLBACK_IN_PROGRESS"
        )
    if deployment.rollout_state == "IN_PROGRESS" and deployment.status != "PRIMARY":
        return "STOPPED"  # another one took its place before it was through
    return _DEPLOYMENT_STATUS[deployment.rollout_state]


def _breaker_view(service: Service, deployment: Deployment) -> dict[str, Any]:
    enabled = service.settings["deploymentConfiguration"]["deploymentCircuitBreaker"]["enable"]
    states = {"FAILED": "TRIGGERED", "IN_PROGRESS": "MONITORING", "COMPLETED": "MONITORING_COMPLETE"}
    return {
        "status": states[deployment.rollout_state] if enabled else "DISABLED",
        "failureCount": deployment.failed_tasks,
        "threshold": breaker_threshold(service.desired_count),
    }


def revision_view(service: Service, deployment: Deployment) -> dict[str, Any]:
    """What a deployment brings, as DescribeServiceRevisions answers it."""
    return {
        "serviceRevisionArn": service_revision_arn(service, deployment),
        "serviceArn": service.arn,
        "clusterArn": service.cluster_arn,
        "taskDefinition": deployment.task_definition,
        "createdAt": deployment.created,
        "platformFamily": "Linux",
        **deployment.settings,
    }


def cluster_counts(tasks: Iterable[Task], services: Iterable[Service]) -> dict[str, int]:
    """The counters of a cluster."""
    states = [task.last_status for task in tasks]
    return {
        "runningTasksCount": sum(1 for state in states if state == "RUNNING"),
        "pendingTasksCount": sum(1 for state in states if state in PENDING),
        "activeServicesCount": sum(1 for service in services if service.status == "ACTIVE"),
    }
