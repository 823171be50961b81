"""Processes that left their container's process group, as a daemon does that makes itself a session.

In a real container the kernel ends them with its first process. Here they are known by the task's own folder: every
process of the task has inherited its name in its environment.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import time
from pathlib import Path

LOG = logging.getLogger(__name__)
LOOK_SECONDS = 10.0  # for those that are being killed, or start, to be seen as what they are
_PAUSE_SECONDS = 0.005
_ENVIRONMENT = 50  # field of /proc/<pid>/stat, proc_pid_stat(5): where the environment begins; the next: where it ends


def end(folder: Path) -> list[int]:
    """Kill every process that has a folder, or one below it, in its environment; returns when none is left, and when
    its time is over, which the log says.

    It looks until a look finds none: one that is just being started may be forked behind a look, and has no environment
    for a moment while the kernel gives it its program.

    Args:
        folder: a task's own folder, or the folder of all of them.

    Returns:
        The processes that were killed.
    """
    marker = os.fsencode(folder)
    killed: set[int] = set()
    until = time.monotonic() + LOOK_SECONDS
    while True:
        found, starting = _look(marker)
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                killed.add(pid)
        if not (found or starting):
            return sorted(killed)
        if time.monotonic() > until:
            LOG.warning("processes of %s may still run after %.0f s: %s", folder, LOOK_SECONDS, found or "some start")
            return sorted(killed)
        time.sleep(_PAUSE_SECONDS)


def _look(marker: bytes) -> tuple[list[int], bool]:
    """The processes, and whether there is one of which it can't be said yet."""
    found, starting = [], False
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            environment = (entry / "environ").read_bytes()
            starting = starting or (not environment and _starts(entry))
        except OSError:  # it ended meanwhile, or is another user's
            continue
        if any(value.partition(b"=")[2].startswith(marker) for value in environment.split(b"\0")):
            found.append(int(entry.name))
    return found, starting


def _starts(entry: Path) -> bool:
    """Seen without an environment: is it a process that gets its program now, or did a moment ago? Raises OSError.

    A thread of the kernel and a process that has ended have no program; one that was given no environment has a place
    of no length for it.
    """
    (entry / "exe").readlink()
    fields = (entry / "stat").read_bytes().rpartition(b")")[2].split()  # the third field is the first of these
    begin, after = fields[_ENVIRONMENT - 3 : _ENVIRONMENT - 1]
    return begin != after or after == b"0"
