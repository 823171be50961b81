"""`make preview`, `make up` and `make destroy`: Pulumi on one stack, with the embedded AWS for the stack `local`."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from . import cli
from .env import environment
from .project import ROOT, ToolError, python, runs_embedded_aws

LOCAL = "local"  # the stack of the embedded AWS


def run(operation: str, stack: str, arguments: Sequence[str]) -> NoReturn:
    """Become ``pulumi OPERATION`` on the stack.

    Raises:
        ToolError: for a stack without settings, or when the embedded AWS does not start.
    """
    settings(stack)
    if stack == LOCAL:
        _start_embedded()
    env = environment(local=stack == LOCAL)
    pulumi = str(cli.path())
    _call([pulumi, "stack", "select", "--create", stack, "--non-interactive"], env)
    command = [pulumi, operation, "--stack", stack, *arguments]
    if not sys.stdin.isatty() and operation != "preview":
        command.append("--yes")  # nobody is there to ask: whoever calls this in a script has decided
    # The engine takes over this process: an interrupt or a Jenkins abort then reaches it, and once only.
    sys.stdout.flush()
    os.chdir(ROOT)
    os.execve(pulumi, command, env)  # noqa: S606 - no shell is wanted


def settings(stack: str) -> Path:
    """The stack's settings file.

    Raises:
        ToolError: when there is none; names those there are.
    """
    file = ROOT / f"Pulumi.{stack}.yaml"
    if not stack or not file.exists():
        stacks = sorted(path.name.split(".")[1] for path in ROOT.glob("Pulumi.*.yaml"))
        raise ToolError(
            f"STACK={stack}: found no Pulumi.{stack}.yaml, expected one of {', '.join(stacks) or 'none yet'}"
        )
    return file


def _start_embedded() -> None:
    if not runs_embedded_aws():
        raise ToolError("STACK=local: the embedded AWS needs Linux; use STACK=dev with an AWS account")
    _call([str(python()), "-m", "local", "start"], dict(os.environ))


def _call(command: Sequence[str], env: dict[str, str]) -> None:
    done = subprocess.run(command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, check=False)  # noqa: S603 - ours
    if done.returncode != 0:
        raise ToolError(f"`{' '.join(command)}` failed with exit code {done.returncode}")
