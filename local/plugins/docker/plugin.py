"""`docker:index/image:Image` without a Docker engine.

Check reads the Dockerfile and the context and puts the digest that they make into `build.contextDigest`, so a plan
shows that an image changes and what would be pushed, and nothing is built for it. Create and Update build and push.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from local.images.build import build
from local.images.dockerfile import DockerfileError
from local.images.recipe import Recipe, read
from local.images.store import ImageNotFound, Images
from local.plugins.aws.client import Clients, Refused
from local.plugins.docker.inputs import failures, paths, region, repository
from provider.rpc.base import Plugin
from provider.rpc.messages import Change, Checked, Difference, Fail, Failure, Found, Made, Request
from provider.rpc.values import UNKNOWN, unknown

IMAGE = "docker:index/image:Image"
DIGEST = "contextDigest"
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"


class Docker(Plugin):
    """Stands for pulumi-resource-docker on the embedded AWS."""

    name, version = "docker", "5.2.0"

    def __init__(self, engine_address: str = "") -> None:
        super().__init__(engine_address)
        self.clients = Clients()

    # Plans: nothing is built and nothing called --------------------------------------------------------------------

    def check(self, request: Request) -> Checked:
        _refuse_type(request)
        inputs = {key: value for key, value in request.inputs.items() if value is not None}
        found = list(failures(inputs))
        given = inputs.get("build")
        if not found and not unknown(given):
            try:
                inputs["build"] = {**(given or {}), DIGEST: _recipe(given or {}).digest}
            except DockerfileError as error:
                found.append(Failure(property="build", reason=str(error)))
        return Checked(inputs=inputs, failures=found)

    def diff(self, request: Request) -> Difference:
        _refuse_type(request)
        # The password of ECR is another one each time, so the registry alone never makes an update.
        # What was built is in the state; a run that ignored changes of the tree has new inputs and no new image.
        changes = {
            name: Change(kind="update" if name in request.state else "add")
            for name in ("imageName", "build")
            if _shown(request.state.get(name)) != _shown(request.inputs.get(name))
            and name not in request.ignore_changes
        }
        return Difference(changes=changes)

    # Work ----------------------------------------------------------------------------------------------------------

    def create(self, request: Request) -> Made:
        _refuse_type(request)
        if request.preview:
            return Made(state=_planned(request.inputs))
        state = self._built(request)
        return Made(id=state["repoDigest"] or state["imageName"], state=state)

    def update(self, request: Request) -> Made:
        if request.preview:
            return Made(state=_planned(request.inputs))
        return Made(state=self._built(request))

    def read(self, request: Request) -> Found | None:
        """The image as it was pushed; None where ECR has it no longer, so that the next run pushes it again."""
        _refuse_type(request)
        digest = str(request.state.get("repoDigest") or "")
        if "@" in digest:
            registry, name, _ = repository(digest.partition("@")[0])
            try:
                self.clients.call(
                    "ecr",
                    "describe_images",
                    region(registry),
                    repositoryName=name,
                    imageIds=[{"imageDigest": digest.partition("@")[2]}],
                )
            except Refused as refused:
                if refused.code in ("ImageNotFoundException", "RepositoryNotFoundException"):
                    return None
                raise
        return Found(id=request.id, state=request.state, inputs=request.old_inputs)

    def delete(self, request: Request) -> None:
        """Nothing: an image is deleted with its repository, as with Pulumi's own plugin."""

    def _built(self, request: Request) -> dict[str, Any]:
        inputs = request.inputs
        image, images = str(inputs["imageName"]), Images(_root() / "images")
        try:
            recipe = _recipe(inputs.get("build") or {})
            digest = build(images, recipe, lambda line: self.log.info(request.urn, line))
            state = {**inputs, "baseImageName": image, "repoDigest": ""}
            if not inputs.get("skipPush"):
                state["repoDigest"] = self._push(image, digest, images)
        except (DockerfileError, ImageNotFound) as error:
            raise Fail(str(error)) from error
        return state

    def _push(self, image: str, digest: str, images: Images) -> str:
        registry, name, tag = repository(image)
        try:
            self.clients.call(
                "ecr",
                "put_image",
                region(registry),
                repositoryName=name,
                imageTag=tag,
                imageManifest=_manifest(digest, images.configuration(digest)),
                imageManifestMediaType=MANIFEST_TYPE,
                imageDigest=digest,
            )
        except Refused as refused:
            if refused.code not in ("ImageAlreadyExistsException", "ImageTagAlreadyExistsException"):
                raise
            self._refuse_other(registry, name, tag, digest)
        pushed = f"{registry}/{name}@{digest}"
        for reference in (f"{registry}/{name}:{tag}", pushed):
            images.tag(reference, digest)
        return pushed

    def _refuse_other(self, registry: str, name: str, tag: str, digest: str) -> None:
        """A push that was done before is done; one under a tag that names another image is refused."""
        asked = {"repositoryName": name, "imageIds": [{"imageTag": tag}]}
        found = self.clients.call("ecr", "describe_images", region(registry), **asked)["imageDetails"]
        if not found or found[0]["imageDigest"] != digest:
            there = found[0]["imageDigest"] if found else "nothing"
            raise Fail(f"cannot push {digest} as {registry}/{name}:{tag}: tags never move there, and it names {there}")


def _planned(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """What a preview shows. The digest is known as soon as the repository's name is: it follows from the content."""
    image, digest = inputs["imageName"], (inputs.get("build") or {}).get(DIGEST, UNKNOWN)
    if inputs.get("skipPush"):
        pushed = ""
    elif unknown(image) or unknown(digest):
        pushed = UNKNOWN
    else:
        registry, name, _ = repository(str(image))
        pushed = f"{registry}/{name}@{digest}"
    return {**inputs, "baseImageName": image, "repoDigest": pushed}


def _recipe(given: Mapping[str, Any]) -> Recipe:
    context, dockerfile = paths(given)
    arguments = {name: str(value) for name, value in (given.get("args") or {}).items()}
    return read(context, dockerfile, arguments=arguments, platform_=str(given.get("platform") or ""))


def _shown(value: Any) -> Any:
    return json.dumps(value, sort_keys=True)


def _manifest(digest: str, configuration: Mapping[str, Any]) -> str:
    """What ECR keeps. There are no layers to pull: the image's content is a folder beside the embedded AWS."""
    blob = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest}
    size = len(json.dumps(configuration))
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST_TYPE, "config": {**blob, "size": size}, "layers": []}
    return json.dumps(manifest, sort_keys=True)


def _root() -> Path:
    found = os.environ.get("BLUEGREEN_LOCAL_DIR")
    if not found:
        raise Fail(
            "BLUEGREEN_LOCAL_DIR is not set: this docker plugin builds for the embedded AWS only. "
            'Run `make local`, then `eval "$(python -m local env)"`'
        )
    return Path(found)


def _refuse_type(request: Request) -> None:
    if request.type != IMAGE:
        raise Fail(f"the docker plugin of the embedded AWS does not know the type {request.type}")
