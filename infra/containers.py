"""The container definitions of both kinds of task, in the normal form in which ECS answers them.

Sorted, with ECS's defaults written out and no nulls: whatever differs from what ECS answers would be a new revision,
and so a deployment, on every run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import pulumi

from infra.database import APP_USER, OWNER
from infra.naming import Color

APP: Final = "app"
MIGRATE: Final = "migrate"
PORT: Final = 8080
# A number, so that ECS can tell without the image that it isn't root.
USER: Final = "10001"
# The application finishes its requests within 20 s of SIGTERM; ECS kills it after this.
STOP_SECONDS: Final = 30
# Picks one key of the secret's JSON (ECS developer guide, "Secrets Manager").
_JSON_KEY: Final = ":password::"


@dataclass(frozen=True, kw_only=True)
class DatabaseAccess:
    """Where the database is and which secrets (full ARNs, JSON with a key "password") open it."""

    host: pulumi.Input[str]
    port: int
    name: str
    ssl_mode: str
    app_secret_arn: pulumi.Input[str]
    owner_secret_arn: pulumi.Input[str]


@dataclass(frozen=True, kw_only=True)
class ContainerArgs:
    """What differs between two releases (image, version), and what all containers of a color share."""

    color: Color
    image: pulumi.Input[str]
    version: pulumi.Input[str]
    region: str
    log_group: pulumi.Input[str]
    database: DatabaseAccess


def app_container(args: ContainerArgs) -> pulumi.Output[str]:
    """JSON of the task definition in which the application serves, and in which its smoke test runs."""
    database = args.database
    return _definitions(
        args,
        name=APP,
        environment={**_common(args), "APP_COLOR": args.color, "DB_USER": APP_USER, "PORT": str(PORT)},
        secrets={"DB_PASSWORD": pulumi.Output.concat(database.app_secret_arn, _JSON_KEY)},
        port_mappings=[{"containerPort": PORT, "hostPort": PORT, "protocol": "tcp"}],
        # A log outage must not stop the service: lines are dropped rather than waited for.
        log_options={"mode": "non-blocking", "max-buffer-size": "4m"},
    )


def migrate_container(args: ContainerArgs) -> pulumi.Output[str]:
    """JSON of the task definition in which migrations run as the database's owner. The command comes with each run."""
    database = args.database
    return _definitions(
        args,
        name=MIGRATE,
        environment={**_common(args), "APP_DB_USER": APP_USER, "DB_USER": OWNER},
        secrets={
            "APP_DB_PASSWORD": pulumi.Output.concat(database.app_secret_arn, _JSON_KEY),
            "DB_PASSWORD": pulumi.Output.concat(database.owner_secret_arn, _JSON_KEY),
        },
        port_mappings=[],
        # Here the last line is the result: it is waited for rather than dropped.
        log_options={"mode": "blocking"},
    )


def _common(args: ContainerArgs) -> dict[str, pulumi.Input[str]]:
    database = args.database
    return {
        "APP_VERSION": args.version,
        "DB_HOST": database.host,
        "DB_NAME": database.name,
        "DB_PORT": str(database.port),
        "DB_SSLMODE": database.ssl_mode,
        # The root file system is read-only.
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def _definitions(
    args: ContainerArgs,
    *,
    name: str,
    environment: Mapping[str, pulumi.Input[str]],
    secrets: Mapping[str, pulumi.Input[str]],
    port_mappings: list[dict[str, Any]],
    log_options: Mapping[str, str],
) -> pulumi.Output[str]:
    container = {
        "cpu": 0,
        "environment": [{"name": key, "value": environment[key]} for key in sorted(environment)],
        "essential": True,
        "image": args.image,
        "linuxParameters": {"capabilities": {"drop": ["ALL"]}, "initProcessEnabled": True},
        "logConfiguration": {
            "logDriver": "awslogs",
            "options": {
                "awslogs-group": args.log_group,
                "awslogs-region": args.region,
                "awslogs-stream-prefix": args.color,
                **log_options,
            },
        },
        "mountPoints": [],
        "name": name,
        "portMappings": port_mappings,
        "readonlyRootFilesystem": True,
        "secrets": [{"name": key, "valueFrom": secrets[key]} for key in sorted(secrets)],
        "stopTimeout": STOP_SECONDS,
        "systemControls": [],
        "user": USER,
        "volumesFrom": [],
    }
    return pulumi.Output.json_dumps([container], sort_keys=True, separators=(",", ":"))
