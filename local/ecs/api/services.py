"""Services: CreateService, UpdateService, DeleteService, DescribeServices, ListServices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moto.elbv2.models import elbv2_backends

from local.ecs import network
from local.ecs.api.request import Request
from local.ecs.api.tasks import PAGE, check_launch_type
from local.ecs.errors import aws_error, client, invalid
from local.ecs.model import Service, short_name
from local.ecs.views import service_view

MOST_DESCRIBED = 10
# Stored as given and answered as stored. The first group takes effect by a new deployment only.
DEPLOYED = ("networkConfiguration", "platformVersion", "loadBalancers", "capacityProviderStrategy", "serviceRegistries")
KEPT = (
    "deploymentConfiguration",
    "healthCheckGracePeriodSeconds",
    "enableExecuteCommand",
    "enableECSManagedTags",
    "propagateTags",
    "availabilityZoneRebalancing",
    "placementConstraints",
    "placementStrategy",
)
CREATED = ("launchType", "schedulingStrategy", "deploymentController", "role")
DEFAULTS: dict[str, Any] = {
    "schedulingStrategy": "REPLICA",
    "deploymentController": {"type": "ECS"},
    "loadBalancers": [],
    "serviceRegistries": [],
    "placementConstraints": [],
    "placementStrategy": [],
    "platformVersion": "LATEST",
    "propagateTags": "NONE",
    "enableExecuteCommand": False,
    "enableECSManagedTags": False,
    "availabilityZoneRebalancing": "DISABLED",
}
CONFIGURATION = {"maximumPercent": 200, "minimumHealthyPercent": 100, "strategy": "ROLLING"}
BREAKER = {"enable": False, "rollback": False}


def create_service(request: Request) -> dict[str, Any]:
    """CreateService.

    Raises:
        InvalidParameterException, ClientException, ClusterNotFoundException: as AWS refuses it, or because the
            embedded AWS does not run such a service.
    """
    given, place = request.given, request.place
    cluster, name = request.cluster(), given["serviceName"]
    _check_free(place.backend.services.get(f"{cluster.name}:{name}"))
    if not given.get("taskDefinition"):
        raise invalid("TaskDefinition can not be blank.")
    definition = request.definition()
    _check_modelled(given)
    check_launch_type(given, cluster, definition)
    settings = {**DEFAULTS, **{key: given[key] for key in (*DEPLOYED, *KEPT, *CREATED) if given.get(key) is not None}}
    settings["deploymentConfiguration"] = _configuration(given.get("deploymentConfiguration"), {})
    settings["networkConfiguration"] = _network(settings.get("networkConfiguration"))
    if role := settings.pop("role", None):
        settings["roleArn"] = role
    _check(request, settings, definition)
    service = Service(
        place=place,
        name=name,
        cluster_name=cluster.name,
        cluster_arn=cluster.arn,
        task_definition=definition.arn,
        desired_count=_desired(given, 0),
        settings=settings,
        tags=given.get("tags") or [],
    )
    service.deploy()
    _expect(service)
    place.backend.services[f"{cluster.name}:{name}"] = service
    request.scheduler.wake()
    return {"service": service_view(service, tags=True)}


def update_service(request: Request) -> dict[str, Any]:
    """UpdateService: what its tasks are started from changes by a new deployment, the rest at once.

    Raises:
        ServiceNotFoundException: no such service.
        ServiceNotActiveException: it was deleted.
        InvalidParameterException, ClientException: as CreateService.
    """
    given = request.given
    service = request.service(given["service"])
    if service.status != "ACTIVE":
        raise aws_error("ServiceNotActiveException", "Service was not ACTIVE.")
    _check_modelled(given)
    if given.get("taskDefinition"):
        definition = request.definition()
    else:  # a service may go on with a task definition that was deregistered meanwhile
        definition = request.place.backend.describe_task_definition(service.task_definition)
    settings = {**service.settings, **{key: given[key] for key in (*DEPLOYED, *KEPT) if given.get(key) is not None}}
    settings["deploymentConfiguration"] = _configuration(
        given.get("deploymentConfiguration"), service.settings["deploymentConfiguration"]
    )
    settings["networkConfiguration"] = _network(settings["networkConfiguration"])
    _check(request, settings, definition)
    anew = definition.arn != service.task_definition or any(
        settings.get(key) != service.settings.get(key) for key in DEPLOYED
    )
    service.desired_count = _desired(given, service.desired_count)
    service.settings, service.task_definition, service.steady = settings, definition.arn, False
    if anew or given.get("forceNewDeployment"):
        service.deploy()
    _expect(service)
    request.scheduler.wake()
    return {"service": service_view(service, tags=True)}


def delete_service(request: Request) -> dict[str, Any]:
    """DeleteService: DRAINING until its last task has stopped.

    Raises:
        ServiceNotFoundException: no such service.
        InvalidParameterException: it still wants tasks and `force` is not given.
    """
    service = request.service(request.given["service"])
    if service.status == "INACTIVE":
        raise aws_error("ServiceNotActiveException", "Service was not ACTIVE.")
    if service.desired_count > 0 and not request.given.get("force"):
        raise invalid("The service cannot be stopped while it is scaled above 0.")
    service.status, service.desired_count = "DRAINING", 0
    _expect(service)
    request.scheduler.wake()
    return {"service": service_view(service, tags=True)}


def describe_services(request: Request) -> dict[str, Any]:
    """DescribeServices.

    Raises:
        InvalidParameterException: no service named, or more than 10.
    """
    asked = request.given.get("services") or ()
    if not asked:
        raise invalid("Services cannot be empty.")
    if len(asked) > MOST_DESCRIBED:
        raise invalid(f"Services cannot have more than {MOST_DESCRIBED} entries.")
    cluster, found, missing = request.cluster(), [], []
    for name in asked:
        service = request.place.backend.services.get(f"{cluster.name}:{short_name(name)}")
        if service is not None:
            found.append(service_view(service, tags=request.wants_tags))
        else:
            arn = request.place.arn("service", f"{cluster.name}/{short_name(name)}")
            missing.append({"arn": arn, "reason": "MISSING"})
    return {"services": found, "failures": missing}


def list_services(request: Request) -> dict[str, Any]:
    """ListServices: deleted ones are not listed."""
    cluster, given = request.cluster(), request.given
    known = [one for one in request.place.backend.services.values() if one.cluster_name == cluster.name]
    listed = sorted(
        service.arn
        for service in known
        if service.status != "INACTIVE"
        and given.get("launchType") in (None, service.settings.get("launchType"))
        and given.get("schedulingStrategy") in (None, service.scheduling_strategy)
    )
    begin, size = int(given.get("nextToken") or 0), int(given.get("maxResults") or PAGE)
    answer: dict[str, Any] = {"serviceArns": listed[begin : begin + size]}
    if begin + size < len(listed):
        answer["nextToken"] = str(begin + size)
    return answer


def _check_free(known: Service | None) -> None:
    if known is None or known.status == "INACTIVE":
        return
    if known.status == "DRAINING":
        raise invalid("Unable to Start a service that is still Draining.")
    raise invalid("Creation of service was not idempotent.")


def _check_modelled(given: Mapping[str, Any]) -> None:
    """What AWS runs and the embedded AWS does not is refused, never ignored."""
    controller = (given.get("deploymentController") or {}).get("type", "ECS")
    strategy = (given.get("deploymentConfiguration") or {}).get("strategy", "ROLLING")
    for member, found, known in (
        ("deploymentController", controller, "ECS"),
        ("deploymentConfiguration.strategy", strategy, "ROLLING"),
        ("schedulingStrategy", given.get("schedulingStrategy", "REPLICA"), "REPLICA"),
    ):
        if found != known:
            raise invalid(f"{member} is {found}; the embedded AWS runs services with {known} only")


def _check(request: Request, settings: Mapping[str, Any], definition: Any) -> None:
    network.check(request.place, settings.get("networkConfiguration"))
    if settings.get("healthCheckGracePeriodSeconds") and not settings["loadBalancers"]:
        raise invalid("Health check grace period is only valid for services configured to use load balancers")
    containers = {container["name"]: container for container in definition.container_definitions}
    for balancer in settings["loadBalancers"]:
        name, port = balancer.get("containerName"), balancer.get("containerPort")
        if name not in containers:
            raise invalid(f"The container {name} does not exist in the task definition.")
        if port not in [one.get("containerPort") for one in containers[name].get("portMappings") or ()]:
            raise invalid(f"The container {name} did not have a container port {port} defined.")
        _check_target_group(request, balancer.get("targetGroupArn"))


def _check_target_group(request: Request, arn: str | None) -> None:
    group = elbv2_backends[request.place.account][request.place.region].target_groups.get(arn)
    if group is None:
        raise invalid(
            "Unable to assume role and validate the specified targetGroupArn. Please verify that the ECS service role "
            f"being passed has the proper permissions. (The target group {arn} does not exist.)"
        )
    if group.target_type != "ip":
        raise invalid(
            f"The provided target group {arn} has target type {group.target_type}, which is incompatible with the "
            "awsvpc network mode specified in the task definition."
        )
    if not group.load_balancer_arns:
        raise invalid(f"The target group with targetGroupArn {arn} does not have an associated load balancer.")


def _configuration(given: Mapping[str, Any] | None, before: Mapping[str, Any]) -> dict[str, Any]:
    """A deployment configuration with its defaults filled in."""
    merged = {**CONFIGURATION, "deploymentCircuitBreaker": BREAKER, **before, **(given or {})}
    merged["deploymentCircuitBreaker"] = {**BREAKER, **merged["deploymentCircuitBreaker"]}
    most, least = merged["maximumPercent"], merged["minimumHealthyPercent"]
    if most < 100 or not 0 <= least <= 100:
        raise invalid(
            f"maximumPercent is {most} and minimumHealthyPercent is {least}; expected at least 100, and 0 to 100"
        )
    return merged


def _network(given: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """A network configuration with its default filled in."""
    if not given or "awsvpcConfiguration" not in given:
        return given
    return {"awsvpcConfiguration": {"assignPublicIp": "DISABLED", **given["awsvpcConfiguration"]}}


def _desired(given: Mapping[str, Any], before: int) -> int:
    desired = given.get("desiredCount")
    if desired is None:
        return before
    if desired < 0:
        raise client("desiredCount cannot be less than 0.")
    return int(desired)


def _expect(service: Service) -> None:
    """Counts as they are right after a call, before the scheduler looked: what is wanted and not there is pending."""
    service.primary.desired_count = service.desired_count
    for other in service.deployments[1:]:
        other.desired_count = 0


HANDLERS = {
    "create_service": create_service,
    "update_service": update_service,
    "delete_service": delete_service,
    "describe_services": describe_services,
    "list_services": list_services,
}
