"""`make preview`, `make up` and `make destroy`: Pulumi on one stack, with the embedded AWS for the stack `local`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from . import cli, previews, ups
from .env import environment
from .project import LOCAL, ROOT, ToolError, python, runs_embedded_aws

VARIABLE = "PULUMI_CONFIG_PASSPHRASE"
VARIABLES = (VARIABLE, f"{VARIABLE}_FILE")


def run(operation: str, stack: str, arguments: Sequence[str]) -> int:
    """Become ``pulumi OPERATION`` on the stack. A preview, and an update in a script, is run to its end: there is
    something to do after it.

    Raises:
        ToolError: for a stack without settings, for a passphrase that does not open them, or when the embedded AWS
            does not start.
    """
    file = settings(stack)
    if stack == LOCAL:
        _start_embedded()
    env = environment(local=stack == LOCAL)
    pulumi = str(cli.path())
    _select(pulumi, stack, file, env)
    _check_passphrase(pulumi, stack, file, env)
    command = [pulumi, operation, "--stack", stack, *arguments]
    if operation == "preview":
        return previews.run(command, env, stack)
    if not sys.stdin.isatty():
        command.append("--yes")  # nobody is there to ask: whoever calls this in a script has decided
        if operation == "up":
            return ups.run(command, env)
    return _become(command, env)


def _become(command: Sequence[str], env: Mapping[str, str]) -> NoReturn:
    """The engine takes over this process: an interrupt or a Jenkins abort then reaches it, and once only."""
    sys.stdout.flush()
    os.chdir(ROOT)
    os.execve(command[0], list(command), env)  # noqa: S606 - no shell is wanted


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


def _select(pulumi: str, stack: str, file: Path, env: Mapping[str, str]) -> None:
    """Make the stack the current one, and make it if there is none."""
    done = _ask([pulumi, "stack", "select", "--create", stack, "--non-interactive"], env)
    if done.returncode != 0:
        said = _last_line(done)
        if "passphrase" in said.lower():
            raise ToolError(_wrong_passphrase(file, env, said))
        raise ToolError(f"`pulumi stack select --create {stack}` failed with exit code {done.returncode}: {said}")
    sys.stdout.write(done.stdout)
    sys.stderr.write(done.stderr)


def _check_passphrase(pulumi: str, stack: str, file: Path, env: Mapping[str, str]) -> None:
    """Find out that the passphrase is wrong before Pulumi takes over.

    No command of the CLI only checks it; but encrypting needs the right one, so encrypt something in a copy.
    """
    given = any(name in env for name in VARIABLES)
    if "encryptionsalt:" not in file.read_text() or (not given and sys.stdin.isatty()):  # then Pulumi asks for it
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = shutil.copy(file, folder)
        probe = ["config", "set", "--secret", "bluegreen:probe", "x", "--stack", stack, "--config-file", copy]
        done = _ask([pulumi, *probe, "--non-interactive"], env)
    if done.returncode != 0 and "passphrase" in _last_line(done).lower():
        raise ToolError(_wrong_passphrase(file, env, _last_line(done)))


def _wrong_passphrase(file: Path, env: Mapping[str, str], said: str) -> str:
    given = [name for name in VARIABLES if name in env]
    found = f"{given[0]} is set and is not the passphrase of" if given else f"{VARIABLE} is not set, which opens"
    return (
        f"{found} {file.name} (its encryptionsalt), expected the one the stack was made with: export {VARIABLE} or "
        f"{VARIABLE}_FILE with it and repeat; nothing was changed (pulumi: {said})"
    )


def _ask(command: Sequence[str], env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - ours
        command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


def _last_line(done: subprocess.CompletedProcess[str]) -> str:
    lines = [line.strip() for line in f"{done.stdout}\n{done.stderr}".splitlines() if line.strip()]
    return lines[-1] if lines else "it printed nothing"


def _start_embedded() -> None:
    if not runs_embedded_aws():
        raise ToolError("STACK=local: the embedded AWS needs Linux; use STACK=dev with an AWS account")
    _call([str(python()), "-m", "local", "start"], dict(os.environ))


def _call(command: Sequence[str], env: dict[str, str]) -> None:
    done = subprocess.run(command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, check=False)  # noqa: S603 - ours
    if done.returncode != 0:
        raise ToolError(f"`{' '.join(command)}` failed with exit code {done.returncode}")
