"""Starting each part once, on its own, where its error can be read.

The engine hides what a plugin prints when it dies at start, and shows a misleading traceback instead.
"""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from . import cli, venv
from .console import Command, say
from .env import embedded, environment
from .project import ROOT, VENV, ToolError, machine, python, runs_embedded_aws

START_SECONDS = 20.0  # a plugin prints its port in well under a second; a cold disk may take longer
NO_ENGINE = "127.0.0.1:1"  # plugins take the engine's address, and call it only when they have something to log


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing looked at. ``ok`` is None where it is not needed or can't be judged here."""

    thing: str
    ok: bool | None
    detail: str


def examine() -> list[Finding]:
    """Look at everything, in the order in which a run needs it."""
    return list(_examine())


def _examine() -> Iterator[Finding]:
    yield _platform()
    yield _packages()
    found = cli.find()
    if found is None:
        yield Finding(thing="Pulumi CLI", ok=False, detail="none: run `make tools`")
        return
    yield _pulumi(found)
    yield language_host(found)
    env = environment()
    launcher = ROOT / "provider" / "pulumi-resource-bluegreen"
    yield plugin("bluegreen plugin", [launcher, NO_ENGINE], env)
    yield from _embedded_plugins(env)
    yield _java()


def require(finding: Finding) -> None:
    """Raise ``ToolError`` unless the finding is good."""
    if finding.ok is False:
        raise ToolError(f"{finding.thing}: {finding.detail}")


def report(findings: Iterable[Finding]) -> int:
    """Print the findings. Returns the exit code: 1 when something is wrong."""
    words = {True: "ok  ", False: "BAD ", None: "-   "}
    code = 0
    for finding in findings:
        say(f"{words[finding.ok]} {finding.thing}: {finding.detail}")
        code = max(code, int(finding.ok is False))
    return code


def language_host(found: cli.Cli) -> Finding:
    """Start the Python language host the way the engine does."""
    beside = found.path.resolve().parent / cli.HOST
    host = beside if beside.exists() else Path(shutil.which(cli.HOST) or beside)
    return plugin("Python language host", [host, NO_ENGINE], environment(local=False))


def plugin(thing: str, command: Command, env: Mapping[str, str]) -> Finding:
    """Start a plugin in the project's folder and wait for the port it prints; then end it."""
    started = time.monotonic()
    with tempfile.TemporaryFile() as errors:
        try:
            process = subprocess.Popen(  # noqa: S603 - the commands are this module's own
                [str(part) for part in command],
                cwd=ROOT,
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
            )
        except OSError as error:
            return Finding(thing=thing, ok=False, detail=f"{command[0]} does not start: {error.strerror}")
        line = _first_line(process)
        process.kill()
        code = process.wait()
        if line.strip().isdigit():
            return Finding(thing=thing, ok=True, detail=f"started in {time.monotonic() - started:.2f} s ({command[0]})")
        errors.seek(0)
        said = errors.read().decode(errors="replace").strip().splitlines()
    reason = said[-1] if said else f"exit code {code}, nothing on stderr"
    return Finding(thing=thing, ok=False, detail=f"{command[0]} printed no port: {reason}")


def _first_line(process: subprocess.Popen[bytes]) -> str:
    """The first line of its standard output; what there is of it when it ends or takes too long."""
    deadline = time.monotonic() + START_SECONDS
    text = b""
    with process.stdout or open(os.devnull, "rb") as stream:  # noqa: PTH123 - stdout is a pipe, see Popen
        while b"\n" not in text and (left := deadline - time.monotonic()) > 0:
            if not select.select([stream], [], [], left)[0]:
                break
            chunk = os.read(stream.fileno(), 4096)
            if not chunk:
                break
            text += chunk
    return text.decode(errors="replace").split("\n")[0]


def _platform() -> Finding:
    system, processor = machine()
    if runs_embedded_aws():
        return Finding(thing="platform", ok=True, detail=f"{system} {processor}")
    return Finding(thing="platform", ok=None, detail=f"{system} {processor}: AWS only, the embedded AWS needs Linux")


def _packages() -> Finding:
    thing = "packages"
    if not python().exists():
        return Finding(thing=thing, ok=False, detail="no virtual environment: run `make tools`")
    if not venv.current(venv.AWS_ONLY):
        return Finding(thing=thing, ok=False, detail="not those of requirements.lock: run `make tools`")
    if not venv.current(venv.LOCK):
        return Finding(thing=thing, ok=True, detail="requirements.txt, without the embedded AWS (`make tools` adds it)")
    return Finding(thing=thing, ok=True, detail=f"as locked, in {VENV}")


def _pulumi(found: cli.Cli) -> Finding:
    version = cli.version_of(found.path)
    if version is None:
        return Finding(thing="Pulumi CLI", ok=False, detail=f"{found.path} does not answer `pulumi version`")
    return Finding(thing="Pulumi CLI", ok=True, detail=f"{version} from {found.origin} ({found.path})")


def _embedded_plugins(env: Mapping[str, str]) -> Iterator[Finding]:
    folder = embedded(env).get("PULUMI_HOME")
    if folder is None:
        yield Finding(thing="embedded AWS", ok=None, detail="not started (`make local` starts it)")
        return
    for launcher in sorted(Path(folder, "plugins").glob("resource-*/pulumi-resource-*")):
        yield plugin(f"{launcher.name.removeprefix('pulumi-resource-')} plugin", [launcher, NO_ENGINE], env)


def _java() -> Finding:
    missing = [name for name in ("java", "mvn") if shutil.which(name) is None]
    if missing:
        detail = f"no {' and no '.join(missing)} on PATH: the Jenkinsfile is not parsed in the tests"
        return Finding(thing="Java and Maven", ok=None, detail=detail)
    return Finding(thing="Java and Maven", ok=True, detail="there")
