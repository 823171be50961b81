"""Run a command so that an abort of the build reaches it exactly once: ``stop_once.py COMMAND ...``

Jenkins aborts a step by SIGTERM to every process whose environment carries the build's cookie, children before their
parents, and again to what is still there seconds later. Pulumi's engine would lose its plugins first, and take the
second signal as "stop at once", which leaves a shift of traffic half done. So the engine runs outside that tree: in a
session of its own, the child of a process Jenkins does not know, without the cookie. Only this process, which Jenkins
does see, turns the first SIGTERM or SIGINT into one SIGINT for the engine, ignores the others, and ends when the engine
does, with its exit code.

Jenkins gives up waiting about 15 seconds after the abort and then frees the lock of the stack. Putting weights back is
bounded below that; if it took longer all the same, the lock in Pulumi's state still keeps the next build out.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

COOKIES = ("JENKINS_SERVER_COOKIE", "JENKINS_NODE_COOKIE", "BUILD_ID")  # by any of these Jenkins finds its processes
NOT_STARTED = 127  # the shell's exit code for a command that is not there


class Relay:
    """Passes the first signal on to the engine, as soon as there is one."""

    def __init__(self) -> None:
        self._engine: int | None = None
        self._asked = False
        self._sent = False

    def on_signal(self, _number: int, _frame: FrameType | None) -> None:
        """Note that an end was asked for; signal handler."""
        self._asked = True
        self._send()

    def engine_is(self, pid: int) -> None:
        """Take note of the engine; a signal that came before is passed on now."""
        self._engine = pid
        self._send()

    def _send(self) -> None:
        if not self._asked or self._sent or self._engine is None:
            return
        self._sent = True
        sys.stderr.write("stop_once: asked to stop, sending one interrupt and waiting for the command to end\n")
        sys.stderr.flush()
        try:
            os.kill(self._engine, signal.SIGINT)
        except ProcessLookupError:
            return


def main(command: Sequence[str]) -> int:
    """Run the command. Returns its exit code, 128 + N when signal N ended it."""
    relay = Relay()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, relay.on_signal)
    read, write = os.pipe()
    environment = {name: value for name, value in os.environ.items() if name not in COOKIES}
    supervisor = [sys.executable, str(Path(__file__).resolve()), "--supervise", str(write), *command]
    middle = subprocess.Popen(  # noqa: S603 - the command is what the Jenkinsfile asks for
        supervisor, env=environment, pass_fds=[write], start_new_session=True
    )
    os.close(write)
    middle.wait()
    with os.fdopen(read) as told:
        pid = told.readline().strip()
        if pid.isdigit():
            relay.engine_is(int(pid))
        code = told.readline().strip()
    if not code:
        sys.stderr.write("stop_once: whoever watched the command was killed; look whether it still runs\n")
        return 1
    return int(code) if int(code) >= 0 else 128 - int(code)


def supervise(descriptor: int, command: Sequence[str]) -> None:
    """Run the command as a grandchild of ``main``; tell its process id, then its exit code, a line each."""
    if os.fork() != 0:
        os._exit(0)  # whoever looks for the children of `main` finds none
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    try:
        engine = subprocess.Popen(command)  # noqa: S603 - the command is what the Jenkinsfile asks for
    except OSError as error:
        sys.stderr.write(f"stop_once: {command[0]} does not start: {error.strerror}\n")
        _tell(descriptor, "none")
        _tell(descriptor, str(NOT_STARTED))
        return
    _tell(descriptor, str(engine.pid))
    _tell(descriptor, str(engine.wait()))


def _tell(descriptor: int, line: str) -> None:
    try:
        os.write(descriptor, f"{line}\n".encode())
    except BrokenPipeError:  # `main` was killed; the command is not to suffer for it
        return


if __name__ == "__main__":
    if sys.argv[1:2] == ["--supervise"]:
        supervise(int(sys.argv[2]), sys.argv[3:])
    elif sys.argv[1:]:
        sys.exit(main(sys.argv[1:]))
    else:
        sys.exit("stop_once: found no command, expected stop_once.py COMMAND ...")
