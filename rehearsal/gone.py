"""Is anything left that runs? Processes that know a folder, and ports on which they listened."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterable
from pathlib import Path

import psutil

Address = tuple[str, int]
_LOOK_SECONDS = 5


def processes_of(folder: Path) -> list[psutil.Process]:
    """Processes that know the folder: by argument, environment or working folder.

    Not this one, and none at a terminal: that is a person who looks at the instance. All that the embedded AWS and
    the rehearsal start has no terminal.
    """
    return [process for process in psutil.process_iter() if _knows(process, str(folder))]


def told(processes: Iterable[psutil.Process]) -> list[str]:
    """The commands of those that still run, short."""
    found = []
    for process in processes:
        with contextlib.suppress(psutil.Error):
            found.append(f"process {process.pid} {' '.join(process.cmdline())[:120]}")
    return found


def listening(processes: Iterable[psutil.Process]) -> set[Address]:
    """Where they listen (TCP)."""
    pids = {process.pid for process in processes}
    return {
        (found.laddr.ip, found.laddr.port)
        for found in psutil.net_connections(kind="tcp")
        if found.pid in pids and found.status == psutil.CONN_LISTEN
    }


def outlive(processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    """Those that still run; gives them a moment, since one that was told to end has to be reaped."""
    return [process for process in psutil.wait_procs(set(processes), timeout=_LOOK_SECONDS)[1] if _alive(process)]


def open_still(addresses: Iterable[Address], folder: Path) -> list[Address]:
    """Those that still answer. One that a process of somebody else has taken in the meantime is not ours."""
    found = [address for address in sorted(addresses) if answers(address)]
    if not found:
        return []
    strangers = [process for process in psutil.process_iter() if process.pid != os.getpid()]
    taken = listening(process for process in strangers if not _knows(process, str(folder)))
    return [address for address in found if address not in taken]


def answers(address: Address) -> bool:
    """True unless the port is closed. Only a refused connection says so: silence is a process that hangs."""
    try:
        with socket.create_connection(address, timeout=_LOOK_SECONDS):
            return True
    except ConnectionRefusedError:
        return False
    except OSError:
        return True


def _knows(process: psutil.Process, folder: str) -> bool:
    with contextlib.suppress(psutil.Error, OSError):
        if process.pid == os.getpid() or not _alive(process) or process.terminal() is not None:
            return False
        return folder in "\0".join([*process.cmdline(), process.cwd(), *process.environ().values()])
    return False


def _alive(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    return False
