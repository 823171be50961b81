"""moto, made to behave: one file of small patches for each service, each naming the defect it answers.

The patches reach into moto's insides, so they are for one version of it. What ECS and Elastic Load Balancing do is in
`local/ecs` and `local/elb`, databases are in `local/rds`.
"""

from __future__ import annotations

import os
from importlib.metadata import version
from typing import Any

from local.calls import CallLog
from local.errors import LocalError
from local.faults import Faults
from local.server import Application

VERSION = "5.2.5"

# Read by moto when it is loaded. Certificates are issued after a second; tasks move only when the scheduler moves them.
ENVIRONMENT = {
    "MOTO_ACM_VALIDATION_WAIT": "1",
    "MOTO_EC2_LOAD_DEFAULT_AMIS": "false",
    "MOTO_DISABLE_GLOBAL_CORS": "true",
}

# Loaded at the start; what the program does not use is loaded when somebody asks for it.
WARM = ("ec2", "ecs", "elbv2", "iam", "rds", "secretsmanager", "logs", "ecr", "sts", "cloudwatch")


def application(calls: CallLog, faults: Faults) -> Application:
    """The AWS API as a WSGI application, patched. Once in a process.

    Raises:
        LocalError: the installed moto is another version than the patches are for.
    """
    found = version("moto")
    if found != VERSION:
        raise LocalError(f"moto {found} is installed; the embedded AWS needs {VERSION}: run `make tools`")
    os.environ.update(ENVIRONMENT)
    from local.moto_ext import trim  # before anything of moto is loaded

    trim.patch()
    from moto.moto_api import state_manager
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

    from local.moto_ext import core, services

    core.Gate(calls, faults).patch()
    state_manager.set_transition("ecs::task", {"progression": "manual", "times": 10**9})

    def create(service: Any) -> Any:
        services.patch(service)
        return create_backend_app(service)

    dispatcher = DomainDispatcherApplication(create)
    for service in WARM:
        dispatcher.app_instances[service] = create(service)
    answer: Application = dispatcher
    return answer
