"""Where a release's run-once tasks run, and what a run of the migrations command is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import pulumi

from infra import containers
from provider import resources

MIGRATIONS: Final = ("python", "-m", "migrations")
DRIFT_DEFAULT: Final = "breaking"
"""What the command does unless it is told something else."""
UNTOLD: Final = ("roles", "adopt", "backfill")
"""Commands that drift doesn't matter to: a change of the setting must not run them again."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where run-once tasks run, and how long one may take at most (seconds).

    ready: what such a task needs besides its task definition: ways through the firewall and the network, and rights.
    refuse_drift: which changes by other hands refuse a migration.
    """

    cluster: pulumi.Input[str]
    subnet_ids: Sequence[pulumi.Input[str]]
    security_group_id: pulumi.Input[str]
    public: bool
    timeout: int
    ready: Sequence[pulumi.Resource] = field(default=())
    refuse_drift: str = DRIFT_DEFAULT


def migration(
    place: Place,
    color: pulumi.Input[str],
    task_definitions: resources.Colors,
    command: pulumi.Input[str],
    trigger: pulumi.Input[str],
    actor: pulumi.Input[str] | None = None,
    *,
    arguments: Sequence[str] = (),
    timeout: int | None = None,
    evidence: Mapping[str, Any] | None = None,
    environment: Mapping[str, pulumi.Input[str]] | None = None,
    skip: pulumi.Input[bool] | None = None,
    pending: pulumi.Input[Sequence[str] | None] | None = None,
    advice: str | None = None,
) -> resources.TaskRunArgs:
    """One run of the migrations command, in that color's image. `actor`: who the history says applied it."""
    return resources.TaskRunArgs(
        name="migrations",
        cluster=place.cluster,
        task_definitions=task_definitions,
        color=color,
        container=containers.MIGRATE,
        command=[*MIGRATIONS, command, *arguments],
        environment={
            **({} if actor is None else {"MIGRATION_ACTOR": actor}),
            **({} if command in UNTOLD or place.refuse_drift == DRIFT_DEFAULT else _drift(place)),
            **(environment or {}),
        },
        subnets=list(place.subnet_ids),
        security_groups=[place.security_group_id],
        assign_public_ip=place.public,
        trigger=trigger,
        timeout_seconds=place.timeout if timeout is None else timeout,
        evidence=evidence,
        skip=skip,
        pending=pending,
        advice=advice,
        expects_result=True,
    )


def _drift(place: Place) -> dict[str, str]:
    return {"MIGRATION_REFUSE_DRIFT": place.refuse_drift}
