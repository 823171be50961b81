"""Who counts as in the way, and who does not: each kind once, on a real PostgreSQL, seen by the command itself."""

import threading

import psycopg
import pytest

from migrations.locking.blockers import Lookout
from tests.support.plain_owner import plain_owner
from tests.support.trees_on_disk import migrate, result_of
from tests.support.until import until

pytestmark = pytest.mark.slow

ADD = "ALTER TABLE orders ADD COLUMN note text"
TABLES = 'tables = ("orders",)'
SHORT = {"MIGRATION_LOCK_BUDGET_SECONDS": "1"}


def grow_old(connection, name):
    """Until that session's transaction is no longer one that is passing by."""
    old = "SELECT 1 FROM pg_stat_activity WHERE application_name = %s AND now() - xact_start > interval '300 ms'"
    until(lambda: connection.execute(old, (name,)).fetchone())


def held_by(connection, statement, looker, name):
    connection.execute("BEGIN")
    connection.execute(statement)
    grow_old(looker, name)


@pytest.mark.usefixtures("ready")
def test_the_error_says_who_with_its_query_and_without_a_literal(own_tree, owner_environment, session):
    tree = own_tree(ADD, settings=TABLES)
    report = session("report")
    held_by(report, "SELECT id FROM orders WHERE customer = 'Jane Doe' AND id <> 4711;", session("looker"), "report")
    found = migrate(tree, {**owner_environment, **SHORT}, "expand", "v2")
    assert found.returncode == 4
    (line,) = found.stderr.strip().splitlines()
    assert f"process {report.info.backend_pid} (report) holds orders (ACCESS SHARE), idle in transaction" in line
    assert "its last query: SELECT id FROM orders WHERE customer = ? AND id <> ?; end it with SELECT" in line
    assert f"pg_terminate_backend({report.info.backend_pid})" in line
    assert "Jane" not in found.stdout + found.stderr
    assert "4711" not in found.stdout + found.stderr


@pytest.mark.usefixtures("ready")
def test_a_transaction_that_only_waits_for_the_table_is_in_the_way_too(session):
    """Behind it all would queue, also who could share the table with the one it waits for."""
    looker, holder, waiter = session("looker"), session("holder"), session("waiter")
    holder.execute("BEGIN")
    holder.execute("LOCK TABLE orders IN ACCESS SHARE MODE")
    thread = threading.Thread(target=_lock, args=(waiter,))
    thread.start()
    try:
        until(lambda: looker.execute("SELECT 1 FROM pg_locks WHERE NOT granted AND locktype = 'relation'").fetchone())
        grow_old(looker, "waiter")
        (found,) = Lookout(tables=("orders",), mode="ROW SHARE").find(looker, 0.2)
        both = Lookout(tables=("orders",)).find(looker, 0.2)
    finally:
        holder.execute("ROLLBACK")
        thread.join()
    assert f"process {waiter.info.backend_pid} (waiter) waits for orders (ACCESS EXCLUSIVE), active" in str(found)
    assert [one.name for one in both] == ["holder", "waiter"]


def _lock(connection):
    connection.execute("BEGIN")
    connection.execute("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
    connection.execute("ROLLBACK")


def test_a_holder_whose_lock_does_not_conflict_is_not_waited_for(own_tree, owner_environment, session):
    check = "ALTER TABLE orders ADD CONSTRAINT priced CHECK (price <> '') NOT VALID"
    result_of(migrate(own_tree(check, settings=TABLES), owner_environment, "expand", "v2"))
    mode = 'lock_mode = "SHARE UPDATE EXCLUSIVE"'
    validate = "ALTER TABLE orders VALIDATE CONSTRAINT priced"
    tree = own_tree(validate, name="e0003", down="e0002", settings=f"{TABLES}\n{mode}")
    held_by(session("dump"), "SELECT count(*) FROM orders", session("looker"), "dump")
    assert result_of(migrate(tree, {**owner_environment, **SHORT}, "expand", "v3"))["applied"] == ["e0003"]


def test_a_partition_is_in_the_way_of_its_table(own_tree, owner_environment, session):
    parts = """
        CREATE TABLE events (day date NOT NULL) PARTITION BY RANGE (day);
        CREATE TABLE events_2026 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')
    """
    result_of(migrate(own_tree(parts), owner_environment, "expand", "v2"))
    tree = own_tree(
        "ALTER TABLE events ADD COLUMN note text", name="e0003", down="e0002", settings='tables = ("events",)'
    )
    held_by(session("report"), "SELECT count(*) FROM events_2026", session("looker"), "report")
    found = migrate(tree, {**owner_environment, **SHORT}, "expand", "v3")
    assert found.returncode == 4
    assert "(report) holds events_2026 (ACCESS SHARE)" in found.stderr
    assert "try 1" not in found.stdout


@pytest.mark.parametrize(
    ("made", "change", "held"),
    [
        (
            "CREATE TABLE customers (id bigint PRIMARY KEY)",
            "CREATE TABLE letters (customer bigint REFERENCES customers)",
            "UPDATE customers SET id = id",
        ),
        ("CREATE VIEW open_orders AS SELECT id FROM orders", "DROP VIEW open_orders", "SELECT id FROM open_orders"),
    ],
    ids=["foreign key", "view"],
)
def test_what_a_statement_leads_to_is_learned_from_the_first_try(
    own_tree, owner_environment, session, made, change, held
):
    """Nobody named it, so it can't be seen before; the try is withdrawn, and the next one waits until it is free."""
    result_of(migrate(own_tree(made), owner_environment, "expand", "v2"))
    tree = own_tree(change, name="e0003", down="e0002")
    report = session("report")
    held_by(report, held, session("looker"), "report")
    found = migrate(tree, {**owner_environment, **SHORT}, "expand", "v3")
    assert found.returncode == 4
    assert "try 1 withdrawn so that nobody waits behind it: process" in found.stdout
    assert "not queueing for " in found.stdout
    assert "try 2" not in found.stdout
    assert "(report) holds" in found.stderr
    report.execute("ROLLBACK")
    assert result_of(migrate(tree, owner_environment, "expand", "v3"))["applied"] == ["e0003"]


@pytest.mark.usefixtures("ready")
def test_a_table_that_is_never_free_of_short_transactions_is_still_changed(
    own_tree, owner_environment, schema_server, schema
):
    """Each is older than what passes by, none outlives the longest lock_timeout: the table is used, not held."""
    stop, failures = threading.Event(), []
    tree = own_tree(ADD, settings=TABLES)

    def work():
        try:
            with schema_server.connect(schema) as connection:
                while not stop.is_set():
                    connection.execute("SELECT pg_sleep(0.5) FROM (SELECT count(*) FROM orders) AS all_of_them")
        except psycopg.Error as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for at, thread in enumerate(threads):
        thread.start()
        threads[at].join(0.12)  # so that they overlap, and the table is never without one
    try:
        found = migrate(tree, {**owner_environment, "MIGRATION_LOCK_BUDGET_SECONDS": "60"}, "expand", "v2")
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert failures == []
    assert result_of(found)["applied"] == ["e0002"]


def test_an_owner_who_may_not_see_how_old_others_are_still_does_not_queue(
    schema_trees, own_tree, owner_environment, schema_server, schema, session
):
    with schema_server.connect("postgres") as admin, plain_owner(admin, schema) as login:
        environment = {**owner_environment, **SHORT, **login}
        result_of(migrate(schema_trees["v1"], environment, "expand", "v1"))
        report = session("report")
        held_by(report, "SELECT 'Jane' FROM orders", session("looker"), "report")
        found = migrate(own_tree(ADD, settings=TABLES), environment, "expand", "v2")
        report.execute("ROLLBACK")
    assert found.returncode == 4
    assert f"process {report.info.backend_pid} (report) holds orders (ACCESS SHARE), state not visible" in found.stderr
    assert "query: <insufficient privilege>" in found.stderr
    assert "and 0 tries: process" in found.stderr


def test_whom_a_try_waited_for_is_named_first_where_nobody_s_age_is_seen(
    schema_trees, owner_environment, schema_server, schema, session
):
    with schema_server.connect("postgres") as admin, plain_owner(admin, schema) as login:
        result_of(migrate(schema_trees["v1"], {**owner_environment, **login}, "expand", "v1"))
        holders = [session("one"), session("other")]
        for holder in holders:
            holder.execute("BEGIN; SELECT id FROM orders")
        with schema_server.connect(schema, login["DB_USER"], login["DB_PASSWORD"]) as owner:
            pids = [holder.info.backend_pid for holder in holders]
            named = [Lookout(tables=("orders",), ahead=frozenset({pid})).find(owner, 0)[0].pid for pid in pids]
        for holder in holders:
            holder.execute("ROLLBACK")
    assert named == pids
