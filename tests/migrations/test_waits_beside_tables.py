"""Waits for what is no table: a row, an older snapshot, a partition at the end of its detach. On a real PostgreSQL."""

import re
import subprocess
import sys

import psycopg
import pytest

from tests.support.plain_owner import plain_owner
from tests.support.trees_on_disk import BASE, migrate, result_of
from tests.support.until import BOUND_SECONDS, until

pytestmark = pytest.mark.slow
OUTSIDE = '''"""A revision of a test."""

from migrations import concurrently

revision = "{name}"
down_revision = {down}
branch_labels = {labels}
depends_on = {depends}
outside_transaction = True
lock_mode = "SHARE UPDATE EXCLUSIVE"
{settings}


def upgrade() -> None:
    """Run it."""
    {body}
'''


@pytest.mark.usefixtures("ready")
def test_who_holds_a_row_is_named_and_it_is_a_lock_that_was_not_obtained(own_tree, owner_environment, session):
    importer = session("importer")
    importer.execute("CREATE TABLE currencies (code text PRIMARY KEY)")
    importer.execute("BEGIN")
    importer.execute("INSERT INTO currencies VALUES ('EUR')")
    tree = own_tree("INSERT INTO currencies VALUES ('EUR')")
    environment = {**owner_environment, "MIGRATION_REFUSE_DRIFT": "never"}
    run = migrate(tree, {**environment, "MIGRATION_LOCK_BUDGET_SECONDS": "1"}, "expand", "v2")
    assert run.returncode == 4, run.stderr
    pid = importer.info.backend_pid
    assert "no lock on what it needs in " in run.stderr
    assert f"process {pid} (importer) holds a row that it wrote (transactionid), idle in transaction" in run.stderr
    assert f"pg_terminate_backend({pid})" in run.stderr
    assert f"lock not obtained in try 1: process {pid} (importer)" in run.stdout
    assert "nothing of it was kept" in run.stderr
    importer.execute("ROLLBACK")
    assert result_of(migrate(tree, environment, "expand", "v2"))["applied"] == ["e0002"]


@pytest.fixture
def index(own_tree):
    """A revision that builds an index within two seconds."""
    tree = own_tree("SELECT 1")
    file = tree / "migrations/expand/e0002_test.py"
    body = 'concurrently.create_index("by_customer", "orders", ("customer",))'
    settings = 'tables = ("orders",)\nstatement_timeout = "2s"'
    text = OUTSIDE.format(name="e0002", down='"e0001"', labels=None, depends=None, settings=settings, body=body)
    file.write_text(text)
    return tree


@pytest.mark.usefixtures("ready")
def test_who_has_an_older_snapshot_is_named_where_an_index_build_waits_for_it(index, owner_environment, session):
    report = session("report")
    report.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
    report.execute("SELECT count(*) FROM schema_history")
    run = migrate(index, owner_environment, "expand", "v2")
    assert run.returncode == 4, run.stderr
    pid = report.info.backend_pid
    assert "a statement waited until it was canceled (its limit is 2 s): process" in run.stderr
    assert f"process {pid} (report) holds an older snapshot or a lock (virtualxid), idle in transaction" in run.stderr
    assert "make the statement smaller" not in run.stderr
    assert "may be there in part, and the next run goes on from there" in run.stderr
    report.execute("ROLLBACK")
    built = migrate(index, owner_environment, "expand", "v2")
    assert result_of(built)["applied"] == ["e0002"]
    assert "index by_customer is there and not valid, left by a build that was broken off" in built.stdout


@pytest.fixture
def detach(own_tree, schema_trees, owner_environment, schema_server, schema):
    """A contract that detaches a partition, for an owner without pg_monitor: tree and environment."""
    with schema_server.connect("postgres") as admin, plain_owner(admin, schema) as login:
        environment = {**owner_environment, **login, "MIGRATION_REFUSE_DRIFT": "never"}
        result_of(migrate(schema_trees["v1"], environment, "expand", "v1"))
        with schema_server.connect(schema, login["DB_USER"], login["DB_PASSWORD"]) as owner:
            owner.execute("CREATE TABLE ev (id int) PARTITION BY RANGE (id)")
            owner.execute("CREATE TABLE ev_1 PARTITION OF ev FOR VALUES FROM (1) TO (10)")
            owner.execute("INSERT INTO ev VALUES (5)")
        tree = own_tree("SELECT 1")
        for file in (tree / "migrations/expand").glob("e0002*"):
            file.unlink()
        (tree / "migrations/expand/HEAD").write_text("e0001_orders\n")
        body = 'concurrently.detach_partition("ev", "ev_1")'
        settings = 'tables = ("ev", "ev_1")'
        text = OUTSIDE.format(
            name="c0001", down=None, labels='("contract",)', depends='"e0001"', settings=settings, body=body
        )
        (tree / "migrations/contract/c0001_test.py").write_text(text)
        (tree / "migrations/contract/HEAD").write_text("c0001_test\n")
        yield tree, environment


def worst_of_readers(tree, environment, session):
    """Run the contract while a transaction has read the partition and others come to read it; the run's end, and
    whether one of them waited for four seconds.
    """
    held, reader = session("held"), session("reader")
    held.execute("BEGIN")
    held.execute("SELECT * FROM ev_1")
    until(lambda: reader.execute("SELECT 1 FROM pg_stat_activity WHERE application_name = 'held' AND "
                                 "now() - xact_start > interval '300 ms'").fetchone())  # fmt: skip
    reader.execute("SET lock_timeout = '4s'")
    run = subprocess.Popen(
        [sys.executable, "-m", "migrations", "contract"], cwd=tree, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**BASE, "APP_VERSION": "v2", **environment, "MIGRATION_LOCK_BUDGET_SECONDS": "3"},
    )  # fmt: skip
    waited = False
    while run.poll() is None and not waited:
        try:
            reader.execute("SELECT count(*) FROM ev_1")
        except psycopg.errors.LockNotAvailable:
            waited = True
    held.execute("ROLLBACK")
    output, _ = run.communicate(timeout=BOUND_SECONDS)
    return run.returncode, output, waited


def test_a_detach_makes_no_reader_of_its_partition_wait_for_long(detach, session):
    tree, environment = detach
    code, output, waited = worst_of_readers(tree, environment, session)
    assert not waited
    assert code == 4, output
    assert "(held) holds ev_1" in output
    # It is pending now, which is more than nothing.
    looker = session("looker")
    assert looker.execute("SELECT inhdetachpending FROM pg_inherits").fetchone() == (True,)
    assert looker.execute("SELECT count(*) FROM ev").fetchone() == (0,)
    assert "nothing of it was kept" not in output
    assert "may be there in part, and the next run goes on from there" in output
    assert result_of(migrate(tree, environment, "contract", "v2"))["applied"] == ["c0001"]
    assert looker.execute("SELECT count(*) FROM pg_inherits").fetchone() == (0,)


def test_the_watch_alone_withdraws_a_detach_that_is_patient(detach, session):
    """Also where the server does not say since when the one in the way is there."""
    tree, environment = detach
    patient(tree)
    code, output, waited = worst_of_readers(tree, environment, session)
    assert not waited
    assert code == 4, output
    # It is named at once, and not the readers that queued behind us; the next try waits until it is gone.
    assert re.search(r"^try 1 withdrawn so that nobody waits behind it: process \d+ \(held\) holds ev_1", output, re.M)
    assert "try 2" not in output


def test_twin_without_both_readers_wait_behind_a_detach(detach, session):
    tree, environment = detach
    patient(tree)
    replace(tree / "migrations/locking/watch.py", "coalesce(session.xact_start, held.waitstart)", "session.xact_start")
    assert worst_of_readers(tree, environment, session)[2]


def patient(tree):
    for what in ("FINALIZE", "CONCURRENTLY"):
        file = tree / "migrations/concurrently.py"
        replace(file, f'own.run(f"{{statement}} {what}")', f'own.run(f"{{statement}} {what}", patient=True)')


def replace(file, old, new):
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
