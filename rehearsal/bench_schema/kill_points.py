"""kill -9 of the migration task at random points of real releases: the next `up` completes, each revision once.

Each release brings five revisions: in turns one in a transaction and an index outside of one, each slow enough to be
hit. The moment is drawn with a seed from the time that an undisturbed run takes. A task that ended before it was killed
does not count.
"""

from __future__ import annotations

import random
import shutil
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from local import lifecycle
from local.errors import LocalError
from rehearsal.bench_schema.part import Figures, Options, PartError
from rehearsal.live import Live
from rehearsal.report import Report
from rehearsal.stage import Stage
from rehearsal.story import Story
from tools import cli

_SEED: Final = 20
_ORDERS: Final = 100_000  # so many that an index takes a moment
_REVISIONS: Final = "abcde"  # of one release
_POLL_SECONDS: Final = 0.05
_LOOK_SECONDS: Final = 90.0
_FILE: Final = '''"""One of the revisions that are killed."""

from {source}

revision = "{name}"
down_revision = "{down}"
branch_labels = None
depends_on = None
tables = ("orders",)
{more}


def upgrade() -> None:
    """Run it."""
{body}
'''
# A second time it would fail: a revision that is applied twice cannot come to its end.
_PLAIN: Final = """    op.execute("CREATE TABLE {name} (once bigint PRIMARY KEY)")
    op.execute("SELECT pg_sleep(0.3)")"""
_SLEEPS: Final = 'lint_exceptions = {"opaque-statement": "it sleeps, so that it can be killed"}'
# Of few rows, and slow to find them, so that many such indexes have room.
_INDEX: Final = """    few = "md5(repeat(md5(reference), 100)) < '01'"
    concurrently.create_index("by_{name}", "orders", ("customer", "id"), where=few)"""

_APPLIED: Final = "SELECT revision FROM schema_history WHERE revision LIKE 'killed%%' ORDER BY applied_at"
_INVALID: Final = "SELECT count(*) FROM pg_index WHERE NOT indisvalid OR NOT indisready"


def measure(options: Options) -> Figures:
    """How many were killed, and after how many of them each revision was applied once. Raises PartError."""
    stage = Stage(
        folder=options.folder,
        stack="local",
        rps=options.rps,
        pulumi=str(cli.path()),
        report=Report(started=time.time(), rps=options.rps),
        show=lambda _: None,
    )
    try:
        options.say("start the embedded AWS, first release")
        stage.open()
        Story(stage).first_release()
        return _Points(stage, options).run()
    finally:
        stage.close()


@dataclass
class _Points:
    stage: Stage
    options: Options
    chance: random.Random = field(default_factory=lambda: random.Random(_SEED))  # noqa: S311  to be drawn again
    names: list[str] = field(default_factory=list)  # of the revisions that were released
    details: list[Figures] = field(default_factory=list)

    def run(self) -> Figures:
        tree = self.stage.folder / "trees" / "killed"
        shutil.copytree(self.stage.trees["v1"], tree)
        with self.stage.live.connect() as connection:
            connection.execute(
                "INSERT INTO orders (reference, customer, price) SELECT 'r' || n, 'c' || n, '1.00 EUR'"
                " FROM generate_series(1, %s) AS n",
                (_ORDERS,),
            )
        self.names = [(tree / "migrations/expand/HEAD").read_text(encoding="utf-8").partition("_")[0]]
        self._add(tree, 0)
        self._release(tree)
        span = _span(self.stage.live)
        self.options.say(f"an undisturbed run takes {span:.1f} s; {self.options.kills} are killed at random points")
        for number in range(1, 2 * self.options.kills + 1):
            self._add(tree, number)
            self._point(tree, self.chance.uniform(0, span))
            if len(self.details) == self.options.kills:
                break
        once = sum(bool(one["completed_once"]) for one in self.details)
        return {
            "kill_points": {"tried": len(self.details), "completed_once": once},
            "details": {"span_seconds": round(span, 2), "points": self.details},
        }

    def _add(self, tree: Path, number: int) -> None:
        """The revisions of one release, after those that are there."""
        folder = tree / "migrations" / "expand"
        outside = ("migrations import concurrently", "outside_transaction = True", _INDEX)
        plain = ("alembic import op", _SLEEPS, _PLAIN)
        for at, letter in enumerate(_REVISIONS):
            source, more, body = outside if at % 2 else plain
            name = f"killed{number:02d}{letter}"
            text = _FILE.format(name=name, down=self.names[-1], source=source, more=more, body=body.format(name=name))
            (folder / f"{name}.py").write_text(text, encoding="utf-8")
            (folder / "HEAD").write_text(f"{name}\n", encoding="utf-8")
            self.names.append(name)

    def _point(self, tree: Path, after: float) -> None:
        """One release whose migration is killed, and the one that repairs it."""
        killer = _Killer(self.stage.live, after)
        killer.start()
        began = time.monotonic()
        outcome = self.stage.engine.up(context=str(tree), version="", previous="warm")
        killer.over.set()
        killer.join()
        if outcome.code == 0:
            self.options.say(f"came to its end before it was killed ({after:.2f} s after its start): does not count")
            return
        if not killer.killed:
            raise PartError(f"a release failed, and nobody had killed its migration: {outcome.message[:400]}")
        left = _left(self.stage.live)
        left["applied"] = left["applied"][len(self.names) - len(_REVISIONS) - 1 :]  # of this release
        self._release(tree)
        wrong = _wrong(self.stage.live, self.names[1:])
        point = {"after_seconds": round(after, 2), **left, "completed_once": not wrong}
        self.details.append({**point, "wrong": wrong})
        told = ", ".join(left["applied"]) or "nothing"
        self.options.say(
            f"{len(self.details)} of {self.options.kills}: killed {after:.2f} s after its start; it had applied {told}"
            f"{', and begun ' + ', '.join(left['begun']) if left['begun'] else ''}; "
            f"{wrong or 'the next up completed'}, {time.monotonic() - began:.0f} s"
        )

    def _release(self, tree: Path) -> None:
        outcome = self.stage.engine.up(context=str(tree), version="", previous="warm")
        if outcome.code:
            raise PartError(f"up: exit code {outcome.code}: {outcome.message[:600]} (events: {outcome.log.name})")


class _Killer(threading.Thread):
    """Waits for the expand task of the release that is under way, and kills it."""

    def __init__(self, live: Live, after: float) -> None:
        super().__init__(name="killer", daemon=True)
        self._live, self._after = live, after
        self._known = set(_tasks(live))
        self.over = threading.Event()
        self.killed = False

    def run(self) -> None:
        deadline = time.monotonic() + _LOOK_SECONDS
        while not self.over.wait(_POLL_SECONDS) and time.monotonic() < deadline:
            for arn, task in _tasks(self._live).items():
                if arn not in self._known and task["lastStatus"] == "RUNNING":
                    self.over.wait(self._after)
                    self.killed = self._kill(arn)
                    return

    def _kill(self, arn: str) -> bool:
        try:
            lifecycle.ask(self._live.environment["AWS_ENDPOINT_URL"], "POST", "tasks", {"task": arn, "kind": "kill"})
        except LocalError:  # it has come to its end
            return False
        return True


def _tasks(live: Live) -> dict[str, dict[str, Any]]:
    """The tasks that run the expand phase, by their ARNs; those that stopped within the last hour too."""
    ecs = live.client("ecs")
    arns = [
        arn
        for status in ("RUNNING", "STOPPED")
        for page in ecs.get_paginator("list_tasks").paginate(cluster=live.prefix, desiredStatus=status)
        for arn in page["taskArns"]
    ]
    found: dict[str, dict[str, Any]] = {}
    for start in range(0, len(arns), 100):
        for task in ecs.describe_tasks(cluster=live.prefix, tasks=arns[start : start + 100])["tasks"]:
            overrides = task["overrides"].get("containerOverrides") or [{}]
            if overrides[0].get("command", [])[-1:] == ["expand"]:
                found[task["taskArn"]] = task
    return found


def _span(live: Live) -> float:
    """How long the newest expand task ran."""
    newest = max(_tasks(live).values(), key=lambda task: task["startedAt"])
    seconds: float = (newest["stoppedAt"] - newest["startedAt"]).total_seconds()
    return seconds


def _left(live: Live) -> dict[str, Any]:
    """What a killed run left behind."""
    return {
        "applied": [row[0] for row in live.ask(_APPLIED)],
        "begun": [row[0] for row in live.ask("SELECT revision FROM schema_marks")],
        "invalid_indexes": live.ask(_INVALID)[0][0],
    }


def _wrong(live: Live, names: list[str]) -> str:
    """What is not as it must be when each revision was applied once; empty when all is."""
    left = _left(live)
    if sorted(left["applied"]) != sorted(names):
        return f"applied are {left['applied']}, expected each of {names} once"
    if left["begun"] or left["invalid_indexes"]:
        return f"half done: {left['begun']}, {left['invalid_indexes']} invalid indexes, expected none"
    made = {row[0] for row in live.ask("SELECT relname FROM pg_class WHERE relname ~ '^(by_)?killed[0-9]+[a-z]$'")}
    wanted = {f"by_{name}" if _REVISIONS.index(name[-1]) % 2 else name for name in names}
    return "" if made == wanted else f"missing {sorted(wanted - made)}"
