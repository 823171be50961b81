"""Roles: what may start a task, and what a task may do; nothing more, nowhere else."""

import json
from typing import Any

import pytest

from tests.unit.program import ACCOUNT, run_program
from tests.unit.recording import Recording

ROLE, POLICY = "aws:iam/role:Role", "aws:iam/rolePolicy:RolePolicy"
SECRETS = f"arn:aws:secretsmanager:eu-west-1:{ACCOUNT}:secret"
APP_SECRET, OWNER_SECRET = f"{SECRETS}:bluegreen-test/app-db-aBcDeF", f"{SECRETS}:rds!db-1-aBcDeF"


@pytest.fixture(scope="module")
def recording() -> Recording:
    return run_program()


def statements(recording: Recording, name: str) -> dict[str, Any]:
    policy = json.loads(recording.one(POLICY, name).inputs["policy"])
    assert all(each["Effect"] == "Allow" for each in policy["Statement"])
    return {action: each["Resource"] for each in policy["Statement"] for action in each["Action"]}


@pytest.mark.parametrize(("kind", "secrets"), [("app", [APP_SECRET]), ("migrate", [APP_SECRET, OWNER_SECRET])])
def test_starting_a_task_takes_exactly_this(recording: Recording, kind: str, secrets: list[str]) -> None:
    repository = [f"arn:aws:ecr:eu-west-1:{ACCOUNT}:repository/bluegreen-test"]
    streams = [f"arn:aws:logs:eu-west-1:{ACCOUNT}:log-group:/bluegreen-test/{kind}:*"]
    assert statements(recording, f"roles-{kind}-execution") == {
        "ecr:GetAuthorizationToken": ["*"],
        "ecr:BatchCheckLayerAvailability": repository,
        "ecr:BatchGetImage": repository,
        "ecr:GetDownloadUrlForLayer": repository,
        "logs:CreateLogStream": streams,
        "logs:PutLogEvents": streams,
        "secretsmanager:GetSecretValue": secrets,
    }


def test_no_action_is_a_wildcard_and_only_one_resource_is(recording: Recording) -> None:
    for policy in recording.of(POLICY):
        found = statements(recording, policy.name)
        assert not [action for action in found if "*" in action]
        assert [action for action, resources in found.items() if "*" in resources] == ["ecr:GetAuthorizationToken"]


def test_running_tasks_may_do_nothing(recording: Recording) -> None:
    with_rights = {each.inputs["role"] for each in recording.of(POLICY)}
    assert with_rights == {"roles-app-execution-id", "roles-migrate-execution-id"}


def test_only_tasks_of_this_account_get_a_role(recording: Recording) -> None:
    assert len(recording.of(ROLE)) == 4
    for role in recording.of(ROLE):
        (trust,) = json.loads(role.inputs["assumeRolePolicy"])["Statement"]
        assert trust["Principal"] == {"Service": "ecs-tasks.amazonaws.com"}
        assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": ACCOUNT}}
        assert len(role.inputs["name"]) <= 64
