"""Which runners are certainly dead: migration tasks that AWS says are STOPPED, told to the one that starts now.

A runner whose machine hangs or is cut off keeps its session, and with it the lock; the database cannot tell it from one
that works. ECS can. Only what ECS says is told: a task that it no longer knows (an hour after its end) is not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from provider.aws import Aws
from provider.running import family_of
from provider.tasks import describe, short

SETTING: Final = "MIGRATION_STOPPED_TASKS"
PROGRAM: Final = "migrations"  # what is run as `python -m migrations`
MOST: Final = 40  # the newest: ECS takes at most 8192 characters of overrides


def environment(aws: Aws, inputs: Mapping[str, Any]) -> dict[str, str]:
    """The setting for a task that runs migrations, of the tasks of either color; nothing where none is known."""
    if PROGRAM not in inputs["command"]:
        return {}
    cluster = inputs["cluster"]
    arns: list[str] = []
    for family in sorted({family_of(definition) for definition in inputs["taskDefinitions"].values()}):
        arns += aws.pages("ecs", "list_tasks", "taskArns", cluster=cluster, family=family, desiredStatus="STOPPED")
    # desiredStatus is what is wanted: a task that is still stopping is listed too.
    dead = [one for one in describe(aws, cluster, list(dict.fromkeys(arns))) if one["lastStatus"] == "STOPPED"]
    dead.sort(key=lambda one: one["stoppedAt"], reverse=True)
    return {SETTING: ",".join(short(one["taskArn"]) for one in dead[:MOST])} if dead else {}
