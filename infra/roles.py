"""Who the tasks are: starting a task and running in it are different roles, migrations others than the app's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws


@dataclass(frozen=True, kw_only=True)
class RolesArgs:
    """Full ARNs only: a secret's ARN without its last six characters would match nothing, and tasks would not start."""

    prefix: str
    account_id: pulumi.Input[str]
    repository_arn: pulumi.Input[str]
    app_log_group_arn: pulumi.Input[str]
    migrate_log_group_arn: pulumi.Input[str]
    app_secret_arn: pulumi.Input[str]
    owner_secret_arn: pulumi.Input[str]


class Roles(pulumi.ComponentResource):
    """`bluegreen:infra:Roles`: an execution role (pull, log, read secrets) and a task role for app and for migrations.

    The task roles may do nothing at AWS: neither program calls it. Outputs: the four ARNs. Whoever starts a task
    depends on the component: the policies must be in place by then.
    """

    app_execution: aws.iam.Role
    app_task: aws.iam.Role
    migrate_execution: aws.iam.Role
    migrate_task: aws.iam.Role

    def __init__(self, name: str, args: RolesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("bluegreen:infra:Roles", name, {}, opts)
        self._name = name
        self._args = args
        self.app_execution = self._role("app-execution", "Starts the application's tasks")
        self.app_task = self._role("app-task", "What the application may do at AWS: nothing")
        self.migrate_execution = self._role("migrate-execution", "Starts migrations and checks")
        self.migrate_task = self._role("migrate-task", "What migrations may do at AWS: nothing")
        self._may_start("app", self.app_execution, args.app_log_group_arn, [args.app_secret_arn])
        secrets = [args.app_secret_arn, args.owner_secret_arn]
        self._may_start("migrate", self.migrate_execution, args.migrate_log_group_arn, secrets)
        self.register_outputs(
            {
                "appExecution": self.app_execution.arn,
                "appTask": self.app_task.arn,
                "migrateExecution": self.migrate_execution.arn,
                "migrateTask": self.migrate_task.arn,
            }
        )

    def _role(self, role: str, description: str) -> aws.iam.Role:
        trust = {
            "Effect": "Allow",
            "Principal": {"Service": "ecs-tasks.amazonaws.com"},
            "Action": "sts:AssumeRole",
            # Only for tasks of this account, whoever else learns the role's name.
            "Condition": {"StringEquals": {"aws:SourceAccount": self._args.account_id}},
        }
        return aws.iam.Role(
            f"{self._name}-{role}",
            name=f"{self._args.prefix}-{role}",
            description=description,
            assume_role_policy=_document(trust),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _may_start(
        self,
        kind: str,
        role: aws.iam.Role,
        log_group_arn: pulumi.Input[str],
        secret_arns: Sequence[pulumi.Input[str]],
    ) -> None:
        pull = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
        streams = pulumi.Output.concat(log_group_arn, ":*")
        aws.iam.RolePolicy(
            f"{self._name}-{kind}-execution",
            name="start-tasks",
            role=role.id,
            policy=_document(
                # This action names no resource (Service Authorization Reference, Amazon ECR).
                _allow(["ecr:GetAuthorizationToken"], ["*"]),
                _allow(pull, [self._args.repository_arn]),
                _allow(["logs:CreateLogStream", "logs:PutLogEvents"], [streams]),
                _allow(["secretsmanager:GetSecretValue"], secret_arns),
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )


def _allow(actions: Sequence[str], resources: Sequence[pulumi.Input[str]]) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": list(resources)}


def _document(*statements: Mapping[str, Any]) -> pulumi.Output[str]:
    return pulumi.Output.json_dumps({"Version": "2012-10-17", "Statement": list(statements)}, sort_keys=True)
