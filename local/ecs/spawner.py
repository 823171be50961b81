"""The one thread that starts processes.

The kernel sends a process the signal it asked for when the *thread* that made it ends, not the process. So all
containers are made by a thread that lives as long as the daemon.
"""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

LAUNCHER = Path(__file__).with_name("launch.py")


@dataclass(frozen=True, kw_only=True)
class Launch:
    """What a container's process is started from.

    Attributes:
        program: the file to execute.
        argv: the arguments, the first of them the name the program is called by.
        environment: all of its environment.
        directory: its working directory.
        output: a file descriptor that takes stdout and stderr; by default they go nowhere.
    """

    program: str
    argv: Sequence[str]
    environment: Mapping[str, str]
    directory: Path
    output: int = subprocess.DEVNULL


class Spawner:
    """Starts processes, each in a session of its own, that die with this process."""

    def __init__(self) -> None:
        self._requests: queue.SimpleQueue[tuple[Launch, Future[subprocess.Popen[bytes]]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="ecs-spawner", daemon=True)

    def start(self) -> None:
        """Begin to take requests."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread, and with it, by the kernel's hand, every process it made that still runs."""
        self._requests.put(None)
        self._thread.join()

    def spawn(self, launch: Launch) -> subprocess.Popen[bytes]:
        """Start a process; returns when the program itself runs.

        Raises:
            OSError: with the errno of the start that failed (no such program, not executable, no such folder).
        """
        answer: Future[subprocess.Popen[bytes]] = Future()
        self._requests.put((launch, answer))
        return answer.result()

    def _work(self) -> None:
        while (request := self._requests.get()) is not None:
            launch, answer = request
            try:
                answer.set_result(_start(launch))
            except Exception as error:  # whatever it is belongs to the one who asked, and this thread must not end
                answer.set_exception(error)


def _start(launch: Launch) -> subprocess.Popen[bytes]:
    status, report = os.pipe()
    try:
        command = [
            sys.executable,
            "-I",
            "-S",
            str(LAUNCHER),
            str(report),
            str(os.getpid()),
            launch.program,
            *launch.argv,
        ]
        process = subprocess.Popen(  # noqa: S603  (the task's own command, in exec form)
            command,
            cwd=launch.directory,
            env=dict(launch.environment),
            stdin=subprocess.DEVNULL,
            stdout=launch.output,
            stderr=launch.output,
            start_new_session=True,
            pass_fds=(report,),
        )
    except BaseException:
        os.close(status)
        raise
    finally:
        os.close(report)
    with os.fdopen(status, "rb") as reader:
        failed = reader.read()
    if failed:
        process.wait()
        number = int(failed)
        raise OSError(number, os.strerror(number), launch.program)
    return process
