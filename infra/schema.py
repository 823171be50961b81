"""The schema gate: what must have succeeded in the database before a task of the new image may serve."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from infra import advice
from infra.tasks import Place, migration
from provider import resources


@dataclass(frozen=True, kw_only=True)
class SchemaGateArgs:
    """`database_identity` changes when the database or the application's password becomes another one.

    adopt: the expand revision through which a database that something else made is taken over, or None.
    """

    place: Place
    release: resources.Release
    migrate_task_definitions: resources.Colors
    database_identity: pulumi.Input[str]
    adopt: str | None = None


class SchemaGate(pulumi.ComponentResource):
    """`bluegreen:infra:SchemaGate`: roles in the database, perhaps its adoption, then expand (or check).

    All but the roles run in the image that is to be released. Outputs: revision. `passed` is what must have succeeded
    before a task of that image may serve.
    """

    roles: resources.TaskRun
    adopt: resources.TaskRun | None
    expand: resources.TaskRun
    passed: pulumi.Resource
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
        self.passed = self.expand
        self.revision = self.expand.result["revision"]
        self.register_outputs({"revision": self.revision})

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
