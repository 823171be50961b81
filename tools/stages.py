"""`make check` and `make test`: what runs, in which order, with a line for each stage."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import threading
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from . import child, halves
from .console import say
from .env import environment
from .project import ROOT, STATE, python

REPORTS = STATE / "reports"
EMBEDDED_AWS = "tests/local"
ENGINE = "tests/engine"
MIGRATIONS = "tests/migrations"
APART = (EMBEDDED_AWS, ENGINE, MIGRATIONS)
LANES_BESIDE = 2  # stages at once beside the others: most of them wait for servers, and leave a core idle
PROGRESS_SECONDS = 30.0  # between two lines about a stage that is waited for


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A named list of commands; it passes when each exits 0."""

    name: str
    commands: Sequence[Sequence[str]]
    detail: Callable[[], str] = lambda: ""


def _module(name: str, *arguments: str) -> list[str]:
    return [str(python()), "-m", name, *arguments]


def lint() -> Stage:
    """Ruff's findings and its format, and the lint of the schema's revisions."""
    ruff = [_module("ruff", "check", "."), _module("ruff", "format", "--check", ".")]
    return Stage(name="lint", commands=[*ruff, _module("migrations", "lint")])


def types() -> Stage:
    """Mypy over the packages that pyproject.toml names."""
    return Stage(name="types", commands=[_module("mypy")])


def tests() -> tuple[Stage, ...]:
    """Pytest, all of it, in several processes; those that take longest come first after the first.

    The tests of the embedded AWS change moto for good in the process they run in; the provider's tests have a moto of
    their own.
    """
    return (
        _pytest("tests", REPORTS / "tests.xml", "--durations=5", *(f"--ignore={one}" for one in APART)),
        *(
            _pytest(
                f"migrations {half}",
                REPORTS / f"tests-migrations-{half}.xml",
                "--durations=5",
                *_half(half),
                MIGRATIONS,
            )
            for half in (1, 2)
        ),
        _pytest("embedded AWS", REPORTS / "tests-local.xml", "--durations=5", EMBEDDED_AWS),
        _pytest("engine", REPORTS / "tests-engine.xml", "--durations=5", ENGINE),
    )


def _half(half: int) -> list[str]:
    return ["-p", "tools.halves", f"--half={half}"]


def fast_tests(half: int) -> Stage:
    """Half of what needs neither the embedded AWS nor the engine."""
    selection = ["-m", "not slow", *_half(half)]
    return _pytest(f"fast tests {half}", REPORTS / f"fast-tests-{half}.xml", *selection)


def _pytest(name: str, report: Path, *arguments: str) -> Stage:
    command = _module("pytest", *arguments, f"--junitxml={report}")
    return Stage(name=name, commands=[command], detail=lambda: counts(report))


def rehearsal() -> Stage:
    """The whole story on the embedded AWS."""
    return Stage(name="rehearsal", commands=[_module("rehearsal")])


def check() -> int:
    """What takes under a minute."""
    one, two = fast_tests(1), fast_tests(2)
    if (ROOT / ".mypy_cache").is_dir():
        code = run([lint(), one], beside=[two, types()])
    else:  # without its cache mypy takes as long as all the fast tests: it gets the second core for itself
        code = run([lint(), one, two], beside=[types()])
    halves.save_times(REPORTS.glob("fast-tests-?.xml"))
    return code


def test() -> int:
    """Everything. The tests mostly wait, so three processes of them share the cores; the rehearsal has them alone."""
    first, *others = tests()
    return run([lint(), first], beside=[*others, types()], after=[rehearsal()], lanes=LANES_BESIDE)


def run(stages: Iterable[Stage], beside: Sequence[Stage] = (), after: Iterable[Stage] = (), *, lanes: int = 1) -> int:
    """Run the stages one after the other, all of them, and sum up. Returns 1 if one failed.

    A failed stage does not stop the others: one run should tell everything there is to repair. The stages ``beside``,
    of one command each, run in their order meanwhile, ``lanes`` of them at a time; their output comes after that of
    ``stages``. The stages ``after`` begin when all those have ended.
    """
    env = environment(_unattached(os.environ), local=False)
    REPORTS.mkdir(parents=True, exist_ok=True)
    for old in REPORTS.glob("*.xml"):
        old.unlink()
    begun = time.monotonic()
    with _beside(beside, env, lanes) as finish:
        results = [_run(stage, partial(_first_failure, stage.commands, env)) for stage in stages]
        results += [_run(stage, partial(finish, stage.name)) for stage in beside]
    results += [_run(stage, partial(_first_failure, stage.commands, env)) for stage in after]
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
def _beside(stages: Sequence[Stage], env: Mapping[str, str], lanes: int) -> Iterator[Callable[[str], int]]:
    """Run stages in the background; what is yielded waits for the one of a name and prints its output."""
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(max_workers=lanes) as pool:
        outputs = {stage.name: Path(folder, str(number)) for number, stage in enumerate(stages)}
        background = _Background(env)
        codes = {stage.name: pool.submit(background.call, stage.commands[0], outputs[stage.name]) for stage in stages}

        def finish(name: str) -> int:
            begun = time.monotonic()
            while True:
                try:
                    code = codes[name].result(timeout=PROGRESS_SECONDS)
                except TimeoutError:
                    waited = time.monotonic() - begun
                    say(f"    {name} goes on, {waited:.0f} s waited for it: {_last_line(outputs[name])}")
                else:
                    say(outputs[name].read_text().rstrip())
                    return code

        try:
            yield finish
        finally:
            background.stop()


def _last_line(output: Path) -> str:
    lines = output.read_text().split("\n") if output.exists() else []
    return next((line for line in reversed(lines) if line.strip()), "it has said nothing yet")


class _Background:
    """Commands with their output in files, until told to stop."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = dict(env)
        self._lock = threading.Lock()
        self._running: list[subprocess.Popen[bytes]] = []
        self._stopped = False

    def call(self, command: Sequence[str], output: Path) -> int:
        """Run one to its end; 1 without running it after a stop."""
        with output.open("wb") as file:
            with self._lock:
                if self._stopped:
                    return 1
                running = subprocess.Popen(  # noqa: S603 - ours
                    command, cwd=ROOT, env=self._env, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT
                )
                self._running.append(running)
            return running.wait()

    def stop(self) -> None:
        """Interrupt what runs, so that tests stop the servers they have started, and start nothing more."""
        with self._lock:
            self._stopped = True
            for running in self._running:
                if running.poll() is None:
                    running.send_signal(signal.SIGINT)


def _unattached(base: Mapping[str, str]) -> dict[str, str]:
    """The environment without a person's AWS account, Pulumi backend or running embedded AWS: tests bring their own."""
    return {name: value for name, value in base.items() if not name.startswith(("AWS_", "PULUMI_"))}


def _first_failure(commands: Iterable[Sequence[str]], env: dict[str, str]) -> int:
    for command in commands:
        code = child.call(command, env)
        if code != 0:
            return code
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
