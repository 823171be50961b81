"""`make check` and `make test`: what runs, in which order, with a line for each stage."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType

from .console import say
from .env import environment
from .project import ROOT, STATE, python

REPORT = STATE / "reports" / "tests.xml"


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A named list of commands; it passes when each exits 0."""

    name: str
    commands: Sequence[Sequence[str]]
    detail: Callable[[], str] = lambda: ""


def _module(name: str, *arguments: str) -> list[str]:
    return [str(python()), "-m", name, *arguments]


def lint() -> Stage:
    """Ruff's findings and its format."""
    return Stage(name="lint", commands=[_module("ruff", "check", "."), _module("ruff", "format", "--check", ".")])


def types() -> Stage:
    """Mypy over the packages that pyproject.toml names."""
    return Stage(name="types", commands=[_module("mypy")])


def tests(*, fast: bool) -> Stage:
    """Pytest: all of it, or what needs neither the embedded AWS nor the engine."""
    selection = ["-m", "not slow"] if fast else []
    name = "fast tests" if fast else "tests"
    command = _module("pytest", *selection, "--durations=5", f"--junitxml={REPORT}")
    return Stage(name=name, commands=[command], detail=lambda: counts(REPORT))


def rehearsal() -> Stage:
    """The whole story on the embedded AWS."""
    return Stage(name="rehearsal", commands=[_module("rehearsal")])


def check() -> int:
    """What takes under a minute."""
    return run([lint(), tests(fast=True)], beside=types())


def test() -> int:
    """Everything."""
    return run([lint(), types(), tests(fast=False), rehearsal()])


def run(stages: Iterable[Stage], beside: Stage | None = None) -> int:
    """Run the stages one after the other, all of them, and sum up. Returns 1 if one failed.

    A failed stage does not stop the others: one run should tell everything there is to repair. The stage ``beside``
    runs at the same time, silently, and its output comes last; it is for one command on the second core.
    """
    env = environment(_unattached(os.environ), local=False)
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.unlink(missing_ok=True)
    begun = time.monotonic()
    with _beside(beside, env) as finish:
        results = [_run(stage, partial(_first_failure, stage.commands, env)) for stage in stages]
        if beside is not None:
            results.append(_run(beside, finish))
    failed = any(code != 0 for code, _ in results)
    say("\n".join(["", *(line for _, line in results)]))
    say(f"{'all':<12} {time.monotonic() - begun:>7.1f} s  {'FAILED' if failed else 'ok'}")
    return int(failed)


def _run(stage: Stage, work: Callable[[], int]) -> tuple[int, str]:
    """One stage: its exit code and its line in the summary."""
    say(f"==> {stage.name}")
    started = time.monotonic()
    code = work()
    seconds = time.monotonic() - started
    word = "ok" if code == 0 else f"FAILED (exit code {code})"
    say(f"<== {stage.name}: {word}, {seconds:.1f} s")
    return code, f"{stage.name:<12} {seconds:>7.1f} s  {word}  {stage.detail()}".rstrip()


@contextmanager
def _beside(stage: Stage | None, env: Mapping[str, str]) -> Iterator[Callable[[], int]]:
    """Start the command of a stage in the background; what is yielded waits for it and prints its output."""
    if stage is None:
        yield lambda: 0
        return
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(  # noqa: S603 - ours
            stage.commands[0],
            cwd=ROOT,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )

        def finish() -> int:
            code = process.wait()
            output.seek(0)
            say(output.read().rstrip())
            return code

        try:
            yield finish
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()


def _unattached(base: Mapping[str, str]) -> dict[str, str]:
    """The environment without a person's AWS account, Pulumi backend or running embedded AWS: tests bring their own."""
    return {name: value for name, value in base.items() if not name.startswith(("AWS_", "PULUMI_"))}


def _first_failure(commands: Iterable[Sequence[str]], env: dict[str, str]) -> int:
    for command in commands:
        code = _call(command, env)
        if code != 0:
            return code
    return 0


def _call(command: Sequence[str], env: Mapping[str, str]) -> int:
    """Run a command to its end, also when interrupted: tests and rehearsal stop the servers they have started."""
    sys.stdout.flush()
    # No standard input: a tool that asks something must fail, not wait for somebody.
    process = subprocess.Popen(command, cwd=ROOT, env=dict(env), stdin=subprocess.DEVNULL)  # noqa: S603 - ours
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


def counts(report: Path) -> str:
    """The numbers of a JUnit report in pytest's words; empty when there is no report."""
    try:
        root = ET.parse(report).getroot()  # noqa: S314 - written by our own pytest a moment ago
    except (OSError, ET.ParseError):
        return ""
    total = dict.fromkeys(("tests", "failures", "errors", "skipped"), 0)
    for suite in root.iter("testsuite"):
        for name in total:
            total[name] += int(suite.get(name, "0"))
    bad = total["failures"] + total["errors"]
    passed = total["tests"] - bad - total["skipped"]
    parts = [
        (passed, "passed"),
        (total["failures"], "failed"),
        (total["errors"], "errors"),
        (total["skipped"], "skipped"),
    ]
    return ", ".join(f"{number} {word}" for number, word in parts if number or word == "passed")
