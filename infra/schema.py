"""The schema gate: what must have succeeded in the database before a task of the new image may serve."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

from infra import advice
from infra.tasks import Place, migration
from provider import resources


@dataclass(frozen=True, kw_only=True)
class SchemaGateArgs:
    """`database_identity` changes when the database or the application's password becomes another one.

    adopt: the expand revision through which a database that something else made is taken over, or None.
    backfill_timeout: seconds that the backfills may take which the image needs before it serves.
    """

    place: Place
    release: resources.Release
    migrate_task_definitions: resources.Colors
    database_identity: pulumi.Input[str]
    backfill_timeout: int
    backfill_environment: Mapping[str, pulumi.Input[str]]
    adopt: str | None = None


class SchemaGate(pulumi.ComponentResource):
    """`bluegreen:infra:SchemaGate`: roles in the database, perhaps its adoption, expand (or check), needed backfills.

    All but the roles run in the image that is to be released. Outputs: revision. `passed` is what must have succeeded
    before a task of that image may serve.
    """

    roles: resources.TaskRun
    adopt: resources.TaskRun | None
    expand: resources.TaskRun
    fill: resources.TaskRun
    passed: tuple[pulumi.Resource, ...]
    revision: pulumi.Output[str]

    def __init__(self, name: str, args: SchemaGateArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("bluegreen:infra:SchemaGate", name, {}, opts)
        release, identity = args.release, args.database_identity
        self.roles = resources.TaskRun(
            f"{name}-roles",
            # In blue's image whatever the target is: roles don't change with a release, and must not cost it time.
            migration(args.place, "blue", args.migrate_task_definitions, "roles", identity, advice=advice.ROLES),
            pulumi.ResourceOptions(parent=self, depends_on=list(args.place.ready)),
        )
        self.adopt = self._adopt(name, args, args.adopt) if args.adopt else None
        self.expand = resources.TaskRun(
            f"{name}-expand",
            migration(
                args.place,
                release.target_color,
                args.migrate_task_definitions,
                release.gate,
                pulumi.Output.concat(release.version, "/", release.gate, "/", identity),
                release.actor,
                advice=advice.GATE,
            ),
            pulumi.ResourceOptions(parent=self, depends_on=[*args.place.ready, self.adopt or self.roles]),
        )
        self.fill = self._fill(name, args)
        # Both by name, not only through the chain: each alone must be enough to stop a release.
        self.passed = (self.expand, self.fill)
        self.revision = self.expand.told("revision")
        self.register_outputs({"revision": self.revision})

    def _fill(self, name: str, args: SchemaGateArgs) -> resources.TaskRun:
        """Backfills that the image needs before it serves, because it reads the new shape only.

        As a rule an earlier version has completed them and nothing is to do. Where that was cut short, the new
        version would meet rows that it can't read. On the way back too: nothing is pending there, or it is needed.
        """
        release = args.release
        return resources.TaskRun(
            f"{name}-backfill",
            migration(
                args.place,
                release.target_color,
                args.migrate_task_definitions,
                "backfill",
                # With the gate's task in it: what that found is filled, also where this version was filled before.
                pulumi.Output.concat(release.version, "/needed/", args.database_identity, "/", self.expand.task_arn),
                release.actor,
                timeout=args.backfill_timeout,
                environment=args.backfill_environment,
                arguments=("--needed",),
                pending=self.expand.told_names("neededBackfills"),
                advice=advice.FILL,
            ),
            pulumi.ResourceOptions(parent=self, depends_on=[*args.place.ready, self.expand]),
        )

    def _adopt(self, name: str, args: SchemaGateArgs, through: str) -> resources.TaskRun:
        release, identity = args.release, args.database_identity
        return resources.TaskRun(
            f"{name}-adopt",
            migration(
                args.place,
                release.target_color,
                args.migrate_task_definitions,
                "adopt",
                pulumi.Output.concat(through, "/", identity),
                release.actor,
                arguments=("--through", through),
                advice=advice.GATE,
            ),
            pulumi.ResourceOptions(parent=self, depends_on=[*args.place.ready, self.roles]),
        )
