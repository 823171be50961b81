"""`make up` where nobody is at a terminal: the same run, and an exit code that says why a release was refused.

Pulumi ends with 1 (or 255) whatever failed. A script may want to go on differently when a version can't serve the
database than when a lock was not obtained; so the command's own exit code, which is in the message, is told on.
"""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

from . import previews
from .console import say
from .project import ROOT

FROZEN = 40
MIGRATION = 40  # and the exit code of the migrations command: 43 is its 3, "can't serve this database"
# What its task ended with, or would have: then the preview has ended the run.
_MIGRATION = re.compile(r"container migrate exited with code (\d+)|exit code (\d+) of the migrations command")
_FROZEN = re.compile(r"the weights are frozen since ")
_MOST = 40  # exit codes of ours end below 81; what is above is a signal's


def run(command: Sequence[str], env: Mapping[str, str]) -> int:
    """Run `pulumi up` to its end. Returns its exit code, or the one that says more."""
    with tempfile.TemporaryDirectory(prefix="bluegreen-up-") as folder:
        events = Path(folder) / "events"
        code = _to_its_end([*command, "--event-log", str(events)], {**env, **previews.EVENT_LOG})
        if code <= 0:
            return 128 - code if code else 0
        return told(list(previews.errors(previews.read_events(events))), code)


def told(errors: Sequence[str], code: int) -> int:
    """The exit code for what the errors say; `code` where they say nothing special."""
    if any(map(_FROZEN.search, errors)):
        say(f"tools: the weights are frozen, so this ends with {FROZEN}")
        return FROZEN
    for text in errors:
        if found := _MIGRATION.search(text):
            own = int(found[1] or found[2])
            if 0 < own < _MOST:
                say(f"tools: the migrations command ended with {own}, so this ends with {MIGRATION + own}")
                return MIGRATION + own
    return code


def _to_its_end(command: Sequence[str], env: Mapping[str, str]) -> int:
    """Whoever ends this process ends Pulumi, by one interrupt, and waits until the weights are back.

    Pulumi has a session of its own, so that what is sent to all of ours does not reach it a second time: it would take
    that as "stop at once".
    """
    sys.stdout.flush()
    with _interrupts() as relay:
        process = subprocess.Popen(  # noqa: S603 - ours
            command, cwd=ROOT, env=dict(env), stdin=subprocess.DEVNULL, start_new_session=True
        )
        relay.engine_is(process)
        return process.wait()


class _Relay:
    """Passes the first signal on, as soon as there is somebody to pass it to; the others are not needed."""

    def __init__(self) -> None:
        self._engine: subprocess.Popen[bytes] | None = None
        self._asked = False
        self._unsent = [signal.SIGINT]  # taken out by one call: a signal can arrive while another is handled

    def on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._asked = True
        self._send()

    def engine_is(self, process: subprocess.Popen[bytes]) -> None:
        self._engine = process
        self._send()

    def _send(self) -> None:
        if self._asked and self._engine is not None:
            with suppress(IndexError):
                self._engine.send_signal(self._unsent.pop())


@contextmanager
def _interrupts() -> Iterator[_Relay]:
    relay = _Relay()
    before: dict[int, Any] = {
        number: signal.signal(number, relay.on_signal) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield relay
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
