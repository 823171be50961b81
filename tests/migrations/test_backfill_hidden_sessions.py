"""A backfill gives way to sessions at work also where its role may not see what they do. On a real PostgreSQL."""

import contextlib

import pytest

from migrations.backfilling.settings import BackfillSettings
from migrations.backfilling.throttle import active_sessions, blind_spots
from tests.support.backfilling import TABLE
from tests.support.plain_owner import plain_owner

pytestmark = pytest.mark.slow
ROWS = 2_000
NUMBERS = f"INSERT INTO items (id, old) SELECT n, n FROM generate_series(1, {ROWS}) AS n"  # noqa: S608
SMALL = {"MIGRATION_BACKFILL_BATCH_ROWS_MOST": "50", "MIGRATION_BACKFILL_BATCH_ROWS_LEAST": "50"}
HELD = "holding back: 3 sessions are in a statement, expected at most 2"
END = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(120)'"
OWN = "SELECT format('ALTER TABLE %I OWNER TO {}', tablename) FROM pg_tables WHERE schemaname = 'public'"


@pytest.fixture
def owner(filling, schema_server, schema):
    """Login of a role that owns all of it and sees nothing else."""
    filling.prepare(TABLE.format(kind="int"), NUMBERS)
    with schema_server.connect("postgres") as admin, plain_owner(admin, schema) as login:
        for (statement,) in filling.connection.execute(OWN.format(login["DB_USER"])).fetchall():
            filling.connection.execute(statement)
        yield login


@pytest.fixture
def busy(filling):
    """Three sessions of another role in a statement, and three more that do nothing."""
    with contextlib.ExitStack() as opened:
        sessions = [opened.enter_context(contextlib.closing(filling.connect())) for _ in range(6)]
        for session in sessions[:3]:
            session.pgconn.send_query(b"SELECT pg_sleep(120)")
        filling.until(lambda: filling.one(
            "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(120)' AND state = 'active'"
        )[0] == 3)  # fmt: skip
        yield
        filling.connection.execute(END)


@pytest.mark.usefixtures("busy")
def test_sessions_of_other_roles_at_work_hold_it_back_though_they_are_hidden(filling, owner):
    process = filling.start(**owner, **SMALL, MIGRATION_BACKFILL_ACTIVE_SESSIONS="2")
    lines = []
    for line in iter(process.stdout.readline, ""):
        lines.append(line)
        if HELD in line:
            break
    assert HELD in lines[-1], lines
    assert any(f"GRANT pg_read_all_stats TO {owner['DB_USER']} shows it" in line for line in lines)
    assert filling.rows_done() < ROWS
    filling.connection.execute(END)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    assert filling.rows_done() == ROWS


@pytest.mark.usefixtures("busy")
def test_who_may_see_them_counts_the_same_and_is_told_nothing(filling, owner, schema_server, schema):
    with schema_server.connect(schema, owner["DB_USER"], owner["DB_PASSWORD"]) as hidden:
        hidden.execute("SET application_name = 'hidden'")
        filling.connection.execute("SET application_name = 'seeing'")
        told = active_sessions(hidden, 2)
        assert told == active_sessions(filling.connection, 2) == HELD.removeprefix("holding back: ")
        assert len(blind_spots(hidden, BackfillSettings())) == 1
        assert blind_spots(hidden, BackfillSettings(active_sessions=0)) == []
        assert blind_spots(filling.connection, BackfillSettings()) == []


def test_who_keeps_a_row_or_the_table_is_named_also_where_its_age_is_hidden(filling, owner):
    with filling.connect() as customer:
        customer.execute("BEGIN; UPDATE items SET old = 123456 WHERE id = 100")
        kept = filling.run(**owner, MIGRATION_BACKFILL_PASSES="2")
        customer.execute("LOCK TABLE items IN EXCLUSIVE MODE")
        locked = filling.run(**owner, MIGRATION_LOCK_BUDGET_SECONDS="1")
        named = f"process {customer.info.backend_pid}"
        customer.execute("ROLLBACK")
    assert kept.returncode == 11, kept.stderr
    assert f"1 rows of items are still to be filled after 2 passes: {named}" in kept.stderr
    assert "123456" not in kept.stderr
    assert locked.returncode == 4, locked.stderr
    assert f"no batch got its locks within 1 s: {named}" in locked.stderr
