"""Runs backfills: batch after batch through the table, until a count says that no row is left.

One pass walks the table once. Rows that were locked are left for a later one; there are few passes, because rows that
come back every time are not chance but a writer that nobody keeps in step.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import psycopg

from migrations import gate, history
from migrations.backfilling import batches as backfill_batches
from migrations.backfilling import record as backfill_record
from migrations.backfilling import taken
from migrations.backfilling.batches import Batches
from migrations.backfilling.declaration import Declaration, key_type
from migrations.backfilling.progress import Progress
from migrations.backfilling.sampler import sampling
from migrations.backfilling.settings import BackfillSettings
from migrations.backfilling.throttle import RECENT, Latency, Throttle, active_sessions, blind_spots, replica_lag
from migrations.backfilling.tries import KEPT, Tries, told
from migrations.database import Connection, Say
from migrations.errors import BackfillIncompleteError, StatementFailedError
from migrations.locking.blockers import Lookout
from migrations.rule import Applied
from migrations.settings import Settings
from migrations.tree import Revision, Tree

_PASS_PAUSE_SECONDS = 1.0  # whoever had a row locked in one pass gets this long to be done before the next
_STATEMENT_TIMEOUT = "30s"
_PLANS = ("enable_seqscan", "enable_hashjoin", "enable_mergejoin", "enable_bitmapscan")


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One backfill that is complete; `rows` were filled by this run, `rows_done` by all its runs together."""

    revision: str
    rows: int
    rows_done: int
    seconds: float
    rows_per_second: float
    passes: int
    held_back_seconds: float

    def as_json(self) -> dict[str, object]:
        """For the result of the command."""
        return {
            "rows": self.rows_done,
            "rowsThisRun": self.rows,
            "seconds": round(self.seconds, 2),
            "rowsPerSecond": round(self.rows_per_second),
            "passes": self.passes,
            "heldBackSeconds": round(self.held_back_seconds, 2),
            "left": 0,
        }


def run(
    connection: Connection, todo: Sequence[Revision], settings: Settings, own: BackfillSettings, say: Say
) -> list[Outcome]:
    """Complete the backfills, in order. Raises MigrationError."""
    return [_Run(connection, Declaration.of(revision), settings, own, say).run() for revision in todo]


def left(connection: Connection, revision: Revision, own: BackfillSettings) -> int:
    """Rows still to be filled, counted now. Raises MigrationError."""
    declared = Declaration.of(revision)
    with told(declared):
        return backfill_batches.left(connection, declared, own)


def left_or_taken(
    connection: Connection, tree: Tree, applied: Applied, revision: Revision, own: BackfillSettings, say: Say
) -> int:
    """As `left`; none where an applied contract took away what would be counted. Raises MigrationError."""
    try:
        return left(connection, revision, own)
    except StatementFailedError as error:
        cause = error.__cause__
        if contract := taken.by_contract(tree, applied, revision, cause):
            say(taken.told(revision, contract))
            return 0
        if revision.revision not in applied.backfill or not isinstance(cause, psycopg.Error):
            raise
        name = revision.revision
        raise StatementFailedError(
            f"migrations: backfill {name} is recorded as complete, and {taken.unasked(revision, cause)}; "
            "nothing was changed"
        ) from cause


def require_complete(
    connection: Connection, tree: Tree, contracts: Sequence[Revision], own: BackfillSettings, say: Say
) -> None:
    """Refuse a contract while a backfill it needs is not complete. Raises BackfillIncompleteError.

    On record is not enough: rows may have come since, from a writer that nothing keeps in step.
    """
    by_name = {revision.revision: revision for revision in tree.backfill}
    applied = history.applied(connection)
    for contract in contracts:
        for name in contract.needs_backfills:
            gate.require_needs([by_name[name]], applied.all)  # what the backfill looks at may not be there yet
            rows = left_or_taken(connection, tree, applied, by_name[name], own, say)
            if rows or name not in applied.backfill:
                known = name in applied.backfill
                state = "is recorded as complete" if known else "is not complete"
                # What the release's gate found is on record, and it found it complete.
                how = "`python -m migrations backfill` as a task" if known else "the backfill (`pulumi up` does)"
                raise BackfillIncompleteError(
                    f"migrations: contract {contract.revision} needs backfill {name}, which {state}: {rows} rows of "
                    f"{by_name[name].settings['table']} are still to be filled, counted now; nothing was changed; "
                    f"run {how}, then the contract"
                )


class _Run:
    """One backfill in this run."""

    def __init__(
        self, connection: Connection, declared: Declaration, settings: Settings, own: BackfillSettings, say: Say
    ) -> None:
        self._connection, self._declared, self._settings, self._own = connection, declared, settings, own
        self._what = f"backfill {declared.name}"
        self._say: Say = lambda line: say(f"{self._what}: {line}")
        self._plain = say
        # By then batches have their size: a small one's commit is no measure of a large one's.
        self._commits = Latency("a commit", own, first=RECENT)
        self._tries = Tries(connection, declared, settings.budgets.lock["backfill"], self._say)
        self._began = time.monotonic()

    def run(self) -> Outcome:
        """To the end. Raises MigrationError."""
        with told(self._declared):
            found = backfill_record.find(self._connection, self._declared.name)
            kept = found or self._begin()
            progress = self._progress(kept)
            passes, held = self._passes(kept, progress) if found or kept.rows_total else (0, 0.0)
            self._tries.run(self._finish)
        progress.finish()
        return Outcome(
            revision=self._declared.name,
            rows=progress.rows,
            rows_done=progress.done,
            seconds=progress.seconds,
            rows_per_second=progress.rows_per_second,
            passes=passes,
            held_back_seconds=held,
        )

    def _finish(self) -> None:
        seconds = round(time.monotonic() - self._began, 3)
        backfill_record.finish(self._connection, self._declared, self._settings, seconds)

    def _left(self) -> int:
        return self._tries.run(lambda: backfill_batches.left(self._connection, self._declared, self._own))

    def _begin(self) -> backfill_record.Kept:
        total = self._left()
        self._say(f"{total:,} rows of {self._declared.table} to fill")
        return backfill_record.begin(self._connection, self._declared, total, self._settings)

    def _progress(self, kept: backfill_record.Kept) -> Progress:
        return Progress(
            name=self._declared.name,
            total=kept.rows_total,
            done=kept.rows_done,
            say=self._plain,
            every=self._own.progress_seconds,
            service=self._own.service,
        )

    def _passes(self, kept: backfill_record.Kept, progress: Progress) -> tuple[int, float]:
        """Pass after pass until the count is 0; answers how many, and the seconds held back."""
        if kept.rows_done:
            self._say(f"goes on after {kept.rows_done:,} rows that an earlier run filled")
        kind = key_type(self._connection, self._declared)
        reads, position = Latency("a read", self._own), kept.position
        throttle = self._throttle(reads)
        for line in blind_spots(self._connection, self._own):
            self._say(line)
        with sampling(self._settings, self._declared, reads, self._say), _session(self._connection, self._own):
            for number in range(1, self._own.passes + 1):
                self._one_pass(Batches(self._connection, self._declared, kind, self._own), position, throttle, progress)
                rows = self._left()
                if not rows:
                    return number, throttle.held_seconds
                backfill_record.rewind(self._connection, self._declared.name)
                position = None
                if number < self._own.passes:
                    self._say(f"{rows:,} rows are left after pass {number}: locked then, or written since; once more")
                    time.sleep(_PASS_PAUSE_SECONDS)
        raise self._never_complete(rows)

    def _throttle(self, reads: Latency) -> Throttle:
        return Throttle(
            settings=self._own,
            probes=(
                partial(replica_lag, self._connection, self._own.replica_lag_seconds),
                partial(active_sessions, self._connection, self._own.active_sessions),
            ),
            latencies=(reads, self._commits),
            say=self._say,
        )

    def _one_pass(self, batches: Batches, position: str | None, throttle: Throttle, progress: Progress) -> None:
        end = batches.last_key()
        while end is not None:
            batch = self._tries.run(partial(batches.next, position, end), batches.shrink)
            self._commits.add(batch.commit_seconds)
            progress.add(batch.filled, throttle.held_seconds)
            if batch.position is None:
                return
            position = batch.position
            throttle.after(batch.seconds)

    def _never_complete(self, rows: int) -> BackfillIncompleteError:
        # EXCLUSIVE is in the way of nothing but row locks and more.
        lookout = Lookout(tables=(self._declared.regclass,), mode="EXCLUSIVE")
        found = lookout.find_surely(self._connection, _PASS_PAUSE_SECONDS)
        by = found[0].in_full() if found else "no long transaction holds them, so something goes on writing such rows"
        return BackfillIncompleteError(
            f"migrations: {self._what}: {rows} rows of {self._declared.table} are still to be filled after "
            f"{self._own.passes} passes: {by}; expected 0; {KEPT}; a version that serves must not write rows that "
            f"`todo` counts (a trigger of {self._declared.revision.depends_on[0]} can fill them)"
        )


@contextmanager
def _session(connection: Connection, own: BackfillSettings) -> Iterator[None]:
    """Limits of a batch. Plans by the key's index whatever the statistics say: another one reads the whole table."""
    before = {name: connection.execute(f"SHOW {name}").fetchone() for name in ("lock_timeout", "statement_timeout")}
    wanted = {"lock_timeout": f"{own.lock_timeout_milliseconds}ms", "statement_timeout": _STATEMENT_TIMEOUT}
    _set(connection, {**wanted, **dict.fromkeys(_PLANS, "off")})
    yield
    _set(connection, {**{name: str(row[0]) for name, row in before.items() if row}, **dict.fromkeys(_PLANS, "on")})


def _set(connection: Connection, values: Mapping[str, str]) -> None:
    for name, value in values.items():
        connection.execute("SELECT set_config(%s, %s, false)", (name, value))
