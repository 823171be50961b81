"""The images of one embedded AWS, and the references by which a task definition may name them.

Layout under the root:

    <hex digest>/rootfs/      the files of the image
    <hex digest>/image.json   its configuration, in the words of the OCI image specification
    references/<quoted>       one file for each pushed reference ("repo:tag", "repo@sha256:..."), holding the digest
    layers/<key>/             what the builder keeps between builds (see build.py)

An image is complete when its folder exists: it is moved there whole. A reference is replaced whole. So any number of
processes may read while another one builds or pushes.
"""

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from local.contracts import Image

ROOTFS, CONFIG = "rootfs", "image.json"
# Where the image's interpreter lies in its root file system, as in the official Python images.
BIN = "usr/local/bin"
HOST_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class ImageNotFound(LookupError):  # noqa: N818  (named as the ECS agent names it)
    """A reference that cannot be pulled; the message reads like the stoppedReason that ECS gives."""


class Images:
    """The store under one folder.

    Args:
        root: the folder; made when something is first put in.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, digest: str) -> Path:
        """The folder of an image, whether or not it is there.

        Args:
            digest: `sha256:` and 64 hex digits.
        """
        return self.root / digest.removeprefix("sha256:")

    def has(self, digest: str) -> bool:
        """True when the image of this digest is complete."""
        return (self.folder(digest) / CONFIG).is_file()

    def resolve(self, reference: str) -> Image:
        """The image behind a reference as a task definition writes it.

        Args:
            reference: `repository:tag` or `repository@sha256:...`, with the registry's name before it.

        Raises:
            ImageNotFound: never pushed under this reference, or its content is gone.
        """
        reference = with_tag(reference)
        try:
            digest = self._reference_file(reference).read_text().strip()
            config = json.loads((self.folder(digest) / CONFIG).read_text())
        except FileNotFoundError:
            raise ImageNotFound(
                f"CannotPullContainerError: pull image manifest has been retried 1 time(s): "
                f"failed to resolve ref {reference}: {reference}: not found"
            ) from None
        return _image(digest, self.folder(digest) / ROOTFS, config)

    def tag(self, reference: str, digest: str) -> None:
        """Let a reference name an image; an earlier meaning of the same tag is replaced.

        Raises:
            ImageNotFound: no image of that digest is in the store.
        """
        if not self.has(digest):
            raise ImageNotFound(f"cannot push {reference}: no image {digest} in {self.root}; build it first")
        file = self._reference_file(with_tag(reference))
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=file.parent, prefix=".", delete=False) as draft:
            draft.write(digest + "\n")
        Path(draft.name).replace(file)

    def configuration(self, digest: str) -> dict[str, Any]:
        """What `image.json` says of an image that is there."""
        config: dict[str, Any] = json.loads((self.folder(digest) / CONFIG).read_text())
        return config

    def _reference_file(self, reference: str) -> Path:
        return self.root / "references" / quote(reference, safe="")


def with_tag(reference: str) -> str:
    """The reference with `:latest` where neither a tag nor a digest is given, as Docker reads it."""
    if "@" in reference or ":" in reference.rsplit("/", 1)[-1]:
        return reference
    return reference + ":latest"


def _image(digest: str, rootfs: Path, config: Mapping[str, Any]) -> Image:
    rootfs = rootfs.absolute()
    environment = dict(config["Env"])
    # A task runs on the host, so its PATH begins with the image's programs where they lie on the host.
    environment["PATH"] = f"{rootfs / BIN}{os.pathsep}{HOST_PATH}"
    return Image(
        digest=digest,
        rootfs=rootfs,
        command=tuple(config["Cmd"]),
        entrypoint=tuple(config["Entrypoint"]),
        workdir=config["WorkingDir"],
        environment=environment,
        stop_signal=config["StopSignal"],
    )
