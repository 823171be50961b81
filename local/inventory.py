"""What the embedded AWS holds, in a few words: for `status`."""

from __future__ import annotations

from typing import Any

from moto.ecs.models import ecs_backends
from moto.elbv2.models import elbv2_backends
from moto.rds.models import rds_backends

from local.folder import ACCOUNT, REGION
from local.server import LOCK

Json = dict[str, Any]


def inventory() -> dict[str, list[Json]]:
    """Services, running tasks, load balancers and databases."""
    with LOCK:
        ecs = ecs_backends[ACCOUNT][REGION]
        return {
            "services": [
                {"name": one.name, "status": one.status, "running": f"{one.running_count}/{one.desired_count}"}
                for one in ecs.services.values()
                if one.status != "INACTIVE"
            ],
            "tasks": [
                {"arn": task.task_arn, "group": task.group, "status": task.last_status}
                for tasks in ecs.tasks.values()
                for task in tasks.values()
                if task.last_status != "STOPPED"
            ],
            "load_balancers": [
                {"name": one.name, "address": one.dns_name}
                for one in elbv2_backends[ACCOUNT][REGION].load_balancers.values()
            ],
            "databases": [
                {
                    "identifier": one.db_instance_identifier,
                    "status": one.status,
                    "address": one.address,
                    "port": one.port,
                }
                for one in rds_backends[ACCOUNT][REGION].databases.values()
            ],
        }
