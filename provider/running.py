"""Every task of a cluster whose program may still run, and the version that it says it has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from provider.aws import Aws
from provider.live import VERSION_VARIABLE
from provider.tasks import describe, short

UNKNOWN_VERSION: Final = "?"
SHOWN: Final = 3  # tasks of one version: ECS takes at most 8192 characters of overrides, and a person reads no more


@dataclass(frozen=True, kw_only=True)
class RunningTask:
    """One task. `versions` has what its task definition and its overrides say; empty where neither says one."""

    id: str
    versions: tuple[str, ...]
    family: str
    group: str
    status: str
    leaving: bool  # it was told to stop, and has not stopped yet

    @property
    def version(self) -> str:
        """For people: `v1`, or `version unknown`."""
        return "/".join(self.versions) or "version unknown"

    def __str__(self) -> str:
        return f"{self.id} ({self.version}, {self.status}, {self.group or self.family})"


def running_tasks(aws: Aws, cluster: str) -> list[RunningTask]:
    """All of the cluster, whoever started them: also those that wait to start, and those that are stopping."""
    # ECS lists a task by what is wanted of it: one that was told to stop is among the stopped, and goes on for a while.
    listed = {
        wanted: aws.pages("ecs", "list_tasks", "taskArns", cluster=cluster, desiredStatus=wanted)
        for wanted in ("RUNNING", "STOPPED")
    }
    arns = list(dict.fromkeys([*listed["RUNNING"], *listed["STOPPED"]]))
    found = [one for one in describe(aws, cluster, arns) if one["lastStatus"] != "STOPPED"]
    said = {arn: _said(aws, arn) for arn in {one["taskDefinitionArn"] for one in found}}
    return sorted((_task(one, said[one["taskDefinitionArn"]]) for one in found), key=lambda one: one.id)


def family_of(task_definition: str) -> str:
    """`orders-blue-app` of an ARN, or of `family:revision`."""
    return task_definition.rsplit("/", 1)[-1].rsplit(":", 1)[0]


def as_setting(tasks: Iterable[RunningTask]) -> str:
    """`v1@<task>,v2@<task>`, as the migrations command reads it; a task that says no version has `?`."""
    by_version: dict[str, list[str]] = {}
    for task in tasks:
        for version in task.versions or (UNKNOWN_VERSION,):
            by_version.setdefault(version, []).append(task.id)
    return ",".join(f"{version}@{id_}" for version, ids in sorted(by_version.items()) for id_ in ids[:SHOWN])


def _said(aws: Aws, definition: str) -> tuple[str, ...]:
    answer = aws.call("ecs", "describe_task_definition", taskDefinition=definition)["taskDefinition"]
    return _versions(answer["containerDefinitions"])


def _versions(containers: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    pairs = (one for container in containers for one in container.get("environment", []))
    return tuple(sorted({str(one["value"]) for one in pairs if one["name"] == VERSION_VARIABLE}))


def _task(task: Mapping[str, Any], said: tuple[str, ...]) -> RunningTask:
    # Whoever starts a task by hand may give it another version's name. Its image is that of the task definition all
    # the same: both count.
    given = _versions(task.get("overrides", {}).get("containerOverrides", []))
    return RunningTask(
        id=short(task["taskArn"]),
        versions=tuple(dict.fromkeys([*said, *given])),
        family=family_of(task["taskDefinitionArn"]),
        group=str(task.get("group") or ""),
        status=str(task["lastStatus"]),
        leaving=task.get("desiredStatus") == "STOPPED",
    )
