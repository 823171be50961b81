"""A command that runs to its end in the terminal of its caller, and ends with it."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType

from .console import say
from .project import ROOT


def call(command: Sequence[str], env: Mapping[str, str], *, stdin: int | None = subprocess.DEVNULL) -> int:
    """Run a command to its end, also when interrupted: tests and rehearsal stop the servers they have started.

    It gets no standard input unless it is given one: a tool that asks something must fail, not wait for somebody.
    """
    sys.stdout.flush()
    process = subprocess.Popen(command, cwd=ROOT, env=dict(env), stdin=stdin)  # noqa: S603 - ours
    with _forwarding_termination(process):
        try:
            return process.wait()
        except KeyboardInterrupt:  # the terminal has sent it to the command too
            say("tools: interrupted, waiting for what runs to stop (again: don't wait)")
            process.wait()
            raise


@contextmanager
def _forwarding_termination(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Turn a SIGTERM for this process into an interrupt of the command and of this process."""

    def stop(number: int, frame: FrameType | None) -> None:
        process.send_signal(signal.SIGINT)
        signal.default_int_handler(number, frame)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
