"""`make check` and `make test`: what runs, in which order, with a line for each stage."""

from __future__ import annotations

import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

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
    # The tests make their own folders for the embedded AWS; one that happens to run must not reach them.
    env = environment(local=False)
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


def _first_failure(commands: Iterable[Sequence[str]], env: dict[str, str]) -> int:
    for command in commands:
        sys.stdout.flush()
        # No standard input: a tool that asks something must fail, not wait for somebody.
        done = subprocess.run(command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, check=False)  # noqa: S603 - ours
        if done.returncode != 0:
            return done.returncode
    return 0


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
