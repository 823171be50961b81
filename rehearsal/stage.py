"""Everything the story needs: folders, trees, the embedded AWS, the engine, the load. Opened once, always closed."""

from __future__ import annotations

import fcntl
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from infra import naming
from infra.version import content_version
from rehearsal import leftover, trees
from rehearsal.embedded import Embedded
from rehearsal.engine import Engine, Show
from rehearsal.generator import Generator
from rehearsal.live import Live
from rehearsal.report import Report
from rehearsal.weights import Change, Timeline, Watch

PROJECT_NAME = "bluegreen"


class StageError(Exception):
    """The rehearsal cannot begin; one line."""


@dataclass(kw_only=True)
class Stage:
    """One rehearsal's things. `engine` and `live` are there once it is open."""

    folder: Path
    stack: str
    rps: float
    pulumi: str
    show: Show
    report: Report
    project: Path = trees.PROJECT
    trees: dict[str, Path] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    generator: Generator | None = None
    watch: Watch | None = None
    start_seconds: float = 0.0

    def __post_init__(self) -> None:
        self.embedded = Embedded(project=self.project, folder=self.folder / "aws")

    def open(self) -> None:
        """Start a fresh embedded AWS, lay the trees and make the stack.

        Raises BadTreeError, EmbeddedError, EngineError, OSError.
        """
        shutil.rmtree(self.folder / "log", ignore_errors=True)
        (self.folder / "log").mkdir(parents=True)
        for name in ("requests.tsv", "orders.jsonl"):
            (self.folder / name).unlink(missing_ok=True)
        if left_out := trees.left_out(self.project):
            self.show(left_out)
        self.trees = trees.lay_all(self.folder / "trees", self.project)
        self.versions = {name: content_version(tree) for name, tree in self.trees.items()}
        leftover.end(self.folder / "pulumi.json")
        self.embedded.stop()  # what an interrupted run left
        began = time.monotonic()
        self.environment = self.embedded.start()
        self.start_seconds = round(time.monotonic() - began, 2)
        # A copy, so that what the story sets never reaches the checkout's own settings.
        config = self.folder / f"Pulumi.{self.stack}.yaml"
        shutil.copyfile(self.project / f"Pulumi.{self.stack}.yaml", config)
        self.live = Live(prefix=naming.prefix(PROJECT_NAME, self.stack), environment=self.environment)
        self.engine = Engine(
            pulumi=self.pulumi,
            project=self.project,
            stack=self.stack,
            config=config,
            environment=self.environment,
            logs=self.folder / "log",
            show=self.show,
        )
        self.engine.init()

    def start_load(self, url: str) -> None:
        """Send requests and keep the weights' timeline."""
        self.watch = Watch(self.live.shifts, self.live.weights_by_version)
        self.watch.start(time.time())
        name = f"r{int(self.report.started)}"
        self.generator = Generator(project=self.project, folder=self.folder, url=url, rps=self.rps, run=name)
        self.generator.start()

    def stop_load(self) -> None:
        """Stop both; nothing to do is no error. Raises LoadError, StageError."""
        generator, self.generator = self.generator, None
        if generator is not None:
            generator.stop()
        if self.watch is not None:
            self.watch.stop()
            if self.watch.failure:
                raise StageError(f"weights: could not be followed: {self.watch.failure}")

    def changes(self) -> list[Change]:
        """The changes of the weights so far."""
        return self.timeline().changes

    def timeline(self) -> Timeline:
        """The weights so far; empty before the load was on."""
        return self.watch.timeline if self.watch is not None else Timeline()

    def close(self) -> None:
        """Stop everything that runs. Called in every case; the first failure is raised after all was tried."""
        failure: Exception | None = None
        for action in (self.stop_load, self.embedded.stop):
            try:
                action()
            except Exception as error:
                failure = failure or error
        if failure:
            raise failure


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """One rehearsal at a time in a checkout. The lock goes with the process, however it ends. Raises StageError."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StageError(f"another rehearsal runs in {folder}, expected one at a time: wait for it") from error
        try:
            yield
        finally:
            with suppress(OSError):
                fcntl.flock(file, fcntl.LOCK_UN)
