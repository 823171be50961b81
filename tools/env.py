"""The environment of Pulumi and the tests: the CLI and the packages first on PATH, the embedded AWS if it runs."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path

from . import cli
from .project import STATE, VENV, ToolError


def environment(base: Mapping[str, str] | None = None, *, local: bool = True) -> dict[str, str]:
    """A copy of the environment with the tools on PATH and, with ``local``, the embedded AWS that runs now.

    Raises:
        ToolError: when there is no CLI yet.
    """
    env = dict(os.environ if base is None else base)
    folders = [str(cli.path().parent), str(VENV / "bin"), *env.get("PATH", os.defpath).split(os.pathsep)]
    env["PATH"] = os.pathsep.join(dict.fromkeys(folders))
    env.setdefault("PULUMI_SKIP_UPDATE_CHECK", "true")
    if local:
        env.update(embedded(env))
    return env


def local_folder(env: Mapping[str, str]) -> Path:
    """The state folder of the embedded AWS.

    Raises:
        ToolError: when the variable that moves it is no absolute path.
    """
    value = env.get("BLUEGREEN_LOCAL_DIR")
    if not value:
        return STATE / "aws"
    if not Path(value).is_absolute():
        raise ToolError(
            f"BLUEGREEN_LOCAL_DIR is '{value}', expected an absolute path: unset it, or write it out in full"
        )
    return Path(value)


def embedded(env: Mapping[str, str]) -> dict[str, str]:
    """What the embedded AWS wrote down for its clients; empty when it is not started."""
    try:
        text = (local_folder(env) / "env").read_text()
    except FileNotFoundError:
        return {}
    return parse_exports(text)


def parse_exports(text: str) -> dict[str, str]:
    """The variables of a shell file that holds ``export NAME=value`` lines and nothing else."""
    found = {}
    for line in text.splitlines():
        words = shlex.split(line, comments=True)
        if len(words) == 2 and words[0] == "export":
            name, _, value = words[1].partition("=")
            found[name] = value
    return found


def exports(env: Mapping[str, str], base: Mapping[str, str]) -> str:
    """Shell lines that turn the environment ``base`` into ``env``."""
    changed = {name: value for name, value in env.items() if base.get(name) != value}
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in sorted(changed.items()))
