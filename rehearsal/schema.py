"""The steps in which the schema moves: a blocked expand, a backfill, contracts that must wait, a way back that is no
more, and a database that other tools made."""

from __future__ import annotations

import time
from pathlib import Path

from rehearsal.acting import Acting, Failure, StepError
from rehearsal.blocker import blocker
from rehearsal.engine import Outcome
from rehearsal.stage import Stage

TABLE, REMOVED, CONTRACT, BACKFILL = "orders", "price", "c0002", "b0001"
OLD_ROWS = 30_000
BLOCK_SECONDS = 20.0  # from before the `up`: the image is built, planned and its task started first
TASK_SECONDS = 60.0
LEGACY = Path(__file__).with_name("legacy.sql")
BASELINE = "e0001"
LEGACY_ROWS = 500
_NOT_QUEUEING = "not queueing"


class SchemaSteps(Acting):
    """Each answers a line for the table, or raises."""

    def __init__(self, stage: Stage) -> None:
        """Play on this stage."""
        super().__init__(stage)
        self.blocked: tuple[float, float] | None = None  # while the expand had to wait, seconds since the epoch

    def seed(self) -> int:
        """Rows from before the expand, so that the backfill has something to do. As the smoke test's: not listed."""
        with self.stage.live.connect() as connection:
            connection.execute(
                "INSERT INTO orders (reference, customer, price, test)"
                " SELECT 'old-' || number, 'customer ' || number, number || '.25 EUR', true"
                " FROM generate_series(1, %s) AS number",
                (OLD_ROWS,),
            )
        return OLD_ROWS

    def blocked_expand(self, tree: str) -> tuple[str, Outcome]:
        """Release while a transaction holds the table that the expand changes."""
        self.seed()
        with blocker(lambda: self.stage.live.connect("nightly-dump"), TABLE, BLOCK_SECONDS) as held:
            outcome = self.up(context=str(self.stage.trees[tree]), version="", previous="warm")
            ended = held.ended
        if not ended:
            raise StepError("the release was through while the table was held, expected its expand to wait")
        self.blocked = (held.began, ended)
        if _NOT_QUEUEING not in outcome.log.read_text(encoding="utf-8"):
            raise StepError(f"the expand did not say that it waits, expected {_NOT_QUEUEING!r} in {outcome.log.name}")
        return f"{self.serves(tree)}; {TABLE} was held for {ended - held.began:.0f} s, nobody queued", outcome

    def backfilled(self) -> str:
        """The backfill of that release has filled every row, and is on record."""
        live = self.stage.live
        left = live.ask("SELECT count(*) FROM orders WHERE amount_cents IS NULL OR currency IS NULL")[0][0]
        if left:
            raise StepError(f"{left} rows of {TABLE} are not filled, expected the backfill {BACKFILL} to have done it")
        found = live.ask(
            "SELECT rows_done, extract(epoch FROM finished_at - started_at)::float8 FROM schema_backfills"
            " WHERE revision = %s AND finished_at IS NOT NULL",
            BACKFILL,
        )
        if not found or found[0][0] < OLD_ROWS:
            raise StepError(f"schema_backfills says {found}, expected {BACKFILL} with at least {OLD_ROWS} rows")
        rows, seconds = found[0]
        return f"{rows} rows in {seconds:.1f} s under load, 0 left"

    def contract_refused(self, old: str) -> str:
        """The old color is retired, but somebody still runs a task of its version: the contract waits."""
        live = self.stage.live
        color = next(color for color, version in live.versions().items() if version == self.stage.versions[old])
        task = live.start_task(color)
        try:
            self._await_task(task, "RUNNING")
            short = task.rsplit("/", 1)[-1]
            says = f"{color} has 1 running or pending task"
            failure = Failure(tree=old, reasons=(says, short, self.stage.versions[old]))
            said = self.refused(failure, previous="retired")
            if REMOVED not in live.columns(TABLE):
                raise StepError(f"{TABLE}.{REMOVED} is gone while a task of {old} runs")
        finally:
            live.stop_task(task)
        self._await_task(task, "STOPPED")
        return f"nothing was removed; it says: {said}"

    def _await_task(self, task: str, status: str) -> None:
        deadline = time.monotonic() + TASK_SECONDS
        while (found := self.stage.live.task_status(task)) != status:
            if time.monotonic() > deadline:
                raise StepError(f"task {task} is {found} after {TASK_SECONDS:.0f} s, expected {status}")
            time.sleep(0.2)

    def contract(self, new: str) -> str:
        """The idle color is gone, so the old shape goes."""
        live = self.stage.live
        if REMOVED not in live.columns(TABLE):
            raise StepError(f"{TABLE}.{REMOVED} is gone before the contract, expected it there until now")
        self.up(previous="retired")
        found = self.outputs()["release"]
        if found["previous"]["tasks"] != 0:
            raise StepError(f"the idle color has {found['previous']['tasks']} tasks, expected 0")
        if found["schemaRevision"].rpartition("+")[2] != CONTRACT:
            raise StepError(f"schema revision {found['schemaRevision']}, expected one that ends in +{CONTRACT}")
        if REMOVED in live.columns(TABLE):
            raise StepError(f"{TABLE}.{REMOVED} is still there, expected contract {CONTRACT} to have removed it")
        self.serves(new)
        return f"old color at 0 tasks, schema {found['schemaRevision']}, {TABLE}.{REMOVED} is gone"

    def roll_back_refused(self, old: str, able: str) -> str:
        """Across a contract there is no way back, and who asks is told how far back one can go."""
        live = self.stage.live
        held = live.versions()
        says = f"the oldest version that can serve is {self.stage.versions[able]}"
        said = self.refused(Failure(tree=old, reasons=(says,)), version=self.stage.versions[old], previous="warm")
        if live.versions() != held:
            raise StepError(f"the colors hold {live.versions()}, expected {held} as before")
        return f"nothing moved; it says: {said}"

    def existing_database(self) -> str:
        """Everything but the service, then tables that another tool made: a release must not take them for its own."""
        stage = self.stage
        first = str(stage.trees["v1"])
        given = ["-c", f"bluegreen:context={first}", "-c", "bluegreen:version=", "-c", "bluegreen:previous=warm"]
        excluded = ["--exclude", "**::schema-roles", "--exclude-dependents"]
        self.checked(stage.engine.run("up", ["--skip-preview", "--yes", *given, *excluded]))
        with stage.live.connect() as connection:
            connection.execute(LEGACY.read_bytes())
        outcome = stage.engine.up()
        if not outcome.code or "adopt" not in outcome.message:
            raise StepError(f"exit code {outcome.code}, expected a refusal that says adopt: {outcome.message[:600]}")
        return "refused until it is told to adopt it"

    def adopt(self) -> str:
        """Taken over: nothing is run again, and every row is served."""
        outcome = self.up(adopt=BASELINE)
        rows = self.stage.live.ask("SELECT count(*) FROM orders WHERE reference LIKE 'legacy-%%'")[0][0]
        if rows != LEGACY_ROWS:
            raise StepError(f"{rows} of the rows from before are there, expected {LEGACY_ROWS}")
        return f"{self.serves('v1')} on {rows} rows from before, {outcome.seconds:.1f} s"
