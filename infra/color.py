"""One color: its target group, its task definitions and its ECS service. Used twice.

Three components, because the order needs them apart: the traffic rule must name both target groups before a release
can be planned, the plan says which image goes into which color's task definitions, and the service starts after the
migration. All of a color's parts have its `ColorStack` as parent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import pulumi
import pulumi_aws as aws

from infra import containers, naming
from infra.containers import ContainerArgs, app_container, migrate_container
from infra.naming import Color

# ECS registers each task with its own port, so this one is never used. It must not follow the application's port:
# changing it would replace a group that the traffic rule still names.
UNUSED_PORT: Final = 80
READY_PATH: Final = "/readyz"
# Replacing a service waits for its last task: drain, stop, and what ECS needs around them.
DELETE_MARGIN_SECONDS: Final = 300


@dataclass(frozen=True, kw_only=True)
class ColorStackArgs:
    """Times are in seconds."""

    prefix: str
    color: Color
    vpc_id: pulumi.Input[str]
    deregistration_delay: int
    health_interval: int


class ColorStack(pulumi.ComponentResource):
    """`bluegreen:infra:ColorStack`: parent of everything of one color, and its target group.

    Outputs: target_group_arn.
    """

    color: Color
    target_group: aws.lb.TargetGroup
    target_group_arn: pulumi.Output[str]

    def __init__(self, name: str, args: ColorStackArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("bluegreen:infra:ColorStack", name, {}, opts)
        self.color = args.color
        self.target_group = aws.lb.TargetGroup(
            name,
            name=naming.target_group(args.prefix, args.color),
            vpc_id=args.vpc_id,
            target_type="ip",
            protocol="HTTP",
            port=UNUSED_PORT,
            deregistration_delay=args.deregistration_delay,
            health_check=_health_check(args.health_interval),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.target_group_arn = self.target_group.arn
        self.register_outputs({"targetGroupArn": self.target_group_arn})


@dataclass(frozen=True, kw_only=True)
class ColorTasksArgs:
    """`cpu` in CPU units, `memory` in MiB. The two containers run the same image, and differ in what they may know."""

    prefix: str
    color: Color
    cpu: int
    memory: int
    architecture: str
    app: ContainerArgs
    migrate: ContainerArgs
    app_execution_role_arn: pulumi.Input[str]
    app_task_role_arn: pulumi.Input[str]
    migrate_execution_role_arn: pulumi.Input[str]
    migrate_task_role_arn: pulumi.Input[str]


class ColorTasks(pulumi.ComponentResource):
    """`bluegreen:infra:ColorTasks`: the task definitions of one color, for serving and for migrations.

    Outputs: app_arn, migrate_arn.
    """

    app: aws.ecs.TaskDefinition
    migrate: aws.ecs.TaskDefinition
    app_arn: pulumi.Output[str]
    migrate_arn: pulumi.Output[str]

    def __init__(self, name: str, args: ColorTasksArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("bluegreen:infra:ColorTasks", name, {}, opts)
        self._args = args
        self.app = self._definition(
            f"{name}-app",
            naming.service(args.prefix, args.color),
            app_container(args.app),
            execution_role_arn=args.app_execution_role_arn,
            task_role_arn=args.app_task_role_arn,
        )
        self.migrate = self._definition(
            f"{name}-migrate",
            naming.migrate_family(args.prefix, args.color),
            migrate_container(args.migrate),
            execution_role_arn=args.migrate_execution_role_arn,
            task_role_arn=args.migrate_task_role_arn,
        )
        self.app_arn = self.app.arn
        self.migrate_arn = self.migrate.arn
        self.register_outputs({"appArn": self.app_arn, "migrateArn": self.migrate_arn})

    def _definition(
        self,
        name: str,
        family: str,
        container_definitions: pulumi.Output[str],
        *,
        execution_role_arn: pulumi.Input[str],
        task_role_arn: pulumi.Input[str],
    ) -> aws.ecs.TaskDefinition:
        return aws.ecs.TaskDefinition(
            name,
            family=family,
            cpu=str(self._args.cpu),
            memory=str(self._args.memory),
            network_mode="awsvpc",
            requires_compatibilities=["FARGATE"],
            runtime_platform={"cpu_architecture": self._args.architecture, "operating_system_family": "LINUX"},
            execution_role_arn=execution_role_arn,
            task_role_arn=task_role_arn,
            container_definitions=container_definitions,
            opts=pulumi.ResourceOptions(parent=self),
        )


@dataclass(frozen=True, kw_only=True)
class ColorServiceArgs:
    """`after`: what must be done before this service may start tasks of a new version. Times are in seconds."""

    prefix: str
    color: Color
    cluster_arn: pulumi.Input[str]
    task_definition_arn: pulumi.Input[str]
    target_group_arn: pulumi.Input[str]
    subnet_ids: Sequence[pulumi.Input[str]]
    security_group_id: pulumi.Input[str]
    public: bool
    health_grace: int
    deregistration_delay: int
    protect: bool
    after: Sequence[pulumi.Resource] = field(default=())


class ColorService(pulumi.ComponentResource):
    """`bluegreen:infra:ColorService`: the ECS service of one color.

    Outputs: service_name.
    """

    service: aws.ecs.Service
    service_name: pulumi.Output[str]

    def __init__(self, name: str, args: ColorServiceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("bluegreen:infra:ColorService", name, {}, opts)
        self.service = aws.ecs.Service(
            name,
            name=naming.service(args.prefix, args.color),
            cluster=args.cluster_arn,
            task_definition=args.task_definition_arn,
            launch_type="FARGATE",
            desired_count=0,
            network_configuration={
                "subnets": list(args.subnet_ids),
                "security_groups": [args.security_group_id],
                "assign_public_ip": args.public,
            },
            load_balancers=[_target(args.target_group_arn)],
            health_check_grace_period_seconds=args.health_grace,
            # No rollback by ECS: it would end steady on the old version, and look like success.
            deployment_circuit_breaker={"enable": True, "rollback": False},
            deployment_minimum_healthy_percent=100,
            deployment_maximum_percent=200,
            enable_ecs_managed_tags=True,
            propagate_tags="SERVICE",
            wait_for_steady_state=False,
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=list(args.after),
                # `bluegreen:index:ServiceCapacity` owns the count: 0 until the schema fits, the wanted one before a
                # shift. In between whoever scales from outside may move it, above the setting desiredCount.
                ignore_changes=["desiredCount"],
                # The name is fixed, so replacing the service would stop all its tasks first. Not while it may be live.
                protect=args.protect,
                custom_timeouts=pulumi.CustomTimeouts(delete=f"{_delete_seconds(args.deregistration_delay)}s"),
            ),
        )
        self.service_name = self.service.name
        self.register_outputs({"serviceName": self.service_name})


def _health_check(interval: int) -> aws.lb.TargetGroupHealthCheckArgs:
    return aws.lb.TargetGroupHealthCheckArgs(
        enabled=True,
        protocol="HTTP",
        port="traffic-port",
        path=READY_PATH,
        matcher="200",
        interval=interval,
        timeout=min(5, interval - 1),
        healthy_threshold=2,
        # A task that misses this many is replaced: enough that a short database restart doesn't cost all of them.
        unhealthy_threshold=3,
    )


def _target(target_group_arn: pulumi.Input[str]) -> aws.ecs.ServiceLoadBalancerArgs:
    return aws.ecs.ServiceLoadBalancerArgs(
        target_group_arn=target_group_arn, container_name=containers.APP, container_port=containers.PORT
    )


def _delete_seconds(deregistration_delay: int) -> int:
    return deregistration_delay + containers.STOP_SECONDS + DELETE_MARGIN_SECONDS
