"""What the watch withdraws, and what it lets wait: through the sessions themselves, on a real PostgreSQL."""

import time

import pytest
from psycopg import errors

from migrations.locking.blockers import Lookout
from migrations.locking.watch import watching

pytestmark = pytest.mark.slow
SECONDS = 30.0
FOR_EVER = 1000.0  # no transaction of a test is as old


@pytest.fixture
def runner(schema_server, schema):
    """A session that a watch is over, and a table."""
    with schema_server.connect(schema) as connection:
        connection.execute("CREATE TABLE held (id int)")
        connection.execute("SET lock_timeout = '500ms'")
        yield connection


@pytest.fixture
def holder(schema_server, schema):
    with schema_server.connect(schema) as connection:
        yield connection


def tried(runner, statement, age):
    """The error of a try behind somebody, whether it was withdrawn, and the mode that was learned."""
    lookout = Lookout(tables=())
    with watching(runner) as watch:
        over = watch.over(lookout, age, time.monotonic() + SECONDS)
        with pytest.raises((errors.QueryCanceled, errors.LockNotAvailable)) as caught, over, runner.transaction():
            runner.execute(statement)
        return caught.type, watch.withdrawn, list(lookout.learned.values())


def test_a_try_behind_a_prepared_transaction_is_withdrawn_however_young_that_is(runner, holder, schema):
    """Nobody works in it any more: it does not pass by."""
    runner.execute("SET lock_timeout = '20s'")
    holder.execute(f"BEGIN; LOCK TABLE held IN ACCESS SHARE MODE; PREPARE TRANSACTION '{schema}'")
    try:
        found = tried(runner, "ALTER TABLE held ADD COLUMN note text", FOR_EVER)
    finally:
        holder.execute(f"ROLLBACK PREPARED '{schema}'")
    assert found == (errors.QueryCanceled, True, ["ACCESS EXCLUSIVE"])


def test_a_try_that_makes_nobody_wait_is_left_to_its_lock_timeout(runner, holder):
    with holder.transaction():
        holder.execute("LOCK TABLE held IN SHARE UPDATE EXCLUSIVE MODE")
        harmless = tried(runner, "LOCK TABLE held IN SHARE UPDATE EXCLUSIVE MODE", 0)
        # The same holder is in the way of one that writers would wait for.
        runner.execute("SET lock_timeout = '20s'")
        harmful = tried(runner, "LOCK TABLE held IN SHARE MODE", 0)
    assert harmless == (errors.LockNotAvailable, False, ["SHARE UPDATE EXCLUSIVE"])
    assert harmful == (errors.QueryCanceled, True, ["SHARE"])


def test_a_watch_that_had_nothing_to_do_for_a_while_is_still_there(runner, holder, schema):
    runner.execute("SET lock_timeout = '5s'; SET idle_session_timeout = 0")
    holder.execute("SET idle_session_timeout = 0")
    runner.execute(f"ALTER DATABASE {schema} SET idle_session_timeout = '100ms'")
    with watching(runner) as watch, holder.transaction():
        holder.execute("LOCK TABLE held; SELECT pg_sleep(0.5)")
        over = watch.over(Lookout(tables=()), 0, time.monotonic() + SECONDS)
        with pytest.raises(errors.QueryCanceled), over:
            runner.execute("ALTER TABLE held ADD COLUMN note text")
        assert watch.withdrawn
