"""How long a phase, a statement and a try may take, and which failure is tried again. On a real PostgreSQL."""

import subprocess
import sys
import threading

import pytest

from migrations.errors import Exit
from migrations.locking.blockers import STRONGEST
from migrations.locking.limits import Limits, restored
from tests.support.trees_on_disk import BASE, migrate, result_of

pytestmark = pytest.mark.slow
TABLES = 'tables = ("orders",)'
DRIFT = {"MIGRATION_REFUSE_DRIFT": "never"}  # a test makes things beside the revisions
ADD = "ALTER TABLE orders ADD COLUMN note text"


def history(server, name):
    with server.connect(name) as connection:
        return [row[0] for row in connection.execute("SELECT revision FROM schema_history ORDER BY applied_at")]


def test_a_statement_over_its_limit_is_ended(own_tree, owner_environment, schema_server, schema):
    tree = own_tree("SELECT pg_sleep(60)", settings='statement_timeout = "200ms"')
    found = migrate(tree, owner_environment, "expand", "v1")
    assert found.returncode == Exit.OUT_OF_TIME
    assert "canceling statement due to statement timeout, its limit is 0.2 s" in found.stderr
    assert history(schema_server, schema) == ["e0001"]


def test_a_transaction_that_does_nothing_is_ended(own_tree, owner_environment, schema_server, schema):
    tree = own_tree("SELECT 1", settings='statement_timeout = "200ms"')
    file = tree / "migrations" / "expand" / "e0002_test.py"
    file.write_text(file.read_text() + '    import time\n\n    time.sleep(2)\n    op.execute("SELECT 2")\n')
    found = migrate(tree, owner_environment, "expand", "v1")
    assert found.returncode == Exit.OUT_OF_TIME, found.stderr
    assert "idle-in-transaction timeout, its limit is 0.2 s" in found.stderr
    assert len(found.stderr.strip().splitlines()) == 1
    assert history(schema_server, schema) == ["e0001"]


def test_the_time_of_the_phase_ends_what_no_other_limit_ends(own_tree, owner_environment, schema_server, schema):
    """Each statement is within its limit, all together are not; what was applied before stays."""
    own_tree("CREATE TABLE kept (id int)")
    many = "SELECT pg_sleep(0.2) FROM generate_series(1, 1000)"
    tree = own_tree(many, name="e0003", down="e0002", settings='statement_timeout = "5min"')
    found = migrate(tree, {**owner_environment, "MIGRATION_TASK_SECONDS": "8"}, "expand", "v1")
    assert found.returncode == Exit.OUT_OF_TIME
    assert "expand e0003: the time of the whole phase is over" in found.stderr
    assert "what was applied before it stays" in found.stderr
    assert history(schema_server, schema) == ["e0001", "e0002"]


@pytest.mark.usefixtures("ready")
def test_no_time_is_left_for_another_try_is_another_end_than_no_lock(
    own_tree, owner_environment, schema_server, schema
):
    """The budget for locks ends first and has its own exit code; see also `budgets`."""
    tree = own_tree(ADD, settings=TABLES)
    with schema_server.connect(schema) as holder, holder.transaction():
        holder.execute("SELECT count(*) FROM orders")
        holder.execute("SELECT pg_sleep(0.3)")
        found = migrate(tree, {**owner_environment, "MIGRATION_TASK_SECONDS": "8"}, "expand", "v2")
    assert found.returncode == Exit.LOCK_NOT_OBTAINED
    assert "(of 5 s for the locks of the phase) and 0 tries: process" in found.stderr


@pytest.mark.usefixtures("ready")
def test_a_deadlock_is_tried_again(own_tree, owner_environment, schema_server, schema):
    """Ours holds one table and waits for the other's, the other waits for ours: the server ends ours. In modes that the
    watch leaves alone, so that nothing else ends it.
    """
    with schema_server.connect(schema) as connection:
        connection.execute("CREATE TABLE other (id int)")
    mode = "IN SHARE UPDATE EXCLUSIVE MODE"
    tree = own_tree(
        f"LOCK TABLE other {mode}; SELECT pg_advisory_xact_lock(4711); LOCK TABLE orders {mode}",
        settings='lock_timeout = "20s"',
    )
    environment = {**owner_environment, **DRIFT, "MIGRATION_LOCK_TIMEOUT_MAX_MILLISECONDS": "20000"}
    with schema_server.connect(schema) as friend, schema_server.connect(schema) as looker:
        friend.execute("SET deadlock_timeout = '1min'")  # not the friend: our session notices it first
        looker.execute("SELECT pg_advisory_lock(4711)")
        runner = subprocess.Popen(
            [sys.executable, "-m", "migrations", "expand"], cwd=tree, text=True, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, env={**BASE, **environment, "APP_VERSION": "v2"},
        )  # fmt: skip
        try:
            while not looker.execute(
                "SELECT 1 FROM pg_locks WHERE relation = 'other'::regclass AND granted"
            ).fetchone():
                assert runner.poll() is None, runner.communicate()
            with friend.transaction():
                friend.execute(f"LOCK TABLE orders {mode}")
                looker.execute("SELECT pg_advisory_unlock(4711)")
                friend.execute(f"LOCK TABLE other {mode}")
        finally:
            output, errors = runner.communicate(timeout=60)
    assert runner.returncode == 0, errors
    assert "lock not obtained in try 1" in output
    assert history(schema_server, schema) == ["e0001", "e0002"]


@pytest.mark.usefixtures("ready")
def test_another_failure_is_not_tried_again(own_tree, owner_environment, schema_server, schema):
    with schema_server.connect(schema) as connection:
        connection.execute("CREATE SEQUENCE tries")  # a sequence forgets nothing when a transaction is rolled back
    tree = own_tree("SELECT nextval('tries'); SELECT 1 / 0", settings=TABLES)
    found = migrate(tree, {**owner_environment, **DRIFT}, "expand", "v2")
    assert found.returncode == Exit.STATEMENT_FAILED
    assert "DivisionByZero (SQLSTATE 22012)" in found.stderr
    with schema_server.connect(schema) as connection:
        assert connection.execute("SELECT last_value, is_called FROM tries").fetchone() == (1, True)


@pytest.mark.usefixtures("ready")
@pytest.mark.parametrize(
    ("settings", "environment", "limit"),
    [
        ("", {}, "100ms"),
        ('lock_timeout = "70ms"', {"MIGRATION_LOCK_TIMEOUT_MILLISECONDS": "250"}, "70ms"),
        ('lock_timeout = "5s"', {"MIGRATION_LOCK_TIMEOUT_MAX_MILLISECONDS": "400"}, "400ms"),
    ],
)
def test_the_first_try_waits_as_long_as_said(
    own_tree, owner_environment, schema_server, schema, settings, environment, limit
):
    seen = "CREATE TABLE seen AS SELECT current_setting('lock_timeout') AS value"
    result_of(migrate(own_tree(seen, settings=settings), {**owner_environment, **environment}, "expand", "v2"))
    with schema_server.connect(schema) as connection:
        assert connection.execute("SELECT value FROM seen").fetchone() == (limit,)


def test_the_limits_of_a_revision_are_not_those_of_what_comes_after(schema_server, schema):
    """Such as the history and the look at the structure."""
    names = ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout")
    with schema_server.connect(schema) as connection:

        def told():
            return [connection.execute(f"SHOW {name}").fetchone()[0] for name in names]

        connection.execute("SET lock_timeout = '7s'")
        before = told()
        with restored(connection):
            Limits(tables=(), mode=STRONGEST, lock_timeout=0.1, statement_timeout=0.2).set(connection, 0.1)
            assert told() == ["100ms", "200ms", "200ms"]
        assert told() == before


@pytest.mark.usefixtures("ready")
@pytest.mark.parametrize(
    "constant", ['lock_timeout = "0"', 'statement_timeout = "1 s"', 'statement_timeout = "2h"', 'lock_mode = "SHARED"']
)
def test_a_constant_that_makes_no_sense_refuses_the_tree_before_any_revision_of_it_is_applied(
    own_tree, owner_environment, schema_server, schema, constant
):
    own_tree(ADD, settings=TABLES)
    tree = own_tree("SELECT 1", "e0003", "e0002", settings=constant, allow=False)
    name, _, value = constant.replace('"', "'").partition(" = ")
    for command, environment in (("lint", {}), ("expand", owner_environment), ("check", owner_environment)):
        found = migrate(tree, environment, command, "v2")
        assert found.returncode == Exit.BAD_TREE, command
        assert f"expand/e0003_test.py has {name} {value}, expected " in found.stderr
    assert history(schema_server, schema) == ["e0001"]


@pytest.mark.usefixtures("ready")
def test_the_run_goes_on_when_nobody_reads_its_log_any_more(own_tree, owner_environment, schema_server, schema):
    """A log stream that breaks must not leave a revision unapplied, or a table locked."""
    tree = own_tree(ADD, settings=TABLES)
    with schema_server.connect(schema) as holder:
        with holder.transaction():
            holder.execute("SELECT count(*) FROM orders")
            holder.execute("SELECT pg_sleep(0.3)")
            runner = subprocess.Popen(
                [sys.executable, "-m", "migrations", "expand"], cwd=tree, stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL, env={**BASE, **owner_environment, "APP_VERSION": "v2"},
            )  # fmt: skip
            assert b"not queueing" in runner.stdout.readline()
            runner.stdout.close()
        waiter = threading.Timer(60, runner.kill)
        waiter.start()
        runner.wait()
        waiter.cancel()
    assert runner.returncode == 0
    assert history(schema_server, schema) == ["e0001", "e0002"]
