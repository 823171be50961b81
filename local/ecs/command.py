"""What a container runs: image, container definition and overrides put together as Docker and ECS do."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.contracts import Image
from local.ecs.errors import StartFailure

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, kw_only=True)
class Command:
    """The program of a container, ready to be started.

    Attributes:
        program: the file to execute.
        argv: its arguments; the first is the name it is called by.
        directory: the working directory, on the host.
    """

    program: str
    argv: tuple[str, ...]
    directory: Path


def environment(
    image: Image,
    definition: Mapping[str, Any],
    override: Mapping[str, Any],
    secrets: Mapping[str, str],
    given: Mapping[str, str],
) -> dict[str, str]:
    """All of a container's environment; what comes later wins.

    Args:
        image: its ENV comes first.
        definition: the container definition.
        override: the container override of RunTask.
        secrets: the values of the definition's `secrets`.
        given: what the agent adds: the task's address (`HOST`), its own folder (`HOME`, `TMPDIR`), region and so on.
    """
    result = {"PATH": DEFAULT_PATH, **given, **image.environment}
    result.update({one["name"]: one.get("value", "") for one in definition.get("environment") or ()})
    result.update(secrets)
    result.update({one["name"]: one.get("value", "") for one in override.get("environment") or ()})
    # The address is the task's network: nothing of the image or the definition may move the task to another one.
    result["HOST"] = given["HOST"]
    return result


def command(
    image: Image, definition: Mapping[str, Any], override: Mapping[str, Any], env: Mapping[str, str]
) -> Command:
    """The program and arguments of a container.

    Raises:
        StartFailure: nothing to run, no such program, or no such working directory, as the container runtime says it.
    """
    name = str(definition["name"])
    entrypoint = definition.get("entryPoint") or image.entrypoint
    # An entry point of the definition's own drops the image's CMD, as `docker run --entrypoint` does.
    own = override.get("command") or definition.get("command")
    rest = own if own is not None else (() if definition.get("entryPoint") else image.command)
    argv: tuple[str, ...] = (*entrypoint, *rest)
    if not argv:
        raise StartFailure("CannotStartContainerError: no command specified", name)
    directory = in_image(image.rootfs, definition.get("workingDirectory") or image.workdir or "/")
    if not directory.is_dir():
        raise StartFailure(f"CannotStartContainerError: no such working directory in the image: {directory}", name)
    return Command(program=_program(image.rootfs, argv, directory, env, name), argv=argv, directory=directory)


def in_image(rootfs: Path, path: str) -> Path:
    """Where a path of the image lies on the host. It cannot lead out of the image."""
    return rootfs / os.path.normpath("/" + path).lstrip("/")


def _program(rootfs: Path, argv: Sequence[str], directory: Path, env: Mapping[str, str], name: str) -> str:
    asked = argv[0]
    if asked.startswith("/"):
        # No chroot: the image's own file first, then the host's, since an image made without an engine has no /bin.
        candidates = [str(in_image(rootfs, asked)), asked]
    elif "/" in asked:
        candidates = [str(directory / asked)]
    else:
        found = shutil.which(asked, path=env.get("PATH", DEFAULT_PATH))
        candidates = [found] if found else []
    for candidate in candidates:
        if Path(candidate).is_file() and os.access(candidate, os.X_OK):
            return candidate
    where = "no such file or directory" if "/" in asked else "executable file not found in $PATH"
    raise StartFailure(
        "CannotStartContainerError: failed to create task for container: failed to create shim task: OCI runtime "
        f'create failed: runc create failed: unable to start container process: exec: "{asked}": {where}: unknown',
        name,
    )
