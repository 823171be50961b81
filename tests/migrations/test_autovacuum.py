"""A vacuum of the server's own in the way of a revision: it gives way, except where it prevents a wraparound."""

import time

import pytest

from migrations.errors import Exit
from tests.support.plain_owner import plain_owner
from tests.support.trees_on_disk import migrate, result_of

pytestmark = pytest.mark.slow

BOUND_SECONDS = 60.0
TABLES = 'tables = ("orders",)'
ADD = "ALTER TABLE orders ADD COLUMN note text"
SHORT = {"MIGRATION_LOCK_BUDGET_SECONDS": "2"}
WORKER = """
SELECT session.pid FROM pg_stat_activity AS session JOIN pg_locks AS held USING (pid)
WHERE session.backend_type = 'autovacuum worker' AND held.relation = 'orders'::regclass AND held.granted
  AND clock_timestamp() - session.xact_start > interval '400 ms' AND session.query LIKE %s
"""
# So slow that it is still there when the runner looks.
SLOW = (
    "autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1, autovacuum_vacuum_threshold = 1, "
    "autovacuum_vacuum_scale_factor = 0"
)


@pytest.fixture
def eager(schema_server):
    """The server looks for tables to vacuum each second."""
    with schema_server.connect("postgres") as admin:
        admin.execute("ALTER SYSTEM SET autovacuum_naptime = '1s'")
        admin.execute("SELECT pg_reload_conf()")
        try:
            yield
        finally:
            admin.execute("ALTER SYSTEM RESET autovacuum_naptime")
            admin.execute("SELECT pg_reload_conf()")


def worker(connection, query="%VACUUM%"):
    """The pid of the worker that holds the table, waited for."""
    deadline = time.monotonic() + BOUND_SECONDS
    while (row := connection.execute(WORKER, (query,)).fetchone()) is None:
        assert time.monotonic() < deadline, "no worker came within the bound"
    return row[0]


def dirty(connection, settings=SLOW):
    connection.execute(
        "INSERT INTO orders (reference, customer, price) SELECT 'r', 'c', '1.00 EUR' FROM generate_series(1, 50000)"
    )
    connection.execute("DELETE FROM orders WHERE id % 2 = 0")
    connection.execute(f"ALTER TABLE orders SET ({settings})")


@pytest.mark.usefixtures("eager")
def test_a_vacuum_gives_way(schema_trees, own_tree, owner_environment, schema_server, schema):
    result_of(migrate(schema_trees["v1"], owner_environment, "expand", "v1"))
    with schema_server.connect(schema) as connection:
        dirty(connection)
        pid = worker(connection)
        found = migrate(own_tree(ADD, settings=TABLES), owner_environment, "expand", "v2")
        assert result_of(found)["applied"] == ["e0002"]
        assert connection.execute(f"{WORKER} AND pid = %s", ("%VACUUM%", pid)).fetchone() is None


@pytest.mark.usefixtures("eager")
def test_it_is_waited_for_by_an_owner_who_may_not_end_it(
    schema_trees, own_tree, owner_environment, schema_server, schema
):
    with schema_server.connect("postgres") as admin, plain_owner(admin, schema) as login:
        environment = {**owner_environment, **SHORT, **login}
        result_of(migrate(schema_trees["v1"], environment, "expand", "v1"))
        with schema_server.connect(schema) as connection:
            dirty(connection)
            pid = worker(connection)
            found = migrate(own_tree(ADD, settings=TABLES), environment, "expand", "v2")
            connection.execute("SELECT pg_cancel_backend(%s)", (pid,))
            connection.execute("ALTER TABLE orders SET (autovacuum_enabled = false)")
    assert found.returncode == Exit.LOCK_NOT_OBTAINED
    # Such an owner does not see either that it is a vacuum.
    assert f"process {pid} holds orders (SHARE UPDATE EXCLUSIVE), state not visible" in found.stderr
    assert "0 tries" in found.stderr


@pytest.mark.usefixtures("eager")
def test_one_that_prevents_a_wraparound_is_never_ended(
    schema_trees, own_tree, owner_environment, schema_server, schema
):
    result_of(migrate(schema_trees["v1"], owner_environment, "expand", "v1"))
    with schema_server.connect(schema) as connection:
        dirty(connection, f"{SLOW}, autovacuum_enabled = false, autovacuum_freeze_max_age = 100000")
        # Transactions go by, until the table is older than it may be.
        connection.execute(
            "DO $$ BEGIN FOR at IN 1..100100 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$"
        )
        pid = worker(connection, "%to prevent wraparound%")
        found = migrate(own_tree(ADD, settings=TABLES), {**owner_environment, **SHORT}, "expand", "v2")
        still = connection.execute(WORKER, ("%to prevent wraparound%",)).fetchone()
        connection.execute("SELECT pg_terminate_backend(%s)", (pid,))
    assert found.returncode == Exit.LOCK_NOT_OBTAINED
    assert f"process {pid} (autovacuum worker) holds orders (SHARE UPDATE EXCLUSIVE)" in found.stderr
    assert still == (pid,)
