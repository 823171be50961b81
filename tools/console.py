"""Talking to the person at the terminal, and running long commands where they can see that something happens."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from .project import LOG, ToolError

Command = Sequence[str | Path]
PROGRESS_SECONDS = 10.0  # between two lines of progress


def say(text: str) -> None:
    """Print one line at once, so that it is in order with what subprocesses print. Nobody has to read it."""
    try:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read it has gone (`| head -1`); the work is done all the same
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def run(
    what: str,
    command: Command,
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    progress: Callable[[int], str] | None = None,
) -> list[str]:
    """Run a command with its output in a log file, and say every few seconds that it still runs.

    ``progress`` turns the number of lines printed so far into words for the progress line. Returns the lines.

    Raises:
        ToolError: when it can't be started or fails; names the last line it printed and the log file.
    """
    LOG.mkdir(parents=True, exist_ok=True)
    log = LOG / (re.sub(r"[^a-z0-9]+", "-", what.lower()).strip("-") + ".log")
    started = time.monotonic()
    lines: list[str] = []
    done = threading.Event()

    def report() -> None:
        while not done.wait(PROGRESS_SECONDS):
            how_far = progress(len(lines)) if progress else ""
            say(f"tools: {what}: {how_far}{time.monotonic() - started:.0f} s")

    threading.Thread(target=report, daemon=True).start()
    process: subprocess.Popen[str] | None = None
    try:
        with _interrupts_deferred():
            process = _started(command, cwd, env)
        with process, log.open("w") as file:
            for line in process.stdout or ():
                lines.append(line.rstrip("\n"))
                file.write(line)
        code = process.returncode
    except OSError as error:
        raise ToolError(f"{what}: {command[0]} does not start ({error.strerror})") from error
    except BaseException:
        _kill(process)
        raise
    finally:
        done.set()
    if code != 0:
        said = next((line.strip() for line in reversed(lines) if line.strip()), "it printed nothing")
        raise ToolError(f"{what}: failed with exit code {code}: {said} (all of it: {log})")
    return lines


@contextlib.contextmanager
def _interrupts_deferred() -> Iterator[None]:
    """Hold interrupts back while a process starts: until it is known to us we could not end it."""
    if threading.current_thread() is not threading.main_thread():  # interrupts come to the main thread only
        yield
        return
    held: list[int] = []
    before = {
        number: signal.signal(number, lambda got, _: held.append(got)) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if held:
            signal.raise_signal(held[0])


def _started(command: Command, cwd: Path | None, env: Mapping[str, str] | None) -> subprocess.Popen[str]:
    return subprocess.Popen(  # noqa: S603 - commands are built in this package, never from outside
        [str(part) for part in command],
        cwd=cwd,
        env=dict(env) if env is not None else None,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )


def _kill(process: subprocess.Popen[str] | None) -> None:
    """End a command with everything it has started; it leads a process group of its own."""
    if process is None:
        return
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
