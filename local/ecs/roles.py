"""The roles of a task definition: there, and trusted to ECS tasks. What they allow is not looked at."""

from __future__ import annotations

import json
from typing import Any

from moto.iam.models import iam_backends

from local.ecs.errors import StartFailure
from local.ecs.model import Place

PRINCIPAL = "ecs-tasks.amazonaws.com"


def check(place: Place, definition: Any) -> None:
    """Refuse to start a task whose roles ECS could not assume.

    Raises:
        StartFailure: a role is missing, or its trust policy does not name ECS tasks.
    """
    for attribute in ("execution_role_arn", "task_role_arn"):
        arn = getattr(definition, attribute, None)
        if arn and not _assumable(place, arn):
            raise StartFailure(
                f"ECS was unable to assume the role '{arn}' that was provided for this task. Please verify that the "
                "role being passed has the proper trust relationship and permissions and that your IAM user has "
                "permissions to pass this role."
            )


def _assumable(place: Place, arn: str) -> bool:
    roles = iam_backends[place.account]["aws"].roles.values()
    role = next((one for one in roles if one.arn == arn), None)
    if role is None:
        return False
    document = json.loads(role.assume_role_policy_document)
    statements = document.get("Statement", [])
    return any(_trusts(one) for one in (statements if isinstance(statements, list) else [statements]))


def _trusts(statement: dict[str, Any]) -> bool:
    principal = statement.get("Principal")
    named = principal.get("Service", []) if isinstance(principal, dict) else principal
    return statement.get("Effect") == "Allow" and PRINCIPAL in ([named] if isinstance(named, str) else named or [])
