"""kill -9 of the command at random moments of each phase: the next run completes, and each revision is applied once.

The moments are drawn with a seed: after so many lines of progress, and a pause. Each try has a database of its own.
"""

import os
import random
import secrets
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from tests.support.allowed import allow_all
from tests.support.trees_on_disk import BASE, migrate, result_of

pytestmark = pytest.mark.slow
KILLS = {"expand": 9, "backfill": 5, "contract": 6}
ROWS = 120
LONGEST_PAUSE = 0.3
REVISION = '''"""A revision of a test."""

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
COUNT = "INSERT INTO counter SELECT '{name}' FROM pg_sleep(0.15)"
SETTINGS = {
    "MIGRATION_REFUSE_DRIFT": "never",  # the test's own table and trigger
    "MIGRATION_BACKFILL_BATCH_ROWS_LEAST": "10",
    "MIGRATION_BACKFILL_BATCH_ROWS_MOST": "10",
    "MIGRATION_BACKFILL_PROGRESS_SECONDS": "1",
}
# Committed work counts, and only that: what a killed run undid leaves no row.
WATCHED = """
CREATE FUNCTION slow(text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_sleep(0.002); RETURN $1; END $$;
CREATE TABLE counter (what text);
CREATE FUNCTION counted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN INSERT INTO counter VALUES ('order ' || new.id); RETURN new; END $$;
CREATE TRIGGER counted AFTER UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION counted();
"""


@dataclass
class Before:
    """A database as it is before a phase, to be copied."""

    phase: str
    template: str
    revisions: tuple[str, ...]  # of the phase
    lines: int = 0  # that an undisturbed run of it says


def write(tree, folder, name, down, body, source="alembic import op", more=""):
    file = tree / "migrations" / folder / f"{name}_test.py"
    file.write_text(REVISION.format(name=name, down=down, body=body, source=source, more=more))
    (file.parent / "HEAD").write_text(f"{name}_test\n")


@pytest.fixture(scope="module")
def tree(schema_trees, tmp_path_factory):
    """v3 with revisions that take their time: in a transaction, an index outside of one, and after the contract."""
    tree = tmp_path_factory.mktemp("killed") / "tree"
    shutil.copytree(schema_trees["v3"], tree)
    write(tree, "expand", "e0003", "e0002", f'op.execute("{COUNT.format(name="e0003")}")')
    outside = ("migrations import concurrently", "outside_transaction = True")
    index = 'concurrently.create_index("by_customer", "orders", ("slow(customer)",))'
    write(tree, "expand", "e0004", "e0003", index, *outside)
    write(tree, "expand", "e0005", "e0004", f'op.execute("{COUNT.format(name="e0005")}")')
    add = 'concurrently.add_constraint("orders", "slowly", "CHECK (slow(customer) <> \'\')")'
    validate = 'concurrently.validate_constraint("orders", "slowly")'
    write(tree, "contract", "c0003", "c0002", f"{add}\n    {validate}", *outside)
    write(tree, "contract", "c0004", "c0003", f'op.execute("{COUNT.format(name="c0004")}")')
    return allow_all(tree)


@contextmanager
def copy_of(server, template):
    """A database like another one."""
    name = f"t{secrets.token_hex(6)}"
    with server.connect("postgres") as admin:
        admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    try:
        yield name
    finally:
        with server.connect("postgres") as admin:
            admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(scope="module")
def stages(schema_server, schema_trees, tree):
    """The database before each phase."""
    with schema_server.database() as first:
        result_of(migrate(schema_trees["v1"], schema_server.environment(first), "expand", "v1"))
        with schema_server.connect(first) as connection:
            connection.execute(
                "INSERT INTO orders (reference, customer, price) SELECT 'r' || n, 'c' || n, n || '.50 EUR'"
                " FROM generate_series(1, %s) AS n",
                (ROWS,),
            )
            connection.execute(WATCHED)
        with copy_of(schema_server, first) as second:
            expand = lines_of(schema_server, tree, second, "expand")
            with copy_of(schema_server, second) as third:
                backfill = lines_of(schema_server, tree, third, "backfill")
                with copy_of(schema_server, third) as last:
                    contract = lines_of(schema_server, tree, last, "contract")
                yield [
                    Before("expand", first, ("e0002", "e0003", "e0004", "e0005"), expand),
                    Before("backfill", second, ("b0001",), backfill),
                    Before("contract", third, ("c0001", "c0002", "c0003", "c0004"), contract),
                ]


def lines_of(server, tree, name, phase):
    """How many lines of progress a run says."""
    run = migrate(tree, environment(server, name), phase, "v3")
    assert result_of(run)["applied"]
    return len(run.stdout.splitlines()) - 1


def environment(server, name):
    return {**server.environment(name), **SETTINGS}


def completed(server, tree, name, phase):
    return result_of(migrate(tree, environment(server, name), phase, "v3"))


def killed(server, tree, name, before, chance):
    """Start a run and kill it at a random moment; False where it came to its end before that."""
    runner = subprocess.Popen(
        [sys.executable, "-m", "migrations", before.phase], cwd=tree, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, env={**BASE, "APP_VERSION": "v3", **environment(server, name)},
    )  # fmt: skip
    with runner:
        for _ in range(chance.randint(0, before.lines - 1)):
            if not runner.stdout.readline():
                break
        try:
            runner.wait(chance.uniform(0, LONGEST_PAUSE))
        except subprocess.TimeoutExpired:
            os.kill(runner.pid, signal.SIGKILL)
        runner.stdout.read()
        assert runner.wait(20) in (0, -signal.SIGKILL)
    return runner.returncode != 0


def counted(connection):
    return dict(connection.execute("SELECT what, count(*) FROM counter GROUP BY what").fetchall())


def check(connection, before):
    """Every revision of the phase is applied, once, and nothing is left half done."""
    one = connection.execute
    rows = [row[0] for row in one("SELECT revision FROM schema_history WHERE phase = %s", (before.phase,))]
    assert sorted(rows) == sorted({*before.revisions, *(["e0001"] if before.phase == "expand" else [])})
    assert one("SELECT count(*) FROM schema_marks").fetchone() == (0,)
    assert one("SELECT count(*) FROM pg_index WHERE NOT indisvalid OR NOT indisready").fetchone() == (0,)
    assert one("SELECT count(*) FROM pg_index WHERE indexrelid = to_regclass('by_customer')").fetchone() == (1,)
    counts = counted(connection)
    assert set(counts.values()) == {1}, {what: count for what, count in counts.items() if count != 1}
    assert {what for what in counts if not what.startswith("order")} == {
        "e0003", "e0005", *(["c0004"] if before.phase == "contract" else []),
    }  # fmt: skip
    if before.phase != "expand":
        assert sum(what.startswith("order") for what in counts) == ROWS
        assert one("SELECT count(*) FROM orders WHERE amount_cents IS NULL").fetchone() == (0,)
    if before.phase == "contract":
        assert one("SELECT bool_and(convalidated) FROM pg_constraint WHERE conrelid = 'orders'::regclass").fetchone()[0]


@pytest.mark.parametrize("phase", KILLS)
def test_killed_at_random_points_the_next_run_completes_and_each_revision_is_applied_once(
    schema_server, tree, stages, phase
):
    before = next(one for one in stages if one.phase == phase)
    chance = random.Random(f"seed {phase}")  # noqa: S311 - to be drawn again in the same way
    hit = 0
    for _ in range(3 * KILLS[phase]):
        with copy_of(schema_server, before.template) as name:
            hit += killed(schema_server, tree, name, before, chance)
            completed(schema_server, tree, name, phase)
            with schema_server.connect(name) as connection:
                check(connection, before)
        if hit == KILLS[phase]:
            break
    assert hit == KILLS[phase]


def test_twin_work_that_is_not_in_one_transaction_with_its_history_is_done_twice(schema_server, tree, stages, tmp_path):
    """As a runner would do it that writes the history afterwards: the check above sees it."""
    careless = tmp_path / "careless"
    shutil.copytree(tree, careless)
    file = careless / "migrations/runner.py"
    text = file.read_text()
    recorded = "            context.run_migrations()\n"
    assert recorded in text
    die = "            import os; os.kill(os.getpid(), 9) if revision.revision == 'e0003' else None\n"
    forget = "            connection.execute(\"DELETE FROM schema_history WHERE revision = 'e0003'\")\n"
    back = "            connection.execute(\"UPDATE alembic_version SET version_num = 'e0002'\")\n"
    commit = "            connection.commit()\n"
    file.write_text(text.replace(recorded, recorded + forget + back + commit + die))
    with copy_of(schema_server, stages[0].template) as name:
        run = migrate(careless, environment(schema_server, name), "expand", "v3")
        assert run.returncode == -signal.SIGKILL
        completed(schema_server, tree, name, "expand")
        with schema_server.connect(name) as connection:
            assert counted(connection)["e0003"] == 2
            with pytest.raises(AssertionError, match="e0003"):
                check(connection, stages[0])
