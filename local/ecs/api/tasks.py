"""Tasks of their own: RunTask, StopTask, DescribeTasks, ListTasks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local.ecs import network, tasks
from local.ecs.api.request import Request
from local.ecs.errors import aws_error, client, invalid
from local.ecs.model import Task, short_name
from local.ecs.views import task_view

FARGATE = ("FARGATE", "FARGATE_SPOT")
MOST_TASKS, PAGE = 10, 100
BESIDE_NOTHING = ("serviceName", "family", "desiredStatus", "launchType", "containerInstance")
# What makes two RunTask calls with one client token the same call.
IDENTIFYING = ("cluster", "taskDefinition", "count", "overrides", "startedBy", "group", "networkConfiguration")


def run_task(request: Request) -> dict[str, Any]:
    """RunTask.

    Raises:
        ClusterNotFoundException, ClientException, InvalidParameterException: as AWS refuses it.
        ConflictException: the client token was used for another call.
    """
    given = request.given
    cluster, definition = request.cluster(), request.definition()
    repeated = _repeated(request, cluster)
    if repeated is not None:
        return {"tasks": [task_view(task, tags=True) for task in repeated], "failures": []}
    count = given.get("count", 1)
    if not 1 <= count <= MOST_TASKS:
        raise invalid(f"Count must be between 1 and {MOST_TASKS}; it is {count}.")
    check_launch_type(given, cluster, definition)
    _check_overrides(given.get("overrides") or {}, definition)
    network.check(request.place, given.get("networkConfiguration"))
    started = [
        tasks.new_task(
            request.place,
            cluster,
            definition,
            group=given.get("group") or f"family:{definition.family}",
            started_by=given.get("startedBy") or "",
            settings=given,
            overrides=given.get("overrides"),
            tags=_tags(given, definition),
        )
        for _ in range(count)
    ]
    for task in started:
        task.client_token, task.asked = given.get("clientToken"), _identity(given)
    # The answer is of the moment before they run, as on AWS.
    views = [task_view(task, tags=True) for task in started]
    for task in started:
        request.scheduler.launch(task)
    return {"tasks": views, "failures": []}


def _repeated(request: Request, cluster: Any) -> list[Task] | None:
    """The tasks that an earlier call with the same client token started."""
    token = request.given.get("clientToken")
    if not token:
        return None
    known = [task for task in tasks.of_cluster(request.place, cluster.name) if task.client_token == token]
    if any(task.asked != _identity(request.given) for task in known):
        raise aws_error(
            "ConflictException",
            "The clientToken was used by an earlier RunTask request with other parameters.",
            resourceIds=[task.task_arn for task in known],
        )
    return known or None


def _identity(given: Mapping[str, Any]) -> dict[str, Any]:
    return {member: given.get(member) for member in IDENTIFYING}


def check_launch_type(given: Mapping[str, Any], cluster: Any, definition: Any) -> None:
    """Refuse what Fargate cannot place; the embedded AWS has no container instances.

    Raises:
        InvalidParameterException: EC2 or EXTERNAL, or a task definition that is not made for Fargate.
    """
    launch_type, strategy = given.get("launchType"), given.get("capacityProviderStrategy")
    if launch_type and strategy:
        raise invalid("Specify either Launch Type or Capacity Provider Strategy, but not both.")
    strategy = strategy or (None if launch_type else cluster.default_capacity_provider_strategy)
    providers = [one["capacityProvider"] for one in strategy or ()]
    if launch_type != "FARGATE" and not (providers and all(name in FARGATE for name in providers)):
        raise invalid("No Container Instances were found in your cluster.")
    if "FARGATE" not in (definition.requires_compatibilities or ()):
        raise invalid("Task definition does not support launch_type FARGATE.")


def _check_overrides(overrides: Mapping[str, Any], definition: Any) -> None:
    names = {container["name"] for container in definition.container_definitions}
    for override in overrides.get("containerOverrides") or ():
        if override.get("name") not in names:
            raise invalid(
                f"Override for container named {override.get('name')} is not a container in the TaskDefinition."
            )


def _tags(given: Mapping[str, Any], definition: Any) -> list[dict[str, str]]:
    inherited = definition.tags if given.get("propagateTags") == "TASK_DEFINITION" else []
    merged = {tag["key"]: tag for tag in [*inherited, *(given.get("tags") or [])]}
    return list(merged.values())


def stop_task(request: Request) -> dict[str, Any]:
    """StopTask: answers at once; the task takes its time.

    Raises:
        InvalidParameterException: no such task.
    """
    task = tasks.find(request.place, request.cluster().name, request.given["task"])
    if task is None:
        raise invalid("The referenced task was not found.")
    task.ask_to_stop("UserInitiated", request.given.get("reason") or "Task stopped by user")
    request.scheduler.wake()
    return {"task": task_view(task, tags=True)}


def describe_tasks(request: Request) -> dict[str, Any]:
    """DescribeTasks.

    Raises:
        InvalidParameterException: no task named, or more than 100.
    """
    asked = request.given.get("tasks") or ()
    if not asked:
        raise invalid("Tasks cannot be empty.")
    if len(asked) > PAGE:
        raise invalid(f"Tasks cannot have more than {PAGE} entries.")
    cluster, found, missing = request.cluster(), [], []
    for name in asked:
        task = tasks.find(request.place, cluster.name, name)
        if task is not None:
            found.append(task_view(task, tags=request.wants_tags))
        else:
            arn = request.place.arn("task", f"{cluster.name}/{short_name(name)}")
            missing.append({"arn": arn, "reason": "MISSING"})
    return {"tasks": found, "failures": missing}


def list_tasks(request: Request) -> dict[str, Any]:
    """ListTasks: by default those that are to run; at most 100 a page. `startedBy` takes no other filter beside it.

    Raises:
        ServiceNotFoundException: the service filter names none.
        InvalidParameterException: a token that was not answered before, or a filter beside `startedBy`.
    """
    given = request.given
    beside = [name for name in BESIDE_NOTHING if given.get(name)] if given.get("startedBy") else []
    if beside:
        raise invalid(
            f"When startedBy is used as a filter, it must be the only one; found {', '.join(beside)} beside it."
        )
    status = given.get("desiredStatus", "RUNNING")
    found = [task for task in tasks.of_cluster(request.place, request.cluster().name) if task.desired_status == status]
    if given.get("serviceName"):
        name = request.service(given["serviceName"]).name
        found = [task for task in found if task.service_name == name]
    if given.get("family"):
        found = [task for task in found if task.task_definition.family == given["family"]]
    if given.get("startedBy"):
        found = [task for task in found if task.started_by == given["startedBy"]]
    if given.get("launchType"):
        found = [task for task in found if task.launch_type == given["launchType"]]
    if given.get("containerInstance"):
        found = []
    return _page([task.task_arn for task in found], given)


def _page(arns: list[str], given: Mapping[str, Any]) -> dict[str, Any]:
    token = str(given.get("nextToken") or 0)
    if not token.isdigit():
        raise invalid("Invalid token")
    begin, size = int(token), int(given.get("maxResults") or PAGE)
    answer: dict[str, Any] = {"taskArns": arns[begin : begin + size]}
    if begin + size < len(arns):
        answer["nextToken"] = str(begin + size)
    return answer


def start_task(request: Request) -> dict[str, Any]:
    """StartTask places a task on a container instance, and there is none.

    Raises:
        ClientException: always.
    """
    raise client(
        f"Container instances {request.given.get('containerInstances')} do not exist: all tasks run on Fargate."
    )


HANDLERS = {
    "run_task": run_task,
    "stop_task": stop_task,
    "describe_tasks": describe_tasks,
    "list_tasks": list_tasks,
    "start_task": start_task,
}
