"""The Pulumi CLI: one on PATH that will do, else the official download, else a build from its Go modules."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from . import build, download, locks, standin
from .console import say
from .project import PULUMI_VERSION, ToolError, cache

HOST = "pulumi-language-python"
INSTALL = "https://www.pulumi.com/docs/install/"


@dataclass(frozen=True, kw_only=True)
class Cli:
    """A Pulumi CLI that programs of this project run with."""

    path: Path
    version: str
    origin: str  # "PATH" or "cache"


def find() -> Cli | None:
    """The CLI to use, when there is one already."""
    return on_path() or in_cache()


def path() -> Path:
    """The executable to start; for tests and for everything that runs ``pulumi``.

    Raises:
        ToolError: when there is none yet.
    """
    cli = find()
    if cli is None:
        raise ToolError(f"no Pulumi CLI {PULUMI_VERSION} found on PATH or in {folder()}: run `make tools`")
    return cli.path


def ensure() -> tuple[Cli, bool]:
    """Get hold of a CLI. Returns it and whether anything had to be done for it.

    Raises:
        ToolError: when each way failed; says how each did.
    """
    cli = on_path()
    if cli is not None:
        return cli, False
    cli, made = in_cache(), False
    if cli is None:
        cli, made = _fetch(), True
    if standin.outdated(cli.path.parent):
        with _locked():
            standin.install(cli.path.parent)
        made = True
    return cli, made


def folder() -> Path:
    """Where the pinned version lies when it had to be downloaded or built."""
    return cache() / "pulumi" / PULUMI_VERSION


def in_cache() -> Cli | None:
    """The cached CLI. The folder appears there whole or not at all, so its presence is enough."""
    executable = folder() / "pulumi"
    if not os.access(executable, os.X_OK):
        return None
    return Cli(path=executable, version=PULUMI_VERSION, origin="cache")


def on_path() -> Cli | None:
    """The CLI on PATH, if it is new enough and its official Python host is there too."""
    return _examine_path()[0]


def _examine_path() -> tuple[Cli | None, str]:
    """The CLI on PATH that will do, or why there is none."""
    found = shutil.which("pulumi")
    if found is None:
        return None, "none"
    executable = Path(found).resolve()
    if executable.is_relative_to(cache()):
        return None, "only the cached one"
    version = version_of(executable)
    if version is None:
        return None, f"{found} does not answer `pulumi version`"
    if not new_enough(version):
        return None, f"{found} is {version}"
    if not (executable.parent / HOST).exists() and shutil.which(HOST) is None:
        return None, f"{found} is {version}, but has no {HOST} beside it"
    return Cli(path=Path(found), version=version, origin="PATH"), ""


def version_of(executable: Path) -> str | None:
    """What ``pulumi version`` prints, without the leading v; None when it does not run."""
    environment = {**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true"}
    try:
        answer = subprocess.run(  # noqa: S603 - the executable was found on PATH or made by us
            [executable, "version"], capture_output=True, text=True, timeout=20, check=False, env=environment
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    text = answer.stdout.strip().removeprefix("v")
    return text if answer.returncode == 0 and numbers(text) is not None else None


def numbers(version: str) -> tuple[int, int, int] | None:
    """Major, minor and patch of a version; None when it is no version."""
    match = re.match(r"v?(\d+)\.(\d+)\.(\d+)(?:[-+].*)?$", version)
    return (int(match[1]), int(match[2]), int(match[3])) if match else None


def new_enough(version: str) -> bool:
    """At least the pinned version and of the same major one; a pre-release of the pinned version is older."""
    found, pinned = numbers(version), numbers(PULUMI_VERSION)
    if found is None or pinned is None or found[0] != pinned[0]:
        return False
    return found > pinned or (found == pinned and "-" not in version)


def _fetch() -> Cli:
    """Download or build the pinned version into the cache."""
    with _locked():
        cli = in_cache()
        if cli is not None:  # another process was faster
            return cli
        tried = [f"on PATH: {_examine_path()[1]}"]
        for way, get in sources():
            try:
                with _whole_folder() as scratch:
                    get(scratch)
                    _probe(scratch / "pulumi")
                    if standin.outdated(scratch):
                        standin.install(scratch)
            except ToolError as error:
                say(f"tools: Pulumi CLI {PULUMI_VERSION}, {way}: {error}")
                tried.append(f"{way}: {error}")
            else:
                return Cli(path=folder() / "pulumi", version=PULUMI_VERSION, origin="cache")
    raise ToolError(
        f"no Pulumi CLI {PULUMI_VERSION} to be had ({'; '.join(tried)}): install it ({INSTALL}), "
        f"or Go {build.GO_VERSION} or newer and run `make tools` again"
    )


def sources() -> list[tuple[str, Callable[[Path], None]]]:
    """The ways to get the pinned version, the better one first. Each fills a folder."""
    return [("download", download.fetch), ("build from Go modules", build.build)]


def _probe(executable: Path) -> None:
    version = version_of(executable)
    if version != PULUMI_VERSION:
        raise ToolError(f"it answers `pulumi version` with {version}, expected {PULUMI_VERSION}")


@contextmanager
def _locked() -> Iterator[None]:
    with locks.exclusive(cache() / "pulumi" / "lock", "sets up the Pulumi CLI"):
        yield


@contextmanager
def _whole_folder() -> Iterator[Path]:
    """A scratch folder that becomes the cached one by a rename, so that a killed set-up leaves nothing half.

    Called under the lock, so a scratch folder that is there already was left by a killed process. The name is new each
    time: a compiler that outlived its set-up must not write into the folder of the next one.
    """
    for left in folder().parent.glob(".*.partial"):
        shutil.rmtree(left, ignore_errors=True)
    scratch = folder().with_name(f".{PULUMI_VERSION}.{os.getpid()}.partial")
    scratch.mkdir(parents=True)
    try:
        yield scratch
        shutil.rmtree(folder(), ignore_errors=True)  # without an executable in it, else it would have been used
        scratch.rename(folder())
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
