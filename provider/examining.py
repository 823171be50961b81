"""The examination of the schema, in a process of its own.

It starts a PostgreSQL as another user, which means a fork: that is not safe beside the threads of gRPC. And whatever
happens there, or how long it takes, the plugin goes on.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from migrations.errors import BadTreeError, LintRefusedError
from provider.facts import PROJECT, Facts
from provider.work import Work

COMMAND: Final = (sys.executable, "-m", "preview.examine")
SECONDS: Final = 60.0
STOP_SECONDS: Final = 15.0  # its PostgreSQL is stopped and its folder removed
POLL_SECONDS: Final = 0.05
REFUSED: Final = {int(kind.exit): kind for kind in (BadTreeError, LintRefusedError)}

Examine = Callable[[Path, Facts | None], Mapping[str, Any]]


class ExaminingError(Exception):
    """It did not get to an end; one line."""


def examiner(work: Work, command: Sequence[str] = COMMAND, seconds: float = SECONDS) -> Examine:
    """Examines a tree against facts. Raises BadTreeError, LintRefusedError, ModuleNotFoundError, ExaminingError."""

    def examine(tree: Path, facts: Facts | None) -> Mapping[str, Any]:
        with tempfile.TemporaryDirectory() as folder:
            given, out, err = (Path(folder, name) for name in ("facts", "out", "err"))
            given.write_text(json.dumps(facts or {}))
            with out.open("wb") as printed, err.open("wb") as said:
                process = subprocess.Popen(  # noqa: S603 - our own module
                    [*command, "--tree", str(tree), "--facts", str(given)],
                    cwd=PROJECT, stdin=subprocess.DEVNULL, stdout=printed, stderr=said,
                )  # fmt: skip
                try:
                    code = _wait(process, work, seconds)
                finally:
                    _stop(process)
            return _answer(code, out.read_text(), err.read_text(errors="replace"))

    return examine


def _wait(process: subprocess.Popen[bytes], work: Work, seconds: float) -> int:
    end = time.monotonic() + seconds
    while (code := process.poll()) is None:
        if work.cancelled.wait(POLL_SECONDS):
            raise ExaminingError("canceled")
        if time.monotonic() > end:
            raise ExaminingError(f"it took more than {seconds:.0f} s")
        work.tick("looking at the SQL of the release on a scratch PostgreSQL")
    return code


def _stop(process: subprocess.Popen[bytes]) -> None:
    """A termination lets it clean up. An interrupt may be ignored there: that is inherited, and build servers do it."""
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _answer(code: int, out: str, err: str) -> Mapping[str, Any]:
    said = ([line.strip() for line in err.splitlines() if line.strip()] or ["it said nothing"])[-1]
    if code in REFUSED:
        raise REFUSED[code](said)
    if missing := re.fullmatch(r"ModuleNotFoundError: No module named '([\w.]+)'", said):
        raise ModuleNotFoundError(said, name=missing[1])
    if code:
        raise ExaminingError(f"exit code {code}: {said}")
    try:
        found: Mapping[str, Any] = json.loads(out)
    except ValueError as error:
        raise ExaminingError(f"its answer is no JSON: {error}") from error
    return found
