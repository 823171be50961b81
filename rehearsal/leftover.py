"""Ends the Pulumi run of a rehearsal that was killed: it would go on against the next one's state.

A pid may belong to another process by now, so the time at which it was started is kept beside it.
"""

from __future__ import annotations

import json
import os
import signal
from contextlib import suppress
from pathlib import Path

import psutil

_WAIT_SECONDS = 10


def remember(file: Path, pid: int) -> None:
    """Note a process that leads a session of its own."""
    with suppress(psutil.NoSuchProcess):  # over already
        file.write_text(json.dumps({"pid": pid, "created": psutil.Process(pid).create_time()}), encoding="utf-8")


def forget(file: Path) -> None:
    """It has ended."""
    file.unlink(missing_ok=True)


def end(file: Path) -> None:
    """Kill what was noted, with its session; nothing to do is no error."""
    process = _noted(file)
    if process is not None:
        family = [process, *process.children(recursive=True)]
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        for member in family:
            with suppress(psutil.NoSuchProcess):
                member.kill()
        psutil.wait_procs(family, timeout=_WAIT_SECONDS)
    forget(file)


def _noted(file: Path) -> psutil.Process | None:
    try:
        noted = json.loads(file.read_text(encoding="utf-8"))
        process = psutil.Process(int(noted["pid"]))
        same = abs(process.create_time() - float(noted["created"])) < 0.01
    except (OSError, ValueError, KeyError, TypeError, psutil.NoSuchProcess):
        return None
    return process if same else None
