"""Why an ECS task stopped, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from provider.aws import Aws
from provider.logs import LogReader, log_place

PASSING = ("timeout", "timed out", "requesterror", "internal error", "capacity is unavailable", "ephemeralstorage")
DESCRIBED = 100  # ECS: tasks in one DescribeTasks


def short(task_arn: str) -> str:
    """The last part of a task ARN, as the console shows it."""
    return task_arn.rsplit("/", 1)[-1]


def describe(aws: Aws, cluster: str, arns: list[str]) -> list[dict[str, Any]]:
    """The tasks that ECS still knows."""
    found: list[dict[str, Any]] = []
    for start in range(0, len(arns), DESCRIBED):
        found += aws.call("ecs", "describe_tasks", cluster=cluster, tasks=arns[start : start + DESCRIBED])["tasks"]
    return found


def container_of(task: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    """The named container of a task, whatever its place in the list."""
    return next((one for one in task.get("containers", []) if one.get("name") == name), None)


def exit_code(task: Mapping[str, Any], name: str) -> int | None:
    """The exit code of the named container; None where it never ran."""
    found = container_of(task, name)
    code = found.get("exitCode") if found is not None else None
    return int(code) if code is not None else None


def why_stopped(task: Mapping[str, Any], name: str) -> str:
    """`stopCode EssentialContainerExited: reason; container app exited with code 1 (OutOfMemoryError)`."""
    parts = []
    code, reason = task.get("stopCode"), task.get("stoppedReason")
    if code or reason:
        parts.append(f"stopCode {code or 'not given'}: {reason or 'no reason given'}")
    container = container_of(task, name)
    if container is None:
        names = ", ".join(str(one.get("name")) for one in task.get("containers", [])) or "none"
        parts.append(f"it has no container {name!r} (found: {names})")
    else:
        ended = exit_code(task, name)
        said = f" ({container['reason']})" if container.get("reason") else ""
        verb = "never ran" if ended is None else f"exited with code {ended}"
        parts.append(f"container {name} {verb}{said}")
    return "; ".join(parts)


def may_pass(task: Mapping[str, Any], name: str) -> bool:
    """Whether a task failed before its container ran, for a reason that may be gone when it is tried again."""
    if task.get("stopCode") != "TaskFailedToStart" or exit_code(task, name) is not None:
        return False
    container = container_of(task, name) or {}
    said = f"{task.get('stoppedReason', '')} {container.get('reason', '')}".lower()
    return any(word in said for word in PASSING)


def last_lines(aws: Aws, task: Mapping[str, Any], name: str) -> str:
    """The last log lines of a task's container and where they are, for the end of a message."""
    definition = aws.call("ecs", "describe_task_definition", taskDefinition=task["taskDefinitionArn"])
    reader = LogReader(aws, log_place(definition["taskDefinition"], name, task["taskArn"]))
    reader.more()
    return f"Last lines ({reader.place}):{reader.last()}" if reader.lines else f"No log lines ({reader.place})"
