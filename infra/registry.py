"""The image repository, and the image built from the tree."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_aws as aws
import pulumi_docker as docker

PLATFORMS: Final = {"X86_64": "linux/amd64", "ARM64": "linux/arm64"}
# Tagged images are versions, and any of them may be live or the target of a rollback. ECR can't know which, so only
# what no tag names any more (a push that was cut off) is ever removed.
LIFECYCLE: Final = {
    "rules": [
        {
            "rulePriority": 1,
            "description": "What no version names",
            "selection": {
                "tagStatus": "untagged",
                "countType": "sinceImagePushed",
                "countUnit": "days",
                "countNumber": 14,
            },
            "action": {"type": "expire"},
        }
    ]
}


@dataclass(frozen=True, kw_only=True)
class RegistryArgs:
    """`prefix` is the repository's name.

    tree_version: the version of what `context` holds now, and the image's tag. build: whether that is the version
    that is wanted; if not, an image that was built before stays as it is and nothing is built.
    """

    prefix: str
    context: str
    dockerfile: str
    architecture: str
    tree_version: str
    build: bool
    protect: bool


class Registry(pulumi.ComponentResource):
    """`bluegreen:infra:Registry`: ECR repository (tags never move), its lifecycle policy, and the image.

    Outputs: repository_name, repository_arn, account_id, and image: "repository@sha256:..." of tree_version, or None
    when another version is wanted.
    """

    repository: aws.ecr.Repository
    image: pulumi.Output[str] | None
    repository_name: pulumi.Output[str]
    repository_arn: pulumi.Output[str]
    account_id: pulumi.Output[str]

    def __init__(self, name: str, args: RegistryArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("bluegreen:infra:Registry", name, {}, opts)
        self._name = name
        self.repository = aws.ecr.Repository(
            name,
            name=args.prefix,
            image_tag_mutability="IMMUTABLE",
            image_scanning_configuration={"scan_on_push": True},
            force_delete=not args.protect,
            opts=pulumi.ResourceOptions(parent=self, protect=args.protect),
        )
        aws.ecr.LifecyclePolicy(
            name,
            repository=self.repository.name,
            policy=json.dumps(LIFECYCLE, sort_keys=True),
            opts=pulumi.ResourceOptions(parent=self),
        )
        built = self._image(args)
        self.image = built.repo_digest if args.build else None
        self.repository_name = self.repository.name
        self.repository_arn = self.repository.arn
        self.account_id = self.repository.registry_id
        self.register_outputs({"repositoryName": self.repository_name, "image": self.image})

    def _image(self, args: RegistryArgs) -> docker.Image:
        token = aws.ecr.get_authorization_token_output(opts=pulumi.InvokeOptions(parent=self))
        return docker.Image(
            self._name,
            image_name=pulumi.Output.concat(self.repository.repository_url, ":", args.tree_version),
            build=docker.DockerBuildArgs(
                context=args.context,
                dockerfile=f"{args.context}/{args.dockerfile}",
                platform=PLATFORMS[args.architecture],
            ),
            registry=docker.RegistryArgs(
                server=self.repository.repository_url,
                username=token.user_name,
                password=pulumi.Output.secret(token.password),
            ),
            # Declared also when an older version is wanted, so that it stays; and then deaf to changes of the tree,
            # so that a rollback never waits for a build.
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=[] if args.build else ["build", "imageName"]),
        )
