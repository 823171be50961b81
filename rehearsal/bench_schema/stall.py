"""How long a reader waits while a table that a long transaction holds is to be changed.

Three ways, one after the other, in one run: the same load, the same transaction that holds the table, the same
revision, each in a database of its own on one server. What a reader waited is counted from when its request was due to
the end of its answer; a client gives up after 10 s, so a longer stall shows as lost requests.
"""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from migrations.tree import read_tree
from rehearsal import records, trees
from rehearsal.bench_schema.instance import Instance, instance, must, run, service
from rehearsal.bench_schema.part import Figures, Options, PartError
from rehearsal.blocker import blocker
from rehearsal.generator import Generator

_REVISION: Final = '''"""A column more: a change of the catalog only, which needs the table to itself for a moment."""

from alembic import op

revision = "e9000"
down_revision = "{down}"
branch_labels = None
depends_on = None
tables = ("orders",)


def upgrade() -> None:
    """Add it."""
    op.execute("ALTER TABLE orders ADD COLUMN note text")
'''
_QUIET_SECONDS: Final = 5  # load alone: what the same machine does without a change
_QUIET_MILLISECONDS: Final = 50.0  # p99 of each of these seconds: else a stall would say nothing about the change
_SETTLE_SECONDS: Final = 60.0
_AFTER_SECONDS: Final = 2.0  # what queued has been answered by then
_HELD_FIRST_SECONDS: Final = 1.0  # the table is held before the change begins
Command = Callable[[Path, Mapping[str, str]], subprocess.CompletedProcess[str]]


def measure(options: Options) -> Figures:
    """`worst_read_stall_seconds` of each way. Raises PartError, EmbeddedError, LoadError."""
    tree = _tree(options.folder)
    with instance(options.folder) as server:
        found = {name: _one(options, server, tree, name, command) for name, command in _WAYS.items()}
    return {
        "worst_read_stall_seconds": {name: one["worst_read_seconds"] for name, one in found.items()},
        "details": {"blocker_seconds": options.blocker_seconds, "rps": options.rps, **found},
    }


def _tree(folder: Path) -> Path:
    """The checkout with one more expand revision."""
    tree = trees.lay("v1", folder)
    expand = tree / "migrations" / "expand"
    newest = read_tree(expand.parent).expand[-1].revision
    (expand / "e9000_note.py").write_text(_REVISION.format(down=newest), encoding="utf-8")
    (expand / "HEAD").write_text("e9000_note\n", encoding="utf-8")
    return tree


def _ours(tree: Path, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return run(tree, {**environment, "APP_VERSION": "bench"}, "migrations", "expand")


def _alembic(*more: str) -> Command:
    def command(tree: Path, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        migrations = str(tree / "migrations")
        return run(trees.PROJECT, environment, "rehearsal.bench_schema.plain", "--migrations", migrations, *more)

    return command


_WAYS: Final[Mapping[str, Command]] = {
    "ours": _ours,
    "plain_alembic": _alembic(),
    "fixed_500ms": _alembic("--lock-timeout", "500ms", "--pause", "1"),
}


def _one(options: Options, server: Instance, tree: Path, name: str, command: Command) -> Figures:
    """One way, on a database and a load of its own."""
    options.say(f"{name}: the table is held for {options.blocker_seconds:.0f} s")
    folder = options.folder / name
    folder.mkdir()
    environment = server.database()
    before = trees.lay("v1", folder)
    for first in ("roles", "expand"):
        must(run(before, {**environment, "APP_VERSION": "v1"}, "migrations", first))
    with service(before, environment, "v1") as url:
        load = Generator(project=trees.PROJECT, folder=folder, url=url, rps=options.rps, run=name)
        load.start()
        try:
            _settle(load)
            waits = _LockWaits(server, environment["DB_NAME"])
            waits.start()
            try:
                times = _change_while_held(options, server, tree, environment, command)
                time.sleep(_AFTER_SECONDS)
            finally:
                longest = waits.longest()
        finally:
            load.stop()
    _require_changed(server, environment, name)
    found = {**_figures(folder, times), "longest_lock_wait_seconds": round(longest, 3)}
    options.say(f"{name}: worst read {found['worst_read_seconds']} s, {found['lost']} of {found['requests']} lost")
    return found


def _settle(load: Generator) -> None:
    """Until the service has answered well for some seconds, so that a stall is the change's. Raises PartError."""
    deadline, good, last = time.monotonic() + _SETTLE_SECONDS, 0, (0, 0)
    while good < _QUIET_SECONDS:
        if time.monotonic() > deadline or not load.running():
            raise PartError(
                f"the load alone did not run well for {_QUIET_SECONDS} s within {_SETTLE_SECONDS:.0f} s ({load}), "
                "expected a machine with nothing else to do"
            )
        time.sleep(0.1)
        told = (int(load.latest.get("sent", 0)), int(load.latest.get("lost", 0)))
        if told[0] > last[0]:  # one line a second
            good = good + 1 if told[1] == last[1] and load.latest["p99"] < _QUIET_MILLISECONDS else 0
            last = told


class _Change(threading.Thread):
    """The command, beside the transaction that holds the table. `began`, `ended`: seconds since the epoch."""

    def __init__(self, command: Callable[[], subprocess.CompletedProcess[str]]) -> None:
        super().__init__(name="change", daemon=True)
        self._command = command
        self._done: subprocess.CompletedProcess[str] | None = None
        self._failure: Exception | None = None
        self.began = self.ended = 0.0

    def run(self) -> None:
        """Run it to its end."""
        self.began = time.time()
        try:
            self._done = self._command()
        except Exception as error:  # raised where it is waited for
            self._failure = error
        self.ended = time.time()

    def require(self) -> None:
        """Wait for it. Raises PartError where it did not succeed."""
        self.join()
        if self._done is None:
            raise PartError(f"the change did not run to its end: {self._failure}")
        must(self._done)


_WAITS: Final = """
SELECT coalesce(max(extract(epoch FROM clock_timestamp() - held.waitstart)), 0)::float8
FROM pg_locks AS held JOIN pg_stat_activity AS session USING (pid)
WHERE NOT held.granted AND session.datname = current_database() AND session.application_name LIKE 'app %'
"""


class _LockWaits(threading.Thread):
    """How long the service's sessions waited for a lock, as the server tells: no busy machine can add to that."""

    def __init__(self, server: Instance, database: str) -> None:
        super().__init__(name="lock waits", daemon=True)
        self._server, self._database = server, database
        self._done = threading.Event()
        self._longest = 0.0
        self.looks = 0

    def run(self) -> None:
        """Look 20 times a second, in a session of its own."""
        with self._server.connect(self._database, "watch") as connection:
            connection.autocommit = True
            while not self._done.wait(0.05):
                row = connection.execute(_WAITS).fetchone()
                self._longest = max(self._longest, float(row[0]) if row else 0.0)
                self.looks += 1

    def longest(self) -> float:
        """End it. Raises PartError where it never looked."""
        self._done.set()
        self.join()
        if not self.looks:
            raise PartError("the server was never asked who waits for a lock, expected 20 times a second")
        return self._longest


def _change_while_held(
    options: Options, server: Instance, tree: Path, environment: Mapping[str, str], command: Command
) -> tuple[float, float, float]:
    """When the change began, when the table was free again, when the change had ended: seconds since the epoch."""
    with blocker(
        lambda: server.connect(environment["DB_NAME"], "nightly report"), "orders", options.blocker_seconds
    ) as held:
        time.sleep(_HELD_FIRST_SECONDS)
        change = _Change(lambda: command(tree, environment))
        change.start()
        time.sleep(max(0.0, held.began + options.blocker_seconds - time.time()))
    change.require()
    if change.ended < held.ended:
        raise PartError("the change was through before the table was free: it was not held, so nothing was measured")
    return change.began, held.ended, change.ended


def _require_changed(server: Instance, environment: Mapping[str, str], name: str) -> None:
    with server.connect(environment["DB_NAME"]) as connection:
        row = connection.execute(
            "SELECT count(*) FROM information_schema.columns WHERE table_name = 'orders' AND column_name = 'note'"
        ).fetchone()
    if row != (1,):
        raise PartError(f"{name}: the column is not there, expected the change to be applied")


def _figures(folder: Path, times: tuple[float, float, float]) -> Figures:
    began, free, ended = times
    found = list(records.read(folder / "requests.tsv"))
    quiet = [one for one in found if began - _HELD_FIRST_SECONDS - _QUIET_SECONDS < one.due < began]
    during = [one for one in found if began <= one.due <= max(free, ended)]
    reads = sorted(one.milliseconds for one in during if one.operation in ("read", "list"))
    before = sorted(one.milliseconds for one in quiet if one.operation in ("read", "list"))
    if not reads or not before:
        raise PartError(f"{len(before)} reads before and {len(reads)} during the change, expected some of both")
    return {
        "worst_read_seconds": round(reads[-1] / 1000, 3),
        "p99_read_seconds": round(records.percentile(reads, 0.99) / 1000, 4),
        "requests": len(during),
        "reads": len(reads),
        "lost": sum(one.lost for one in during),
        "seconds": round(ended - began, 2),
        "seconds_after_the_table_was_free": round(ended - free, 2),
        "worst_read_seconds_before": round(before[-1] / 1000, 3),
        "p99_read_seconds_before": round(records.percentile(before, 0.99) / 1000, 4),
    }
