"""Processes that left their container's process group, as a daemon does that makes itself a session.

In a real container the kernel ends them with its first process. Here they are known by the task's own folder: every
process of the task has inherited its name in its environment.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path


def end(folder: Path) -> list[int]:
    """Kill every process that has a folder, or one below it, in its environment.

    Args:
        folder: a task's own folder, or the folder of all of them.

    Returns:
        The processes that were killed.
    """
    killed = []
    for pid in _of(os.fsencode(folder)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            killed.append(pid)
    return killed


def _of(marker: bytes) -> Iterator[int]:
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            environment = (entry / "environ").read_bytes()
        except OSError:  # it ended meanwhile, or is another user's
            continue
        if any(value.partition(b"=")[2].startswith(marker) for value in environment.split(b"\0")):
            yield int(entry.name)
