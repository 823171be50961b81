"""Runs the real Pulumi CLI and follows its events.

`pulumi ... --json` writes one event a line. Progress is taken from them as it happens, and what failed and how long
each resource took when the run has ended. Each run is kept as a file of its events.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from rehearsal import interrupts, leftover, lines

Show = Callable[[str], None]
_TICK_SECONDS = 5.0
_LONG_SECONDS = 2.0  # a step that took less is not shown
_STOP_SECONDS = 45.0  # a shift that is interrupted puts the weights back within 10 s
_OURS = "bluegreen:index:"


class EngineError(Exception):
    """Pulumi did not do what a step needs; one line."""


@dataclass(kw_only=True)
class Outcome:
    """What came of one run.

    Attributes:
        code: exit code of the CLI.
        began: when the command was started, seconds since the epoch.
        seconds: how long it took.
        errors: messages of severity error, without repeats.
        changes: how many resources per operation, as in the summary.
        spans: seconds from start to end of each resource's step, by name and type.
        outputs: of the `bluegreen` provider's resources that were made or changed, by name.
        program_seconds: until the program had told its first resource: the engine's and Python's start.
        log: the file of events.
    """

    code: int = 0
    began: float
    seconds: float = 0.0
    errors: list[str] = field(default_factory=list)
    changes: dict[str, int] = field(default_factory=dict)
    spans: dict[str, float] = field(default_factory=dict)
    outputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    program_seconds: float = 0.0
    log: Path

    @property
    def message(self) -> str:
        """All errors as one text."""
        return " | ".join(self.errors)


@dataclass(kw_only=True)
class Engine:
    """The CLI on one stack with one settings file."""

    pulumi: str
    project: Path
    stack: str
    config: Path
    environment: Mapping[str, str]
    logs: Path
    show: Show
    _count: int = 0

    @property
    def noted(self) -> Path:
        """Where the run that is under way is noted."""
        return self.logs.parent / "pulumi.json"

    def init(self) -> None:
        """Make the stack. Raises EngineError."""
        self.plain(["stack", "select", "--create", self.stack])

    def plain(self, arguments: Sequence[str]) -> str:
        """A short command to its end; answers its stdout. Raises EngineError."""
        done = subprocess.run(  # noqa: S603  the CLI that tools/ found, with arguments of our own
            [self.pulumi, *arguments, "--non-interactive"],
            cwd=self.project,
            env=dict(self.environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if done.returncode:
            raise EngineError(f"pulumi {' '.join(arguments[:2])}: {_last(done.stderr or done.stdout)}")
        return done.stdout

    def outputs(self) -> dict[str, Any]:
        """The stack's outputs."""
        found: dict[str, Any] = json.loads(self.plain(["stack", "output", "--json", "--stack", self.stack]))
        return found

    def up(self, **settings: str) -> Outcome:
        """`pulumi up` with these settings of the project changed in the settings file first."""
        given = [word for key, value in settings.items() for word in ("-c", f"bluegreen:{key}={value}")]
        return self.run("up", ["--skip-preview", "--yes", *given])

    def destroy(self) -> Outcome:
        """`pulumi destroy`."""
        return self.run("destroy", ["--skip-preview", "--yes"])

    def run(self, operation: str, arguments: Sequence[str], *, events: bool = True) -> Outcome:
        """One operation to its end, with progress. A KeyboardInterrupt interrupts the CLI, waits and goes on up.

        Without `events` the log is the text that a person would see, and there is no progress.
        """
        self._count += 1
        log = self.logs / f"{self._count:02d}-{operation}.{'jsonl' if events else 'txt'}"
        how = ["--json"] if events else ["--color=never"]
        command = [self.pulumi, operation, *arguments, *how, "--non-interactive", "--stack", self.stack]
        command += ["--config-file", str(self.config)]
        outcome = Outcome(began=time.time(), log=log)
        follow = _Follow(outcome, self.show)
        with log.open("w", encoding="utf-8") as kept, log.with_suffix(".stderr").open("w", encoding="utf-8") as errors:
            self._follow(command, follow, kept, errors)
        outcome.seconds = time.time() - outcome.began
        if outcome.code and not outcome.errors:
            outcome.errors.append(_last(log.with_suffix(".stderr").read_text(encoding="utf-8")))
        return outcome

    def _follow(self, command: Sequence[str], follow: _Follow, kept: IO[str], errors: IO[str]) -> None:
        process: subprocess.Popen[str] | None = None
        try:
            with interrupts.held():
                process = subprocess.Popen(  # noqa: S603  the CLI that tools/ found, with arguments of our own
                    command,
                    cwd=self.project,
                    env=dict(self.environment),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    text=True,
                    start_new_session=True,  # an interrupt reaches it through us, once
                )
                leftover.remember(self.noted, process.pid)
            _pump(process, follow, kept)
        except KeyboardInterrupt:
            if process is not None:
                self._interrupt(process)
            raise
        finally:
            if process is not None:
                if process.stdout:
                    process.stdout.close()
                leftover.forget(self.noted)

    @staticmethod
    def _interrupt(process: subprocess.Popen[str]) -> None:
        """As Ctrl-C does; the engine then waits for what is in flight. A second interrupt or the limit ends it."""
        process.send_signal(signal.SIGINT)
        drain = threading.Thread(target=lambda: process.stdout and process.stdout.read(), daemon=True)
        drain.start()
        try:
            process.wait(_STOP_SECONDS)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        drain.join(5)


def _pump(process: subprocess.Popen[str], follow: _Follow, kept: IO[str]) -> None:
    if process.stdout is None:
        raise EngineError("pulumi: its output is not a pipe")
    for line in process.stdout:
        kept.write(line)
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict):
            follow.event(event)
    follow.outcome.code = process.wait()


class _Follow:
    """Turns events into progress lines and an outcome."""

    def __init__(self, outcome: Outcome, show: Show) -> None:
        self.outcome = outcome
        self.show = show
        self.started: dict[str, float] = {}
        self.done = 0
        self.ticked = time.monotonic()

    def event(self, event: dict[str, Any]) -> None:
        """One event."""
        if found := event.get("resourcePreEvent"):
            if not self.outcome.program_seconds and found["metadata"].get("op") != "refresh":
                self.outcome.program_seconds = round(time.time() - self.outcome.began, 3)
            self.started[found["metadata"]["urn"]] = time.monotonic()
        elif found := event.get("resOutputsEvent") or event.get("resOpFailedEvent"):
            self._finished(found["metadata"])
        elif found := event.get("diagnosticEvent"):
            self._diagnostic(found)
        elif found := event.get("summaryEvent"):
            self.outcome.changes = dict(found.get("resourceChanges") or {})

    def _finished(self, metadata: dict[str, Any]) -> None:
        urn = metadata["urn"]
        seconds = time.monotonic() - self.started.get(urn, time.monotonic())
        if metadata.get("op") == "same":
            return
        self.done += 1
        name, kind = urn.rsplit("::", 1)[-1], str(metadata.get("type", ""))
        self.outcome.spans[f"{name} {kind}"] = round(seconds, 3)
        if _OURS in kind:
            self.outcome.outputs[name] = dict((metadata.get("new") or {}).get("outputs") or {})
        # Components end when their last child does, the provider's own resources tell how they go, and a refresh is
        # asked for by the provider itself: none is news.
        if (
            seconds >= _LONG_SECONDS
            and metadata.get("op") != "refresh"
            and not kind.startswith(("bluegreen:", "pulumi:"))
        ):
            self._tell(f"{kind.rsplit(':', 1)[-1]} {name}: {metadata.get('op')} in {seconds:.1f} s")

    def _diagnostic(self, found: dict[str, Any]) -> None:
        message = str(found.get("message", "")).strip()
        severity = found.get("severity")
        if not message or severity == "debug":
            return
        if severity == "error":
            text = " ".join(message.split())
            if text not in self.outcome.errors:
                self.outcome.errors.append(text)
        elif found.get("ephemeral"):
            if time.monotonic() - self.ticked >= _TICK_SECONDS:
                self._tell(f"... {message}")
        elif _OURS in str(found.get("urn", "")) or severity == "warning":
            self._tell(message)

    def _tell(self, message: str) -> None:
        if text := lines.progress(message):
            self.ticked = time.monotonic()  # what goes on without a word is told every few seconds
            self.show(text)


def _last(text: str) -> str:
    found = [line.strip() for line in text.splitlines() if line.strip()]
    return found[-1] if found else "no message"
