"""The inputs of `docker:index/image:Image`, and what of them this plugin can take."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from provider.rpc.messages import Failure
from provider.rpc.values import unknown

# Property of the image to the properties inside it; none for a plain value.
KNOWN: Mapping[str, tuple[str, ...]] = {
    "imageName": (),
    "build": ("context", "dockerfile", "platform", "args", "contextDigest"),
    "registry": ("server", "username", "password"),
    "skipPush": (),
    "buildOnPreview": (),
}
REGISTRY = ".dkr.ecr."


def failures(inputs: Mapping[str, Any]) -> Iterator[Failure]:
    """What in the inputs is unknown to this plugin, missing, or not what it can push to."""
    for name, value in inputs.items():
        if name not in KNOWN:
            reason = f"is not a property that the embedded AWS knows; known are {', '.join(KNOWN)}"
            yield Failure(property=name, reason=reason)
        elif KNOWN[name] and isinstance(value, Mapping):
            for inner in value:
                if inner not in KNOWN[name]:
                    reason = f"is not a property that the embedded AWS knows; known are {', '.join(KNOWN[name])}"
                    yield Failure(property=f"{name}.{inner}", reason=reason)
    image = inputs.get("imageName")
    if not image:
        yield Failure(property="imageName", reason="is required")
    elif not unknown(image) and not inputs.get("skipPush"):
        yield from _destination(str(image))


def _destination(image: str) -> Iterator[Failure]:
    host, _, rest = image.partition("/")
    if REGISTRY not in host or not rest:
        reason = f"found {image}; images of the embedded AWS go to ECR, <account>.dkr.ecr.<region>.amazonaws.com/<name>"
        yield Failure(property="imageName", reason=reason)
    elif "@" in rest:
        yield Failure(property="imageName", reason=f"found {image}; give a tag, the digest comes from the content")


def repository(image: str) -> tuple[str, str, str]:
    """Registry, repository and tag of an image's name; the tag is `latest` where none is given."""
    host, _, rest = image.partition("/")
    name, colon, tag = rest.rpartition(":")
    return (host, name, tag) if colon else (host, rest, "latest")


def region(registry: str) -> str:
    """The region in the name of an ECR registry."""
    return registry.split(REGISTRY, 1)[-1].split(".")[0]


def paths(build: Mapping[str, Any]) -> tuple[Path, Path]:
    """Context and Dockerfile, as docker reads them: the Dockerfile is `Dockerfile` in the context unless given."""
    context = Path(build.get("context") or ".")
    return context, Path(build.get("dockerfile") or context / "Dockerfile")
