"""The service layer: what every release changes. Plan, task definitions, schema gate, both services, cutover."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from infra import naming
from infra.color import ColorService, ColorServiceArgs, ColorTasks, ColorTasksArgs
from infra.containers import ContainerArgs, DatabaseAccess
from infra.cutover import Cutover, CutoverArgs
from infra.database import DATABASE_NAME, DATABASE_PORT
from infra.naming import COLORS, Color
from infra.platform import Platform
from infra.release import ReleasePlan, ReleasePlanArgs
from infra.report import ReleaseReporting, ReleaseReportingArgs
from infra.schema import SchemaGate, SchemaGateArgs
from infra.settings import Settings
from infra.tasks import Place
from provider import resources


@dataclass(frozen=True, kw_only=True)
class Service:
    """The components of one released service."""

    plan: ReleasePlan
    tasks: Mapping[Color, ColorTasks]
    schema: SchemaGate
    services: Mapping[Color, ColorService]
    cutover: Cutover
    reporting: ReleaseReporting

    def summary(self) -> dict[str, Any]:
        """The stack output `release`: what is in service and what it took. Times are in seconds."""
        release, cutover = self.plan.release, self.cutover
        contract = cutover.contract
        last = contract or self.schema.expand
        return {
            "version": release.version,
            "schemaRevision": last.told("revision"),
            "color": release.target_color,
            "weights": cutover.shift.weights,
            "actor": release.actor,
            "previous": {
                "color": release.previous_color,
                "version": release.previous_version,
                "tasks": cutover.previous.running_count,
            },
            "backfills": resources.told_by_all("backfills", self.schema.fill, cutover.backfill),
            "seconds": {
                "roles": self.schema.roles.seconds,
                "schema": self.schema.expand.seconds,
                "neededBackfill": self.schema.fill.seconds,
                "start": cutover.start.seconds,
                "smoke": cutover.smoke.seconds,
                "shift": cutover.shift.seconds,
                "previous": cutover.previous.seconds,
                "backfill": cutover.backfill.seconds,
                **({"contract": contract.seconds} if contract else {}),
            },
        }


def service(
    settings: Settings, prefix: str, tree_version: str, platform: Platform, opts: pulumi.ResourceOptions
) -> Service:
    """Make the service's components, in the order of a release of the wanted version, else of the tree's."""
    version = settings.release.version or tree_version
    plan = ReleasePlan("release", _plan(settings, prefix, version, platform), opts)
    tasks = {color: _tasks(settings, prefix, platform, plan, color) for color in COLORS}
    place = _place(settings, platform)
    migrate: dict[str, pulumi.Output[str]] = {color: each.migrate_arn for color, each in tasks.items()}
    gate = SchemaGateArgs(
        place=place,
        release=plan.release,
        migrate_task_definitions=migrate,
        database_identity=platform.database.identity,
        backfill_timeout=settings.release.backfill_timeout,
        backfill_environment=_backfill_environment(settings, prefix),
        adopt=settings.release.adopt,
    )
    schema = SchemaGate("schema", gate, opts)
    services = {color: _service(settings, prefix, platform, tasks[color], schema, color) for color in COLORS}
    cutover_args = CutoverArgs(
        place=place,
        release=plan.release,
        previous=settings.release.previous,
        least_count=settings.service.desired_count,
        services=[each.service for each in services.values()],
        service_names=_names(prefix),
        app_task_definitions={color: each.app_arn for color, each in tasks.items()},
        migrate_task_definitions=migrate,
        target_group_arns=platform.target_group_arns,
        rule_arn=platform.load_balancer.rule_arn,
        test_url=platform.load_balancer.test_url,
        schema=schema.passed,
        gate=schema.expand,
        database_identity=platform.database.identity,
        quiet=settings.release.quiet,
        backfill_timeout=settings.release.backfill_timeout,
        backfill_environment=_backfill_environment(settings, prefix),
        steps=settings.release.steps,
        bake=settings.release.bake,
        alarms=settings.release.alarms,
        on_failure=settings.release.on_failure,
    )
    cutover = Cutover("cutover", cutover_args, opts)
    reporting = ReleaseReporting("report", _report(settings, tree_version, platform, plan, schema, cutover), opts)
    return Service(plan=plan, tasks=tasks, schema=schema, services=services, cutover=cutover, reporting=reporting)


def _report(
    settings: Settings, tree_version: str, platform: Platform, plan: ReleasePlan, schema: SchemaGate, cutover: Cutover
) -> ReleaseReportingArgs:
    migrations = [schema.expand, schema.fill, cutover.backfill, *([cutover.contract] if cutover.contract else [])]
    return ReleaseReportingArgs(
        settings=settings,
        release=plan.release,
        tree_version=tree_version,
        rule_arn=platform.load_balancer.rule_arn,
        target_group_arns=platform.target_group_arns,
        migrations=migrations,
        after=[cutover.previous, *migrations],
    )


def _backfill_environment(settings: Settings, prefix: str) -> dict[str, str]:
    return {**settings.release.backfill, "MIGRATION_SERVICE": prefix}


def _names(prefix: str) -> dict[str, str]:
    return {color: naming.service(prefix, color) for color in COLORS}


def _plan(settings: Settings, prefix: str, version: str, platform: Platform) -> ReleasePlanArgs:
    return ReleasePlanArgs(
        service=prefix,
        version=version,
        image=platform.registry.image,
        repository=platform.registry.repository_name,
        cluster=platform.cluster.cluster_name,
        services=_names(prefix),
        rule=platform.load_balancer.rule,
        rule_arn=platform.load_balancer.rule_arn,
        target_group_arns=platform.target_group_arns,
        desired_count=settings.service.desired_count,
        previous=settings.release.previous,
    )


def _tasks(settings: Settings, prefix: str, platform: Platform, plan: ReleasePlan, color: Color) -> ColorTasks:
    database, roles = platform.database, platform.roles
    access = DatabaseAccess(
        host=database.host,
        port=DATABASE_PORT,
        name=DATABASE_NAME,
        ssl_mode=settings.database.ssl_mode,
        app_secret_arn=database.app_secret_arn,
        owner_secret_arn=database.owner_secret_arn,
    )
    app, migrate = (
        ContainerArgs(
            color=color,
            image=plan.image(color),
            version=plan.version(color),
            region=settings.region,
            log_group=group.name,
            database=access,
        )
        for group in (platform.cluster.app_logs, platform.cluster.migrate_logs)
    )
    args = ColorTasksArgs(
        prefix=prefix,
        color=color,
        cpu=settings.service.cpu,
        memory=settings.service.memory,
        architecture=settings.service.architecture,
        app=app,
        migrate=migrate,
        app_execution_role_arn=roles.app_execution.arn,
        app_task_role_arn=roles.app_task.arn,
        migrate_execution_role_arn=roles.migrate_execution.arn,
        migrate_task_role_arn=roles.migrate_task.arn,
    )
    return ColorTasks(f"{color}-tasks", args, pulumi.ResourceOptions(parent=platform.colors[color]))


def _place(settings: Settings, platform: Platform) -> Place:
    return Place(
        cluster=platform.cluster.cluster_name,
        subnet_ids=platform.network.task_subnet_ids,
        security_group_id=platform.firewall.tasks.id,
        public=settings.network.public_tasks,
        timeout=settings.release.timeout,
        ready=platform.ready,
        refuse_drift=settings.release.refuse_drift,
    )


def _service(
    settings: Settings, prefix: str, platform: Platform, tasks: ColorTasks, schema: SchemaGate, color: Color
) -> ColorService:
    args = ColorServiceArgs(
        prefix=prefix,
        color=color,
        cluster_arn=platform.cluster.cluster_arn,
        task_definition_arn=tasks.app_arn,
        target_group_arn=platform.colors[color].target_group_arn,
        subnet_ids=platform.network.task_subnet_ids,
        security_group_id=platform.firewall.tasks.id,
        public=settings.network.public_tasks,
        health_grace=settings.service.health_grace,
        deregistration_delay=settings.service.deregistration_delay,
        protect=settings.protect,
        # The rule: a service can't be made for a target group that no load balancer uses.
        after=[*platform.ready, platform.load_balancer.rule, *schema.passed],
    )
    return ColorService(f"{color}-service", args, pulumi.ResourceOptions(parent=platform.colors[color]))
