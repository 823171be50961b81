"""The story: what a team does with a service in its life, step by step, with customers on it all the time."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import psutil

from rehearsal import account, gone, records, report, verify
from rehearsal.acting import Acting, Failure, StepError
from rehearsal.engine import Outcome
from rehearsal.schema import SchemaSteps
from rehearsal.stage import Stage

WARM_UP_SECONDS = 3.0


BROKEN = Failure(tree="broken-migration", reasons=("expand e0004 (", "contains null values"))
UNHEALTHY = Failure(tree="never-healthy", reasons=("price service: no answer", "health checks"))


class Story(Acting):
    """The steps in their order. Each answers a line for the table, or raises."""

    def __init__(self, stage: Stage) -> None:
        """Play on this stage."""
        super().__init__(stage)
        self.schema = SchemaSteps(stage)
        self.rolled_back: Outcome | None = None
        self.released: Outcome | None = None  # the latest release
        self.processes: list[psutil.Process] = []  # what ran, and where it listened, before all was destroyed
        self.addresses: set[gone.Address] = set()

    def steps(self) -> Iterator[tuple[str, Callable[[], str]]]:
        """Name and action of each step."""
        yield "start the embedded AWS", self.start
        yield "first release: v1 on an empty database", self.first_release
        yield "nothing to do: preview, refresh, diff", self.no_change
        yield "load on", self.load_on
        yield "release v2 while a transaction holds the table", self.blocked_release
        yield "its backfill, under load", self.schema.backfilled
        yield "roll back to v1, across the expand", self.roll_back
        yield "release v2 again", lambda: self.release("v2")
        yield "a release whose migration fails", lambda: self.failing(BROKEN)
        yield "the next up repairs", lambda: self.release("v2")
        yield "a release that never becomes healthy", lambda: self.failing(UNHEALTHY)
        yield "the next up repairs again", lambda: self.release("v2")
        yield "release v3", lambda: self.release("v3")
        yield "roll back to v2", lambda: self.back("v2")
        yield "release v3 again", lambda: self.release("v3")
        yield "contract refused while a task of v2 lives", lambda: self.schema.contract_refused("v2")
        yield "v2 is gone: contract", lambda: self.schema.contract("v3")
        yield "roll back to v2 refused, across the contract", lambda: self.schema.roll_back_refused("v2", "v3")
        yield "load off, every order looked at", self.verify
        yield "destroy", self.destroy
        yield "a first release finds a database in use", self.schema.existing_database
        yield "adopt it", self.schema.adopt
        yield "destroy again", self.destroy
        yield "nothing is left", self.nothing_left

    def start(self) -> str:
        """A fresh embedded AWS, the trees and the stack."""
        self.stage.open()
        names = ", ".join(f"{tree} is {self.stage.versions[tree]}" for tree in ("v1", "v2", "v3"))
        return f"{self.stage.environment['AWS_ENDPOINT_URL']}; {names}"

    def first_release(self) -> str:
        """Everything is made, and v1 serves."""
        outcome = self.up(context=str(self.stage.trees["v1"]))
        return f"{outcome.changes.get('create', 0)} resources made, {self.serves('v1')}"

    def no_change(self) -> str:
        """Right after a release Pulumi finds nothing to do: in a preview, when it asks AWS anew, in a diff."""
        engine = self.stage.engine
        for name, operation, arguments, events in (
            ("preview", "preview", [], True),
            ("up --refresh", "up", ["--refresh", "--skip-preview", "--yes"], True),
            ("preview --diff", "preview", ["--diff"], False),
        ):
            outcome = engine.run(operation, [*arguments, "--expect-no-changes"], events=events)
            if outcome.code:
                raise StepError(f"{name}: exit code {outcome.code}, expected no change: {outcome.message[:600]}")
            self.stage.show(f"pulumi {name}: no change, {outcome.seconds:.1f} s")
        if not re.search(r"^\s*\d+ unchanged$", outcome.log.read_text(encoding="utf-8"), re.MULTILINE):
            raise StepError(f"preview --diff: no line says how much is unchanged, see {outcome.log.name}")
        return "none of them found a change"

    def load_on(self) -> str:
        """Customers come, and stay until the load is taken off."""
        stage = self.stage
        stage.start_load(self.outputs()["url"])
        time.sleep(WARM_UP_SECONDS)
        if not stage.generator or not stage.generator.running():
            raise StepError("load: ended by itself, see load.stderr")
        return str(stage.generator)

    def release(self, tree: str) -> str:
        """`pulumi up` with what this tree holds; afterwards it has all traffic."""
        self.released = self.up(context=str(self.stage.trees[tree]), version="", previous="warm")
        return self.serves(tree)

    def blocked_release(self) -> str:
        """v2 for the first time, with rows from before and a transaction in its way."""
        detail, self.released = self.schema.blocked_expand("v2")
        return detail

    def back(self, tree: str) -> str:
        """Ask for a version that is still warm by its name: no build, no migration, one step."""
        self.up(version=self.stage.versions[tree])
        return self.serves(tree)

    def roll_back(self) -> str:
        """To v1, and note when the last request went to v2."""
        self.rolled_back = self.up(version=self.stage.versions["v1"])
        detail = self.serves("v1")
        flips = [
            change.time for change in self.stage.changes() if change.weights and change.time >= self.rolled_back.began
        ]
        return f"{detail}; flip {flips[0] - self.rolled_back.began:.1f} s after the command" if flips else detail

    def failing(self, failure: Failure) -> str:
        """A release that must fail for its own reason, and move nothing."""
        tree = str(self.stage.trees[failure.tree])
        return f"nothing moved; it says: {self.refused(failure, context=tree, version='', previous='warm')}"

    def verify(self) -> str:
        """Take the load off, then count."""
        stage = self.stage
        url = self.outputs()["url"]
        stage.stop_load()
        found = stage.report
        found.orders = verify.orders(url, stage.folder / "orders.jsonl")
        self.count()
        if not found.orders.good:
            raise StepError(f"orders missing {found.orders.missing}, with wrong content {found.orders.wrong}")
        if found.traffic.lost or found.traffic.wrong_color:
            raise StepError(f"lost {found.traffic.lost}, answered by the wrong color {found.traffic.wrong_color}")
        return f"{found.orders.expected} orders, {found.traffic.requests} requests, none lost"

    def count(self) -> None:
        """Judge the requests; also when the story ended early."""
        stage = self.stage
        path = stage.folder / "requests.tsv"
        if not path.exists():
            return
        found = list(records.read(path))
        stage.report.weights = stage.changes()
        stage.report.traffic = report.traffic(found, stage.timeline())
        if self.schema.blocked is not None:
            stage.report.blocked_worst = report.slowest(found, self.schema.blocked)
        if self.rolled_back is not None:
            began = self.rolled_back.began
            last = report.last_answer(found, stage.versions["v2"], began, began + self.rolled_back.seconds)
            stage.report.rollback_seconds = None if last is None else round(last - began, 2)

    def destroy(self) -> str:
        """`pulumi destroy`."""
        self._note()
        outcome = self.checked(self.stage.engine.destroy())
        self.stage.live.forget()
        return f"{outcome.changes.get('delete', 0)} resources removed"

    def _note(self) -> None:
        """What runs and where it listens, while everything is there: afterwards nobody could tell."""
        stage = self.stage
        self.processes = gone.processes_of(stage.embedded.folder)
        balancer, database = urlsplit(self.outputs()["url"]), stage.live.database()["Endpoint"]
        known = {
            (str(balancer.hostname), balancer.port or 80),
            (str(database["Address"]), int(database["Port"])),
        }
        if closed := [address for address in sorted(known) if not gone.answers(address)]:
            raise StepError(f"nothing answers at {closed[0][0]}:{closed[0][1]}, expected it until the destroy")
        self.addresses = known | gone.listening(self.processes)

    def nothing_left(self) -> str:
        """No resource, no process, no port."""
        stage, folder = self.stage, self.stage.embedded.folder
        if left := account.leftovers(stage.live.client, stage.live.prefix):
            raise StepError(f"{len(left)} left in the account: {', '.join(left[:8])}")
        stage.embedded.stop()
        if running := gone.outlive([*self.processes, *gone.processes_of(folder)]):
            raise StepError(f"{len(running)} still run: {', '.join(gone.told(running)[:4])}")
        if still := gone.open_still(self.addresses, folder):
            raise StepError(f"something still answers at {', '.join(f'{host}:{port}' for host, port in still[:4])}")
        return f"no resource, and none of {len(self.processes)} processes and {len(self.addresses)} ports"
