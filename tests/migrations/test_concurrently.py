"""Revisions outside a transaction: broken off anywhere, the next run finds what is there. On a real PostgreSQL."""

import contextlib
import shutil
import signal
import subprocess
import sys
import threading

import psycopg
import pytest

from tests.support.allowed import allow_all
from tests.support.trees_on_disk import BASE, migrate, result_of
from tests.support.until import BOUND_SECONDS, until

pytestmark = pytest.mark.slow
DEAD = "0123456789abcdef0123456789abcdef"
INDEX = 'concurrently.create_index("by_customer", "orders", ("lower(customer)", "id DESC"), where="NOT test")'
ANY_STRUCTURE = {"MIGRATION_REFUSE_DRIFT": "never"}  # where a test makes something by hand
REVISION = '''"""A revision of a test."""

from migrations import concurrently

revision = "e0002"
down_revision = "e0001"
branch_labels = None
depends_on = None
outside_transaction = True
tables = ("orders",)
lock_mode = "SHARE UPDATE EXCLUSIVE"


def upgrade() -> None:
    """Run it."""
    {body}
'''


@pytest.fixture
def outside(schema_trees, tmp_path):
    """`outside(body)`: a tree of v1 and a revision outside a transaction, whatever the lint says of it."""
    tree = tmp_path / "outside"
    shutil.copytree(schema_trees["v1"], tree)

    def write(body):
        folder = tree / "migrations/expand"
        (folder / "e0002_test.py").write_text(REVISION.format(body=body))
        (folder / "HEAD").write_text("e0002_test\n")
        return allow_all(tree)

    return write


@pytest.fixture
def orders(schema_trees, owner_environment, schema_server, schema):
    """A connection to a database with some orders."""
    result_of(migrate(schema_trees["v1"], owner_environment, "expand", "v1"))
    with schema_server.connect(schema) as connection:
        connection.execute(
            "INSERT INTO orders (reference, customer, price) SELECT 'r' || n, 'c' || n, '1.00 EUR'"
            " FROM generate_series(1, 500) AS n"
        )
        yield connection


@pytest.fixture
def writer(orders, schema_server, schema):
    """A transaction that has written an order: an index build waits until it ends."""
    assert not orders.closed
    with schema_server.connect(schema) as connection:
        connection.execute("BEGIN")
        connection.execute("UPDATE orders SET status = 'paid' WHERE id = 1")
        yield connection


def start(tree, environment):
    return subprocess.Popen(
        [sys.executable, "-m", "migrations", "expand"], cwd=tree, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, env={**BASE, "APP_VERSION": "v2", **environment, **ANY_STRUCTURE},
    )  # fmt: skip


def waiting_build(looker, runner=None):
    """The pid of a session whose index build waits for somebody."""

    def look():
        assert runner is None or runner.poll() is None, runner.communicate()
        row = looker.execute(
            "SELECT pid FROM pg_stat_progress_create_index WHERE phase LIKE 'waiting%' AND lockers_done < lockers_total"
        ).fetchone()
        return row and row[0]

    return until(look)


def valid(looker, name="by_customer"):
    """Whether an index is valid; None where there is none."""
    row = looker.execute("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%s)", (name,)).fetchone()
    return row and row[0]


def broken_off(tree, environment, looker):
    """Start a run, and kill it in the middle of its index build; returns when its server process is gone too."""
    runner = start(tree, environment)
    pid = waiting_build(looker, runner)
    runner.send_signal(signal.SIGKILL)
    runner.communicate(timeout=BOUND_SECONDS)
    until(lambda: not looker.execute("SELECT 1 FROM pg_stat_activity WHERE pid = %s", (pid,)).fetchone())
    assert valid(looker) is False
    assert looker.execute("SELECT revision, version FROM schema_marks").fetchall() == [("e0002", "v2")]
    assert looker.execute("SELECT revision FROM schema_history").fetchall() == [("e0001",)]


def complete(looker):
    assert valid(looker) is True
    assert looker.execute("SELECT count(*) FROM pg_index WHERE NOT indisvalid").fetchone() == (0,)
    assert looker.execute("SELECT count(*) FROM schema_marks").fetchone() == (0,)
    rows = looker.execute("SELECT revision, version FROM schema_history ORDER BY applied_at").fetchall()
    assert [row[0] for row in rows] == ["e0001", "e0002"]


def test_an_index_is_built_and_recorded(outside, owner_environment, orders):
    found = migrate(outside(INDEX), owner_environment, "expand", "v2")
    assert result_of(found)["applied"] == ["e0002"]
    complete(orders)
    (definition,) = orders.execute("SELECT pg_get_indexdef('by_customer'::regclass)").fetchone()
    assert "USING btree (lower(customer), id DESC) WHERE (NOT test)" in definition


def test_a_build_that_was_killed_is_dropped_and_built_again(outside, owner_environment, orders, writer):
    tree = outside(INDEX)
    broken_off(tree, owner_environment, orders)
    writer.execute("COMMIT")
    found = migrate(tree, owner_environment, "expand", "v2")
    assert result_of(found)["applied"] == ["e0002"]
    assert "expand e0002 was begun by bluegreen-migrations - v2 of version v2" in found.stdout
    assert "index by_customer is there and not valid, left by a build that was broken off: built again" in found.stdout
    complete(orders)


def test_twin_if_not_exists_takes_the_broken_index_for_a_good_one(outside, owner_environment, orders, writer):
    """The trap that create_index is there for."""
    broken_off(outside(INDEX), owner_environment, orders)
    writer.execute("COMMIT")
    trap = "CREATE INDEX CONCURRENTLY IF NOT EXISTS by_customer ON orders (lower(customer))"
    tree = outside(f'concurrently.once("{trap}", done="SELECT false")')
    assert result_of(migrate(tree, owner_environment, "expand", "v2"))["applied"] == ["e0002"]
    assert valid(orders) is False


def test_a_build_whose_history_was_not_written_is_not_built_again(outside, owner_environment, orders):
    """Killed between the statement and the row of its history."""
    tree = outside(INDEX)
    result_of(migrate(tree, owner_environment, "expand", "v2"))
    before = orders.execute("SELECT 'by_customer'::regclass::oid").fetchone()
    forget(orders)
    found = migrate(tree, owner_environment, "expand", "v2")
    assert result_of(found)["applied"] == ["e0002"]
    assert "index by_customer is there and valid" in found.stdout
    assert orders.execute("SELECT 'by_customer'::regclass::oid").fetchone() == before
    complete(orders)


def forget(connection):
    """As a kill right before the history was written leaves it."""
    connection.execute("DELETE FROM schema_history WHERE revision = 'e0002'")
    connection.execute("UPDATE alembic_version SET version_num = 'e0001' WHERE version_num = 'e0002'")
    connection.execute("INSERT INTO schema_marks (revision, version, runner) VALUES ('e0002', 'v2', 'killed')")


@pytest.fixture
def builder(orders, writer, schema_server, schema):
    """Another session that builds the index, and waits for the writer. It calls itself a runner of task DEAD."""
    connection = schema_server.connect(schema)
    connection.execute(f"SET application_name = 'bluegreen-migrations {DEAD} v0'")

    def build():
        with contextlib.suppress(psycopg.Error):
            connection.execute("CREATE INDEX CONCURRENTLY by_customer ON orders (lower(customer), id DESC)")

    thread = threading.Thread(target=build, daemon=True)
    thread.start()
    pid = waiting_build(orders)
    yield pid
    writer.rollback()
    thread.join(BOUND_SECONDS)
    connection.close()


def test_a_build_of_a_dead_runner_that_still_goes_on_is_ended(outside, owner_environment, orders, writer, builder):
    runner = start(outside(INDEX), {**owner_environment, "MIGRATION_STOPPED_TASKS": DEAD})
    lines = []
    while not (lines and "left by a build" in lines[-1]):
        line = runner.stdout.readline()
        assert line, lines
        lines.append(line)
    writer.execute("COMMIT")
    rest, _ = runner.communicate(timeout=BOUND_SECONDS)
    assert runner.returncode == 0, rest
    assert any(f"ended process {builder} " in line and f"its task {DEAD} is STOPPED" in line for line in lines)
    complete(orders)


def test_twin_a_build_of_somebody_else_is_waited_for_and_then_named(outside, owner_environment, orders, builder):
    found = migrate(outside(INDEX), {**owner_environment, "MIGRATION_LOCK_BUDGET_SECONDS": "1"}, "expand", "v2")
    assert found.returncode == 4, found.stderr
    assert f"process {builder} (bluegreen-migrations {DEAD} v0) holds orders" in found.stderr
    assert orders.execute("SELECT 1 FROM pg_stat_activity WHERE pid = %s", (builder,)).fetchone()


def test_another_index_of_that_name_is_not_taken_for_it(outside, owner_environment, orders):
    orders.execute("CREATE INDEX by_customer ON orders (customer)")
    found = migrate(outside(INDEX), {**owner_environment, **ANY_STRUCTURE}, "expand", "v2")
    assert found.returncode == 6
    assert "there is another index by_customer: CREATE INDEX by_customer ON public.orders USING btree" in found.stderr
    assert "expected one on orders as btree (lower(customer), id DESC) WHERE (NOT test)" in found.stderr


def test_a_build_that_fails_for_its_rows_says_so_without_them_and_is_repaired(outside, owner_environment, orders):
    orders.execute("UPDATE orders SET customer = 'Jane Doe' WHERE id < 3")
    tree = outside('concurrently.create_index("by_customer", "orders", ("customer",), unique=True)')
    failed = migrate(tree, owner_environment, "expand", "v2")
    assert failed.returncode == 6
    assert "could not create unique index" in failed.stderr
    assert "the next run goes on from there" in failed.stderr
    assert "Jane" not in failed.stderr + failed.stdout
    assert valid(orders) is False
    orders.execute("UPDATE orders SET customer = 'c' || id WHERE id < 3")
    result_of(migrate(tree, owner_environment, "expand", "v2"))
    complete(orders)


def test_a_build_waits_for_a_writer_longer_than_a_lock_may_be_waited_for(outside, owner_environment, orders, writer):
    """Its lock makes nobody wait who reads or writes, so one try is enough."""
    runner = start(outside(INDEX), owner_environment)
    waiting_build(orders, runner)
    orders.execute("SELECT pg_sleep(1.2)")  # longer than any lock_timeout
    orders.execute("UPDATE orders SET status = 'paid' WHERE id = 2")
    writer.execute("COMMIT")
    output, _ = runner.communicate(timeout=BOUND_SECONDS)
    assert runner.returncode == 0, output
    assert "try" not in output
    complete(orders)


def test_a_session_that_is_ended_in_a_build_is_told_as_that(outside, owner_environment, orders, writer):
    tree = outside(INDEX)
    runner = start(tree, owner_environment)
    orders.execute("SELECT pg_terminate_backend(%s)", (waiting_build(orders, runner),))
    output, _ = runner.communicate(timeout=BOUND_SECONDS)
    assert runner.returncode == 7, output
    assert "the session ended while it was in use" in output
    writer.execute("COMMIT")
    result_of(migrate(tree, owner_environment, "expand", "v2"))
    complete(orders)


PARTED = """
CREATE TABLE parted (id bigint NOT NULL) PARTITION BY RANGE (id);
CREATE TABLE part PARTITION OF parted FOR VALUES FROM (0) TO (10);
CREATE TABLE other (id bigint NOT NULL);
ALTER TABLE orders ADD CONSTRAINT positive CHECK (id > 0) NOT VALID;
CREATE INDEX old ON orders (status);
CREATE INDEX worn ON orders (reference);
"""
OPERATIONS = {
    'concurrently.add_constraint("orders", "named", "CHECK (customer <> \':none\')")': (
        "SELECT NOT convalidated FROM pg_constraint WHERE conname = 'named'"
    ),
    'concurrently.validate_constraint("orders", "positive")': (
        "SELECT convalidated FROM pg_constraint WHERE conname = 'positive'"
    ),
    'concurrently.drop_index("old")': "SELECT to_regclass('old') IS NULL",
    'concurrently.reindex("worn")': "SELECT indisvalid FROM pg_index WHERE indexrelid = 'worn'::regclass",
    'concurrently.attach_partition("parted", "other", "FOR VALUES FROM (10) TO (20)")': (
        "SELECT count(*) = 2 FROM pg_inherits WHERE inhparent = 'parted'::regclass"
    ),
    'concurrently.detach_partition("parted", "part")': (
        "SELECT count(*) = 0 FROM pg_inherits WHERE inhparent = 'parted'::regclass"
    ),
    'concurrently.once("ALTER TABLE orders ADD COLUMN nn text DEFAULT \'5%:x\'", done="SELECT EXISTS (SELECT FROM '
    "pg_attribute WHERE attrelid = 'orders'::regclass AND attname LIKE 'n%')\")": (
        "SELECT bool_and(nn = '5%:x') AND count(*) = 500 FROM orders"
    ),
    'concurrently.create_index("included", "orders", ("id",), unique=True, include=("status",), '
    "where=\"customer LIKE 'c%' AND price::text <> ':x'\")": (
        "SELECT indisvalid AND indisunique FROM pg_index WHERE indexrelid = 'included'::regclass"
    ),
}


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda text: text.partition("(")[0].partition(".")[2])
def test_each_operation_can_be_run_again(outside, owner_environment, orders, operation):
    orders.execute(PARTED)
    tree = outside(operation)
    for _ in range(2):
        found = migrate(tree, {**owner_environment, **ANY_STRUCTURE}, "expand", "v2")
        assert result_of(found)["applied"] == ["e0002"]
        assert orders.execute(OPERATIONS[operation]).fetchone() == (True,)
        forget(orders)


def test_a_rebuild_that_was_killed_leaves_nothing_behind_in_the_end(outside, owner_environment, orders, request):
    orders.execute("CREATE INDEX by_customer ON orders (customer)")
    writer = request.getfixturevalue("writer")
    tree = outside('concurrently.reindex("by_customer")')
    runner = start(tree, owner_environment)
    pid = waiting_build(orders, runner)
    runner.send_signal(signal.SIGKILL)
    runner.communicate(timeout=BOUND_SECONDS)
    until(lambda: not orders.execute("SELECT 1 FROM pg_stat_activity WHERE pid = %s", (pid,)).fetchone())
    assert orders.execute("SELECT count(*) FROM pg_index WHERE NOT indisvalid").fetchone() == (1,)
    writer.execute("COMMIT")
    found = migrate(tree, {**owner_environment, **ANY_STRUCTURE}, "expand", "v2")
    assert result_of(found)["applied"] == ["e0002"]
    assert "is left by a rebuild that was broken off: dropped" in found.stdout
    complete(orders)


def test_what_comes_after_a_patient_operation_waits_no_longer_than_before(outside, owner_environment, orders):
    """The build waits as long as a statement may take at all; the next statement makes others wait again."""
    seen = "CREATE TABLE seen AS SELECT current_setting('lock_timeout') AS value"
    body = f'{INDEX}\n    concurrently.once("{seen}", done="to_regclass(\'seen\') IS NOT NULL")'
    result_of(migrate(outside(body), owner_environment, "expand", "v2"))
    assert orders.execute("SELECT value FROM seen").fetchall() == [("100ms",)]
