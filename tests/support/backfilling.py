"""A tree with a backfill of a test's own, on a table of its own; and runs of it that are watched or killed."""

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from tests.support.allowed import allow_all
from tests.support.trees_on_disk import BASE, migrate, result_of
from tests.support.until import until

# Gentle on the test's patience, not on the database: nothing else is in it.
SWIFT = {"MIGRATION_BACKFILL_SHARE_PERCENT": "100", "MIGRATION_BACKFILL_LATENCY_PERCENT": "0"}
SECONDS = 60
TABLE = "CREATE TABLE items (id {kind} PRIMARY KEY, old int NOT NULL, filled int, times int NOT NULL DEFAULT 0)"
EXPAND = '''"""The table of a test."""

from alembic import op

revision = "e0002"
down_revision = "e0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make it."""
    op.execute("""{statement}""")
'''
CONTRACT = '''"""What the backfill was for."""

from alembic import op

revision = "c0001"
down_revision = None
branch_labels = ("contract",)
depends_on = "e0002"
needs_backfills = ("b0001",)


def upgrade() -> None:
    """Once every row is filled."""
    op.execute("ALTER TABLE items ALTER COLUMN filled SET NOT NULL")
'''
USUAL = {"table": "items", "key": "id", "assign": "filled = old, times = times + 1", "todo": "filled IS NULL"}


def write(tree: Path, phase: str, name: str, text: str) -> None:
    """One revision, and the head of its folder."""
    folder = tree / "migrations" / phase
    folder.mkdir(exist_ok=True)
    (folder / f"{name}_test.py").write_text(text)
    (folder / "HEAD").write_text(f"{name}\n")


@dataclass
class Filling:
    """A tree whose expand makes `items` and whose backfill fills it."""

    tree: Path
    environment: dict[str, str]
    connection: psycopg.Connection
    settings: dict[str, str] = field(default_factory=lambda: dict(SWIFT))

    def prepare(self, create: str = TABLE.format(kind="bigint"), rows: str = "", **declared: str | None) -> None:
        """Write the revisions, run the expand, put rows in."""
        self.lay(create, **declared)
        result_of(migrate(self.tree, self.environment, "expand", "v2"))
        if rows:
            self.connection.execute(rows)

    def lay(self, create: str = TABLE.format(kind="bigint"), **declared: str | None) -> None:
        """Write the revisions. `declared`: constants of the backfill over the usual."""
        write(self.tree, "expand", "e0002", EXPAND.format(statement=create))
        constants = {"revision": "b0001", "down_revision": None, "needs": "e0002", **USUAL, **declared}
        write(
            self.tree, "backfills", "b0001",
            '"""The backfill of a test."""\n\n' + "".join(f"{key} = {value!r}\n" for key, value in constants.items()),
        )  # fmt: skip
        write(self.tree, "contract", "c0001", CONTRACT)
        allow_all(self.tree)

    def run(self, command: str = "backfill", **settings: str) -> subprocess.CompletedProcess[str]:
        """A command of the tree to its end."""
        return migrate(self.tree, {**self.environment, **self.settings, **settings}, command, "v2")

    def done(self, **settings: str) -> dict[str, Any]:
        """What a backfill that succeeds says of b0001."""
        return result_of(self.run(**settings))["backfills"]["b0001"]

    def start(self, **settings: str) -> subprocess.Popen[str]:
        """The backfill beside the test, which ends it."""
        return subprocess.Popen(
            [sys.executable, "-m", "migrations", "backfill"], cwd=self.tree, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env={**BASE, "APP_VERSION": "v2", **self.environment, **self.settings, **settings},
        )  # fmt: skip

    def connect(self) -> psycopg.Connection:
        """Another autocommit session of the owner."""
        told = self.connection.info
        return psycopg.connect(
            host=told.host, port=told.port, dbname=told.dbname, user=told.user, password=told.password, autocommit=True
        )

    def one(self, query: str) -> Any:
        """The first row."""
        return self.connection.execute(query).fetchone()

    def rows_done(self) -> int:
        """As `schema_backfills` says; 0 before it says anything."""
        row = self.one("SELECT rows_done FROM schema_backfills WHERE revision = 'b0001'")
        return row[0] if row else 0

    def until(self, condition: Any) -> Any:
        """The first true answer, in bounded time."""
        return until(condition, SECONDS)

    def recorded(self) -> list[Any]:
        """The backfill's rows of `schema_history`."""
        return self.connection.execute(
            "SELECT revision, phase, version FROM schema_history WHERE phase = 'backfill'"
        ).fetchall()


def metrics_of(text: str) -> list[dict[str, Any]]:
    """The lines for CloudWatch in an output."""
    return [json.loads(line) for line in text.splitlines() if line.startswith('{"_aws"')]


def make(tree: Path, into: Path, environment: dict[str, str], connection: psycopg.Connection) -> Filling:
    """On a copy of a tree."""
    shutil.copytree(tree, into)
    return Filling(into, environment, connection)
