"""Faults of a running task: its processes are killed, or stand still until they go on."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from typing import Any

from moto.ecs.models import ecs_backends

from local.faults import BadFault
from local.folder import ACCOUNT, REGION
from local.server import LOCK

SIGNALS = {"kill": signal.SIGKILL, "pause": signal.SIGSTOP, "resume": signal.SIGCONT}
DONE = {"kill": "killed", "pause": "standing still until it is resumed", "resume": "going on"}


def inflict(wanted: Mapping[str, Any]) -> dict[str, str]:
    """Let something happen to a task, as if by accident: no status tells of it until ECS notices.

    Args:
        wanted: `task` (its ARN, or its id), `kind` (`kill`, `pause` or `resume`).

    Raises:
        BadFault: an unknown kind, or no such task runs.
    """
    kind = str(wanted.get("kind", ""))
    if kind not in SIGNALS:
        raise BadFault(f"the kind is one of {', '.join(SIGNALS)}; found {kind!r}")
    name = str(wanted.get("task", "")).rsplit("/", 1)[-1]
    with LOCK:
        tasks = [task for of in ecs_backends[ACCOUNT][REGION].tasks.values() for task in of.values()]
        running = {task.id: task for task in tasks if task.last_status == "RUNNING"}
        processes = [one.process for one in running[name].containers if one.process] if name in running else []
    if not processes:
        raise BadFault(f"no task {name!r} runs; there is {', '.join(sorted(running)) or 'none'}")
    for process in processes:
        process.record.send(SIGNALS[kind])
    return {"done": f"task {name} is {DONE[kind]}"}
