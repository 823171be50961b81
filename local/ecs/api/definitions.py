"""RegisterTaskDefinition: moto stores it, what ECS refuses is refused here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from local.ecs import checks
from local.ecs.api.request import Request
from local.ecs.errors import client

# "Fargate task definitions: task CPU and memory" in the developer guide: CPU units to (first, last, step) in MiB.
FARGATE_MEMORY: dict[int, Sequence[int]] = {
    256: (512, 1024, 2048),
    512: range(1024, 4096 + 1, 1024),
    1024: range(2048, 8192 + 1, 1024),
    2048: range(4096, 16384 + 1, 1024),
    4096: range(8192, 30720 + 1, 1024),
    8192: range(16384, 61440 + 1, 4096),
    16384: range(32768, 122880 + 1, 8192),
}
# A word of CPU or memory may carry its unit.
UNITS = {"vcpu": 1024, "gb": 1024}
MOST_STOP_SECONDS = 120
CONDITIONS = ("START", "COMPLETE", "SUCCESS", "HEALTHY")


def register_task_definition(request: Request) -> dict[str, Any]:
    """RegisterTaskDefinition.

    Raises:
        ClientException: what ECS refuses (a CPU and memory that Fargate does not offer, an execution role that is
            missing, ...), or a feature that the embedded AWS does not have.
    """
    given = request.given
    containers = given.get("containerDefinitions") or []
    _check_containers(containers)
    if "FARGATE" in (given.get("requiresCompatibilities") or ()):
        _check_fargate(given, containers)
    for container in containers:
        if container.get("healthCheck"):
            container["healthCheck"] = {**checks.DEFAULTS, **container["healthCheck"]}
    definition = request.place.backend.register_task_definition(
        given["family"],
        # Fargate takes the memory of a task as a whole; moto's arithmetic wants one for each container.
        containers,
        volumes=given.get("volumes"),
        network_mode=given.get("networkMode"),
        tags=given.get("tags"),
        placement_constraints=given.get("placementConstraints"),
        requires_compatibilities=given.get("requiresCompatibilities"),
        cpu=given.get("cpu"),
        memory=given.get("memory"),
        task_role_arn=given.get("taskRoleArn"),
        execution_role_arn=given.get("executionRoleArn"),
        proxy_configuration=given.get("proxyConfiguration"),
        inference_accelerators=given.get("inferenceAccelerators"),
        runtime_platform=given.get("runtimePlatform"),
        ipc_mode=given.get("ipcMode"),
        pid_mode=given.get("pidMode"),
        ephemeral_storage=given.get("ephemeralStorage"),
    )
    return {"taskDefinition": definition, "tags": given.get("tags")}


def _check_containers(containers: Sequence[Mapping[str, Any]]) -> None:
    if not containers:
        raise client("Task definition does not have any container definitions.")
    for container in containers:
        for member in ("name", "image"):
            if not container.get(member):
                raise client(f"Container.{member} should not be null or empty.")
        wrong = checks.problem(container)
        if wrong is not None:
            raise client(f"Container '{container['name']}': {wrong}.")
    names = [container["name"] for container in containers]
    if len(set(names)) != len(names):
        raise client("Container.name must be unique within a task definition.")
    if not any(container.get("essential", True) for container in containers):
        raise client("At least one container must be marked as essential.")
    _check_dependencies(containers, names)


def _check_dependencies(containers: Sequence[Mapping[str, Any]], names: Sequence[str]) -> None:
    checked = {container["name"] for container in containers if container.get("healthCheck")}
    edges = {}
    for container in containers:
        dependencies = container.get("dependsOn") or ()
        for dependency in dependencies:
            if dependency["containerName"] not in names:
                raise client(f"Container '{dependency['containerName']}' of a dependency is not defined.")
            if dependency["condition"] not in CONDITIONS:
                raise client(
                    f"dependsOn of container '{container['name']}' asks for {dependency['condition']}; expected one of "
                    f"{', '.join(CONDITIONS)}"
                )
            if dependency["condition"] == "HEALTHY" and dependency["containerName"] not in checked:
                raise client(
                    f"Container '{dependency['containerName']}' has no health check, so no container can wait for it "
                    "to be HEALTHY."
                )
        edges[container["name"]] = {dependency["containerName"] for dependency in dependencies}
    while edges:
        free = [name for name, needed in edges.items() if not needed]
        if not free:
            raise client("Cycle found in the dependencies of the containers.")
        edges = {name: needed - set(free) for name, needed in edges.items() if name not in free}


def _check_fargate(given: Mapping[str, Any], containers: Sequence[Mapping[str, Any]]) -> None:
    if given.get("networkMode") not in (None, "awsvpc"):
        raise client("Fargate only supports network mode 'awsvpc'.")
    if not given.get("cpu") or not given.get("memory"):
        raise client("Fargate requires that 'cpu' be defined at the task level.")
    cpu, memory = _units(str(given["cpu"])), _units(str(given["memory"]))
    if cpu is None or memory is None or memory not in FARGATE_MEMORY.get(cpu, ()):
        raise client(f"No Fargate configuration exists for given values: {given['cpu']} CPU, {given['memory']} memory.")
    for container in containers:
        _check_container(container, bool(given.get("executionRoleArn")))


def _check_container(container: Mapping[str, Any], role: bool) -> None:
    log = container.get("logConfiguration") or {}
    options = log.get("options") or {}
    if log.get("logDriver") == "awslogs":
        if not role:
            raise client("Fargate requires task definition to have execution role ARN to support log driver awslogs.")
        for option in ("awslogs-group", "awslogs-region", "awslogs-stream-prefix"):
            if not options.get(option):
                raise client(f"Log driver awslogs requires options: {option}")
    if not role and ".dkr.ecr." in container["image"]:
        raise client("Fargate requires task definition to have execution role ARN to support ECR images.")
    if not role and container.get("secrets"):
        raise client("When you are specifying container secrets, you must also specify a value for 'executionRoleArn'.")
    if float(container.get("stopTimeout") or 0) > MOST_STOP_SECONDS:
        raise client(f"The stopTimeout of a Fargate task is at most {MOST_STOP_SECONDS} seconds.")


def _units(text: str) -> int | None:
    """CPU units or MiB of `1024`, `1 vCPU`, `0.5vcpu`, `2 GB`; None for anything else."""
    word = text.lower().replace(" ", "")
    factor = 1
    for unit, size in UNITS.items():
        if word.endswith(unit):
            word, factor = word.removesuffix(unit), size
    try:
        return int(float(word) * factor)
    except ValueError:
        return None


HANDLERS = {"register_task_definition": register_task_definition}
