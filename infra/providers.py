"""The providers, made explicitly: what a resource talks to never depends on the environment of whoever runs Pulumi."""

from __future__ import annotations

import pulumi
import pulumi_aws as aws
import pulumi_docker as docker

from infra.settings import Settings
from infra.tags import IGNORED_PREFIX, default_tags
from provider import resources


def providers(settings: Settings) -> pulumi.ResourceOptions:
    """Options that give a component AWS (with region and default tags), Docker and the release provider."""
    return pulumi.ResourceOptions(
        providers=[
            aws.Provider(
                "aws",
                region=settings.region,
                default_tags={"tags": default_tags(settings.project, settings.stack)},
                ignore_tags=aws.ProviderIgnoreTagsArgs(key_prefixes=[IGNORED_PREFIX]),
            ),
            docker.Provider("docker"),
            resources.Provider("bluegreen", resources.ProviderArgs(region=settings.region, endpoint=settings.endpoint)),
        ]
    )
