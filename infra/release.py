"""A release, as resources in an order that the engine keeps: plan, schema, new color, smoke test, shift, old color,
contract.

Every arrow is a dependency in the graph. Nothing here runs anything; the `bluegreen` provider does, when the engine
comes to the resource. What a release needs in between (task definitions, services) is in `color`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import pulumi

from infra import containers
from infra.load_balancer import TEST_HEADER
from infra.naming import Color
from provider import resources

MIGRATIONS: Final = ("python", "-m", "migrations")
SMOKE: Final = ("python", "-m", "app.smoke")
RETIRED: Final = "retired"


@dataclass(frozen=True, kw_only=True)
class ReleasePlanArgs:
    """What is wanted (version, tasks of the live color, fate of the previous one) and where to look at what is live.

    image: "repository@sha256:..." of the version, or None to find it by what runs or by its tag in `repository`.
    """

    service: str
    version: str
    image: pulumi.Input[str] | None
    repository: pulumi.Input[str]
    cluster: pulumi.Input[str]
    services: resources.Colors
    rule: pulumi.Resource
    rule_arn: pulumi.Input[str]
    target_group_arns: resources.Colors
    desired_count: int
    previous: str


class ReleasePlan(pulumi.ComponentResource):
    """`bluegreen:infra:ReleasePlan`: which color gets which version, and where the weights go.

    Outputs: `release`, whose outputs all other parts take their inputs from.
    """

    release: resources.Release

    def __init__(self, name: str, args: ReleasePlanArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("bluegreen:infra:ReleasePlan", name, {}, opts)
        self.release = resources.Release(
            name,
            resources.ReleaseArgs(
                service=args.service,
                version=args.version,
                image=args.image,
                repository=args.repository,
                cluster=args.cluster,
                services=args.services,
                listener_rule_arn=args.rule_arn,
                target_group_arns=args.target_group_arns,
                container=containers.APP,
                desired_count=args.desired_count,
                previous=args.previous,
            ),
            pulumi.ResourceOptions(parent=self, depends_on=[args.rule]),
        )
        self.register_outputs({"version": self.release.version, "targetColor": self.release.target_color})

    def image(self, color: Color) -> pulumi.Output[str]:
        """The image that this color is to hold."""
        return self.release.colors[color]["image"]

    def version(self, color: Color) -> pulumi.Output[str]:
        """The version that this color is to hold."""
        return self.release.colors[color]["version"]


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where run-once tasks run, and how long one may take at most (seconds).

    ready: what such a task needs besides its task definition: ways through the firewall and the network, and rights.
    """

    cluster: pulumi.Input[str]
    subnet_ids: Sequence[pulumi.Input[str]]
    security_group_id: pulumi.Input[str]
    public: bool
    timeout: int
    ready: Sequence[pulumi.Resource] = field(default=())


@dataclass(frozen=True, kw_only=True)
class SchemaGateArgs:
    """`database_identity` changes when the database or the application's password becomes another one."""

    place: Place
    release: resources.Release
    migrate_task_definitions: resources.Colors
    database_identity: pulumi.Input[str]


class SchemaGate(pulumi.ComponentResource):
    """`bluegreen:infra:SchemaGate`: roles in the database, then expand (or check), in the image that is to be released.

    Outputs: revision. `passed` is what must have succeeded before a task of that image may serve.
    """

    roles: resources.TaskRun
    expand: resources.TaskRun
    passed: pulumi.Resource
    revision: pulumi.Output[str]

    def __init__(self, name: str, args: SchemaGateArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("bluegreen:infra:SchemaGate", name, {}, opts)
        release, identity = args.release, args.database_identity
        self.roles = resources.TaskRun(
            f"{name}-roles",
            # In blue's image whatever the target is: roles don't change with a release, and must not cost it time.
            _migration(args.place, "blue", args.migrate_task_definitions, "roles", identity),
            pulumi.ResourceOptions(parent=self, depends_on=list(args.place.ready)),
        )
        self.expand = resources.TaskRun(
            f"{name}-expand",
            _migration(
                args.place,
                release.target_color,
                args.migrate_task_definitions,
                release.gate,
                pulumi.Output.concat(release.version, "/", release.gate, "/", identity),
            ),
            pulumi.ResourceOptions(parent=self, depends_on=[*args.place.ready, self.roles]),
        )
        self.passed = self.expand
        self.revision = self.expand.result["revision"]
        self.register_outputs({"revision": self.revision})


@dataclass(frozen=True, kw_only=True)
class CutoverArgs:
    """`services`: both colors' ECS services. `previous` "retired" runs the contract revisions too. Times in seconds."""

    place: Place
    release: resources.Release
    previous: str
    least_count: int  # below it a count from outside is raised again
    services: Sequence[pulumi.Resource]
    service_names: resources.Colors
    app_task_definitions: resources.Colors
    migrate_task_definitions: resources.Colors
    target_group_arns: resources.Colors
    rule_arn: pulumi.Input[str]
    test_url: pulumi.Input[str]
    schema: pulumi.Resource
    database_identity: pulumi.Input[str]
    steps: tuple[int, ...]
    bake: int
    alarms: tuple[str, ...]


class Cutover(pulumi.ComponentResource):
    """`bluegreen:infra:Cutover`: target color steady, smoke test, shift, previous color, and perhaps contract.

    Outputs: weights. The steps are attributes: start, smoke, shift, previous, contract (None unless retired).
    """

    start: resources.ServiceCapacity
    smoke: resources.TaskRun
    shift: resources.TrafficShift
    previous: resources.ServiceCapacity
    contract: resources.TaskRun | None

    def __init__(self, name: str, args: CutoverArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("bluegreen:infra:Cutover", name, {}, opts)
        self._name = name
        self._args = args
        release = args.release
        self.start = self._capacity("start", release.target_color, release.target_count, [*args.services, args.schema])
        self.smoke = self._smoke()
        self.shift = self._shift()
        self.previous = self._capacity("previous", release.previous_color, release.previous_count, [self.shift])
        self.contract = self._contract() if args.previous == RETIRED else None
        self.register_outputs({"weights": self.shift.weights})

    def _capacity(
        self,
        step: str,
        color: pulumi.Input[str],
        count: pulumi.Input[int],
        after: Sequence[pulumi.Resource],
    ) -> resources.ServiceCapacity:
        args = self._args
        return resources.ServiceCapacity(
            f"{self._name}-{step}",
            resources.ServiceCapacityArgs(
                cluster=args.place.cluster,
                services=args.service_names,
                task_definitions=args.app_task_definitions,
                target_group_arns=args.target_group_arns,
                color=color,
                desired_count=count,
                least_count=args.least_count,
                timeout_seconds=args.place.timeout,
                container=containers.APP,
            ),
            pulumi.ResourceOptions(parent=self, depends_on=list(after)),
        )

    def _smoke(self) -> resources.TaskRun:
        place, release = self._args.place, self._args.release
        return resources.TaskRun(
            f"{self._name}-smoke",
            resources.TaskRunArgs(
                name="smoke",
                cluster=place.cluster,
                task_definitions=self._args.app_task_definitions,
                color=release.target_color,
                container=containers.APP,
                command=list(SMOKE),
                environment={
                    "SMOKE_HEADER": pulumi.Output.concat(TEST_HEADER, ": ", release.target_color),
                    "SMOKE_URL": self._args.test_url,
                },
                subnets=list(place.subnet_ids),
                security_groups=[place.security_group_id],
                assign_public_ip=place.public,
                trigger=pulumi.Output.concat(release.version, "/", release.target_color),
                timeout_seconds=place.timeout,
            ),
            pulumi.ResourceOptions(parent=self, depends_on=[*place.ready, self.start]),
        )

    def _shift(self) -> resources.TrafficShift:
        args, release = self._args, self._args.release
        return resources.TrafficShift(
            f"{self._name}-shift",
            resources.TrafficShiftArgs(
                listener_rule_arn=args.rule_arn,
                target_group_arns=args.target_group_arns,
                weights=release.weights,
                seen_weights=release.live_weights,
                steps=list(args.steps),
                bake_seconds=args.bake,
                rollback=release.rollback,
                settled_color=release.live_color,
                cluster=args.place.cluster,
                services=args.service_names,
                alarms=list(args.alarms),
                timeout_seconds=args.place.timeout,
            ),
            # By name, not only through the chain: each of the three alone must be enough to stop the shift.
            pulumi.ResourceOptions(parent=self, depends_on=[args.schema, self.start, self.smoke]),
        )

    def _contract(self) -> resources.TaskRun:
        args, release = self._args, self._args.release
        return resources.TaskRun(
            f"{self._name}-contract",
            _migration(
                args.place,
                release.target_color,
                args.migrate_task_definitions,
                "contract",
                pulumi.Output.concat(release.version, "/contract/", args.database_identity),
            ),
            # Takes away what the previous version needs: not before its last task has stopped.
            pulumi.ResourceOptions(parent=self, depends_on=[*args.place.ready, self.previous]),
        )


def _migration(
    place: Place,
    color: pulumi.Input[str],
    task_definitions: resources.Colors,
    command: pulumi.Input[str],
    trigger: pulumi.Input[str],
) -> resources.TaskRunArgs:
    """One run of the migrations command, in that color's image."""
    return resources.TaskRunArgs(
        name="migrations",
        cluster=place.cluster,
        task_definitions=task_definitions,
        color=color,
        container=containers.MIGRATE,
        command=[*MIGRATIONS, command],
        environment={},
        subnets=list(place.subnet_ids),
        security_groups=[place.security_group_id],
        assign_public_ip=place.public,
        trigger=trigger,
        timeout_seconds=place.timeout,
    )
