"""The service deployment calls, which newer clients wait with. moto has none of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from local.ecs.api.request import Request
from local.ecs.errors import aws_error
from local.ecs.model import Deployment, Service
from local.ecs.views import (
    deployment_status,
    revision_view,
    service_deployment_arn,
    service_deployment_view,
    service_revision_arn,
)


def list_service_deployments(request: Request) -> dict[str, Any]:
    """ListServiceDeployments: newest first, of one service, optionally of some states.

    Raises:
        ServiceNotFoundException: no such service.
    """
    service = request.service(request.given["service"])
    wanted = request.given.get("status")
    views = [
        service_deployment_view(service, one, brief=True)
        for one in reversed(service.history)
        if not wanted or deployment_status(one) in wanted
    ]
    return {"serviceDeployments": views}


def describe_service_deployments(request: Request) -> dict[str, Any]:
    """DescribeServiceDeployments."""
    known = {service_deployment_arn(service, one): (service, one) for service, one in _all(request)}
    asked = request.given.get("serviceDeploymentArns") or ()
    return {
        "serviceDeployments": [service_deployment_view(*known[arn], brief=False) for arn in asked if arn in known],
        "failures": [{"arn": arn, "reason": "MISSING"} for arn in asked if arn not in known],
    }


def describe_service_revisions(request: Request) -> dict[str, Any]:
    """DescribeServiceRevisions."""
    known = {service_revision_arn(service, one): (service, one) for service, one in _all(request)}
    asked = request.given.get("serviceRevisionArns") or ()
    return {
        "serviceRevisions": [revision_view(*known[arn]) for arn in asked if arn in known],
        "failures": [{"arn": arn, "reason": "MISSING"} for arn in asked if arn not in known],
    }


def stop_service_deployment(request: Request) -> dict[str, Any]:
    """StopServiceDeployment: roll back to the deployment that completed last.

    Raises:
        ServiceDeploymentNotFoundException: no such deployment.
        ConflictException: it is over already, or there is none to go back to.
    """
    arn = request.given["serviceDeploymentArn"]
    found = next((pair for pair in _all(request) if service_deployment_arn(*pair) == arn), None)
    if found is None:
        raise aws_error("ServiceDeploymentNotFoundException", "The service deployment was not found.")
    service, deployment = found
    last = service.last_completed
    if deployment is not service.primary or deployment.rollout_state != "IN_PROGRESS" or last is None:
        raise aws_error("ConflictException", "The service deployment is not in progress, or has nothing to go back to.")
    service.roll_back(deployment, last, "Service deployment stopped by the user.")
    request.scheduler.wake()
    return {"serviceDeploymentArn": arn}


def _all(request: Request) -> Iterator[tuple[Service, Deployment]]:
    for service in request.place.backend.services.values():
        for deployment in service.history:
            yield service, deployment


HANDLERS = {
    "list_service_deployments": list_service_deployments,
    "describe_service_deployments": describe_service_deployments,
    "describe_service_revisions": describe_service_revisions,
    "stop_service_deployment": stop_service_deployment,
}
