"""squawk as a process: what it finds in SQL, and how it reads it. It gets SQL by stdin and writes nothing.

Whatever else it does than answer ends as LintRefusedError: SQL that was not looked at must not run.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from migrations.errors import LintRefusedError
from migrations.linting import syntax

PACKAGE = "squawk-cli"
SECONDS = 20.0  # it takes 0.01 s
_FOUND = 1  # its exit code where it finds something
_NOTHING_CHANGED = "nothing was changed"


@dataclass(frozen=True, kw_only=True)
class Raw:
    """One finding of squawk."""

    rule: str
    line: int  # from 0
    column: int
    message: str
    help: str


def find(sql: str, *, include: Sequence[str], exclude: Sequence[str], server: str) -> list[Raw]:
    """What it says of the SQL. `server`: PostgreSQL's version, such as `18.0`. Raises LintRefusedError."""
    arguments = ["--reporter", "json", "--pg-version", server]
    arguments += [f"--include={rule}" for rule in include] + [f"--exclude={rule}" for rule in exclude]
    printed = _run(arguments, sql, good=(0, _FOUND))
    try:
        return [_raw(found) for found in json.loads(printed)]
    except (ValueError, TypeError, KeyError) as error:
        raise LintRefusedError(
            f"migrations: lint: squawk's answer is not what was expected ({type(error).__name__}); expected a list of "
            f"findings as JSON from {PACKAGE} {_version()}; install the version of app/requirements.txt; "
            f"{_NOTHING_CHANGED}"
        ) from error


def parse(sql: str) -> syntax.Parsed:
    """The SQL as a tree. Raises LintRefusedError."""
    printed = _run(["--debug", "parse"], sql, good=(0,))
    try:
        return syntax.read(sql, printed)
    except syntax.SyntaxFormError as error:
        raise LintRefusedError(
            f"migrations: lint: squawk's parser answered {error}, expected the tree of {PACKAGE} {_version()}; install "
            f"the version of app/requirements.txt; {_NOTHING_CHANGED}"
        ) from error


@cache
def program() -> Path:
    """Where it was installed to. Raises LintRefusedError."""
    try:
        files = metadata.files(PACKAGE) or []
    except metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name in ("squawk", "squawk.exe"):
            return Path(str(file.locate())).resolve()
    raise LintRefusedError(
        f"migrations: lint: the package {PACKAGE} is not installed, expected it beside Alembic; install "
        f"app/requirements.txt (`make tools`, or build the image again); {_NOTHING_CHANGED}"
    )


def _run(arguments: Sequence[str], sql: str, good: Sequence[int]) -> str:
    command = [str(program()), *arguments, "--stdin-filepath", "revision.sql"]
    try:
        done = subprocess.run(  # noqa: S603  (the program of the package that the lock names)
            # From the root, and with nothing of this environment: no settings file of anybody is found.
            command, input=sql.encode(), capture_output=True, check=False, timeout=SECONDS, cwd="/", env={},
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise LintRefusedError(
            f"migrations: lint: squawk did not answer within {SECONDS:g} s, expected 0.01 s; run again, and look at "
            f"the machine's load; {_NOTHING_CHANGED}"
        ) from error
    except OSError as error:
        raise LintRefusedError(
            f"migrations: lint: squawk does not run here: {error.strerror} ({command[0]}); expected a Linux with glibc "
            f"2.28 or newer, or macOS; build the image from such a base; {_NOTHING_CHANGED}"
        ) from error
    if done.returncode not in good:
        # Its own words may quote the SQL, which is the project's and no row of anybody.
        told = " ".join(done.stderr.decode(errors="replace").split())[:200]
        raise LintRefusedError(
            f"migrations: lint: squawk ended with {done.returncode}, expected {' or '.join(map(str, good))}: "
            f"{told or 'it said nothing'}; {_NOTHING_CHANGED}"
        )
    return done.stdout.decode()


def _raw(found: dict[str, Any]) -> Raw:
    return Raw(
        rule=str(found["rule_name"]),
        line=int(found["line"]),
        column=int(found["column"]),
        message=" ".join(str(found["message"]).split()),
        help=" ".join(str(found.get("help") or "").split()),
    )


def _version() -> str:
    try:
        return metadata.version(PACKAGE)
    except metadata.PackageNotFoundError:
        return "(no version)"
