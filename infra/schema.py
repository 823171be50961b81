"""The schema gate: what must have succeeded in the database before a task of the new image may serve."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from infra import advice
from infra.tasks import Place, migration
from provider import resources


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
            migration(args.place, "blue", args.migrate_task_definitions, "roles", identity, advice=advice.ROLES),
            pulumi.ResourceOptions(parent=self, depends_on=list(args.place.ready)),
        )
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
            pulumi.ResourceOptions(parent=self, depends_on=[*args.place.ready, self.roles]),
        )
        self.passed = self.expand
        self.revision = self.expand.result["revision"]
        self.register_outputs({"revision": self.revision})
