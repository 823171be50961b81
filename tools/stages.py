"""`make check` and `make test`: what runs, in which order, with a line for each stage."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
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
    command = _module("pytest", *selection, f"--junitxml={REPORT}")
    return Stage(name=name, commands=[command], detail=lambda: counts(REPORT))


def rehearsal() -> Stage:
    """The whole story on the embedded AWS."""
    return Stage(name="rehearsal", commands=[_module("rehearsal")])


def check() -> int:
    """What takes under a minute."""
    return run([lint(), types(), tests(fast=True)])


def test() -> int:
    """Everything."""
    return run([lint(), types(), tests(fast=False), rehearsal()])


def run(stages: Iterable[Stage]) -> int:
    """Run the stages one after the other, all of them, and sum up. Returns 1 if one failed.

    A failed stage does not stop the others: one run should tell everything there is to repair.
    """
    env = environment(_unattached(os.environ), local=False)
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    begun = time.monotonic()
    summary: list[str] = []
    failed = False
    for stage in stages:
        say(f"==> {stage.name}")
        started = time.monotonic()
        code = _first_failure(stage.commands, env)
        seconds = time.monotonic() - started
        word = "ok" if code == 0 else f"FAILED (exit code {code})"
        say(f"<== {stage.name}: {word}, {seconds:.1f} s")
        summary.append(f"{stage.name:<12} {seconds:>7.1f} s  {word}  {stage.detail()}".rstrip())
        failed = failed or code != 0
    say("\n".join(["", *summary, f"{'all':<12} {time.monotonic() - begun:>7.1f} s  {'FAILED' if failed else 'ok'}"]))
    return int(failed)


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
