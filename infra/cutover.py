"""From one color to the other, in an order that the engine keeps: target color steady, smoke test, shift, previous
color, backfills, contract."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import pulumi

from infra import advice, containers
from infra.evidence import Quiet, evidence
from infra.load_balancer import TEST_HEADER
from infra.naming import COLORS
from infra.tasks import Place, migration
from provider import resources

SMOKE: Final = ("python", "-m", "app.smoke")
RETIRED: Final = "retired"


@dataclass(frozen=True, kw_only=True)
class CutoverArgs:
    """`services`: both colors' ECS services. `previous` "retired" runs the contract revisions too. Times in seconds.

    gate: the run in the new image that says which contract revisions are pending; quiet: what holds them back.
    """

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
    schema: Sequence[pulumi.Resource]
    gate: resources.TaskRun
    database_identity: pulumi.Input[str]
    quiet: Quiet
    backfill_timeout: int
    backfill_environment: Mapping[str, pulumi.Input[str]]
    steps: tuple[int, ...]
    bake: int
    alarms: tuple[str, ...]
    on_failure: str


class Cutover(pulumi.ComponentResource):
    """`bluegreen:infra:Cutover`: target color steady, smoke test, shift, previous color, backfills, perhaps contract.

    Outputs: weights. The steps are attributes: start, smoke, shift, previous, backfill, contract (None unless retired).
    """

    start: resources.ServiceCapacity
    smoke: resources.TaskRun
    shift: resources.TrafficShift
    previous: resources.ServiceCapacity
    backfill: resources.TaskRun
    contract: resources.TaskRun | None

    def __init__(self, name: str, args: CutoverArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("bluegreen:infra:Cutover", name, {}, opts)
        self._name = name
        self._args = args
        release = args.release
        before = [*args.services, *args.schema]
        self.start = self._capacity("start", release.target_color, release.target_count, before)
        self.smoke = self._smoke()
        self.shift = self._shift()
        self.previous = self._capacity(
            "previous", release.previous_color, release.previous_count, [self.shift], rule_arn=args.rule_arn
        )
        self.backfill = self._backfill()
        self.contract = self._contract() if args.previous == RETIRED else None
        self.register_outputs({"weights": self.shift.weights})

    def _capacity(
        self,
        step: str,
        color: pulumi.Input[str],
        count: pulumi.Input[int],
        after: Sequence[pulumi.Resource],
        rule_arn: pulumi.Input[str] | None = None,
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
                listener_rule_arn=rule_arn,
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
                advice=advice.SMOKE,
                expects_result=True,
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
                on_failure=args.on_failure,
                versions={color: release.colors[color]["version"] for color in COLORS},
                timeout_seconds=args.place.timeout,
            ),
            # By name, not only through the chain: each of the three alone must be enough to stop the shift.
            pulumi.ResourceOptions(parent=self, depends_on=[*args.schema, self.start, self.smoke]),
        )

    def _backfill(self) -> resources.TaskRun:
        """After the shift, so that it takes no time of the gate: versions that need them complete had them before.

        Before a contract it looks once more, also where the gate found nothing: until now the previous version wrote.
        """
        args, release, gate = self._args, self._args.release, self._args.gate
        retired = args.previous == RETIRED
        when = gate.when_told("pendingContracts", "before-contract", "backfill") if retired else "backfill"
        return resources.TaskRun(
            f"{self._name}-backfill",
            migration(
                args.place,
                release.target_color,
                args.migrate_task_definitions,
                "backfill",
                # With the gate's task in it: what that found is filled, also where this version was filled before.
                pulumi.Output.concat(release.version, "/", when, "/", args.database_identity, "/", gate.task_arn),
                release.actor,
                timeout=args.backfill_timeout,
                environment=args.backfill_environment,
                skip=None if retired else release.rollback,
                # Nothing is pending where an image has no backfills, or is too old to know of them.
                pending=gate.told_names("laterBackfills", *(["pendingContracts"] if retired else [])),
                advice=advice.BACKFILL,
            ),
            pulumi.ResourceOptions(parent=self, depends_on=[*args.place.ready, self.previous]),
        )

    def _contract(self) -> resources.TaskRun:
        args, release = self._args, self._args.release
        held_back = evidence(
            release,
            rule_arn=args.rule_arn,
            target_group_arns=args.target_group_arns,
            services=args.service_names,
            task_definitions=args.app_task_definitions,
            gate=args.gate,
            quiet=args.quiet,
            timeout=args.place.timeout,
        )
        return resources.TaskRun(
            f"{self._name}-contract",
            migration(
                args.place,
                release.target_color,
                args.migrate_task_definitions,
                "contract",
                pulumi.Output.concat(release.version, "/contract/", args.database_identity),
                release.actor,
                timeout=args.place.timeout + args.quiet.wait(args.place.timeout),
                evidence=held_back,
                advice=advice.CONTRACT,
            ),
            # Takes away what the previous version needs: not before its last task has stopped, nor before every row
            # is in the new shape.
            pulumi.ResourceOptions(parent=self, depends_on=[*args.place.ready, self.previous, self.backfill]),
        )
