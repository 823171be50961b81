"""A stage for the story's steps: stand-ins for the engine and for AWS, on which everything is as it should be."""

from pathlib import Path
from types import SimpleNamespace

from rehearsal.engine import Outcome
from rehearsal.report import Report
from rehearsal.story import Story
from rehearsal.weights import Change

WHY = 'migrations: expand e0004 (x.py) failed: column "discount_cents" contains null values; nothing was kept'


class Session:
    """Notes what it was asked to run."""

    def __init__(self, ran):
        self.ran = ran

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return False

    def execute(self, statement, _values=()):
        self.ran.append(str(statement))

    def rollback(self):
        self.ran.append("rollback")

    def close(self):
        self.ran.append("close")


class Play:
    """A stage on which everything is as it should be; tests spoil one thing."""

    def __init__(self):
        self.weights = {"blue": 0, "green": 100}
        self.held = {"blue": "v-1", "green": "v-2"}
        self.ran = []
        self.shown = []
        self.outcome = Outcome(began=100.0, seconds=5.0, log=Path("log"))
        self.release = {"previous": {"tasks": 0}, "schemaRevision": "e0002+c0002"}
        self.columns = {"id", "price", "amount_cents"}
        self.drops = {"price"}  # by an `up` that retires the previous color
        self.url = "http://127.0.0.1:1"
        self.database = {"Address": "127.0.0.1", "Port": 1}
        self.running = True
        self.answers = {}  # rows, by a word of the query
        self.statements = []
        self.task = ["PENDING", "RUNNING"]
        self.stopped = []
        self.moves = [Change(time=1.0, weights={"v-1": 100})]
        self.left = []
        self.during_up = lambda: None
        stage = SimpleNamespace(
            trees={name: Path(f"/trees/{name}") for name in ("v1", "v2", "v3", "broken-migration", "never-healthy")},
            versions={"v1": "v-1", "v2": "v-2", "v3": "v-3"},
            live=SimpleNamespace(
                weights=lambda: dict(self.weights),
                versions=lambda: dict(self.held),
                weights_by_version=lambda: {self.held[color]: weight for color, weight in self.weights.items()},
                columns=lambda _table: set(self.columns),
                database=lambda: {"Endpoint": self.database},
                connect=lambda *_: Session(self.statements),
                ask=lambda query, *_: next(rows for word, rows in self.answers.items() if word in query),
                start_task=lambda color: f"arn:task/{color}-by-hand",
                stop_task=self.stop_task,
                task_status=lambda _: self.task.pop(0) if len(self.task) > 1 else self.task[0],
                forget=lambda: None,
                client=None,
                prefix="bluegreen-local",
            ),
            engine=SimpleNamespace(
                up=self.up,
                run=self.run,
                destroy=lambda: self.outcome,
                outputs=lambda: {"release": self.release, "url": self.url},
            ),
            generator=SimpleNamespace(running=lambda: self.running),
            embedded=SimpleNamespace(stop=lambda: None, folder=Path("/nobody/knows/this/folder")),
            environment={"AWS_ENDPOINT_URL": "http://127.0.0.1:1"},
            report=Report(started=1.0, rps=1),
            show=self.shown.append,
            changes=lambda: list(self.moves),
        )
        self.story = Story(stage)

    def up(self, **settings):
        self.ran.append(settings)
        self.during_up()
        if settings.get("previous") == "retired" and not self.outcome.code:
            self.columns -= self.drops
        return self.outcome

    def run(self, operation, arguments, *, events=True):
        self.ran.append((operation, *arguments, events))
        return self.outcomes.pop(0)

    def stop_task(self, arn):
        self.stopped.append(arn)
        self.task = ["STOPPED"]
