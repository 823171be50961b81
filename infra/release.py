"""The plan of a release as a component: which color gets which version, and where the weights go.

What follows from it: `schema` (the gate), `color` (task definitions and services), `cutover` (smoke test, shift, old
color, contract). Every arrow between them is a dependency in the graph. Nothing here runs anything; the `bluegreen`
provider does, when the engine comes to the resource.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from infra import containers
from infra.naming import Color
from provider import resources


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
