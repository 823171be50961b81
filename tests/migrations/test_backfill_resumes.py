"""A backfill that is killed goes on where it was, and fills each row once. On a real PostgreSQL, with kill -9."""

import random
import signal

import pytest

from migrations.locking.one_runner import BACKFILL_LOCK, LOCK
from tests.support.backfilling import TABLE
from tests.support.trees_on_disk import migrate, result_of

pytestmark = pytest.mark.slow

ROWS, KILLS = 20_000, 6
SMALL = {"MIGRATION_BACKFILL_BATCH_ROWS_MOST": "50", "MIGRATION_BACKFILL_BATCH_ROWS_LEAST": "50"}
NUMBERS = f"INSERT INTO items (id, old) SELECT n, n FROM generate_series(1, {ROWS}) AS n"  # noqa: S608
# A batch in which a test can stop and look: the row that it comes to waits for a lock of the test's.
WAITING = """
CREATE FUNCTION wait_at() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.id = 7025 THEN
        PERFORM pg_advisory_xact_lock_shared(4711);
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER wait_at BEFORE UPDATE ON items FOR EACH ROW EXECUTE FUNCTION wait_at();
"""
HOLDERS = f"""
SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = {BACKFILL_LOCK & 0xFFFFFFFF}
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""  # noqa: S608
COUNTS = "SELECT count(*) FILTER (WHERE filled = old), min(times), max(times) FROM items"


def kill(process):
    process.kill()
    process.communicate(timeout=30)
    assert process.returncode == -signal.SIGKILL


def sessions_left(filling):
    return filling.one(HOLDERS)[0]


def test_killed_at_seeded_points_it_goes_on_there_and_each_row_is_filled_and_counted_once(filling):
    filling.prepare(TABLE.format(kind="bigint"), NUMBERS)
    points = sorted(random.Random(5).sample(range(200, ROWS - 2_000), KILLS))  # noqa: S311
    reached = []
    for planned in points:
        point = max(planned, *(done + 1 for done in reached), 0)  # a busy machine may run past the next one
        process = filling.start(**SMALL)
        filling.until(lambda point=point, process=process: filling.rows_done() >= point or process.poll() is not None)
        kill(process)
        filling.until(lambda: not sessions_left(filling))
        done, position = filling.one("SELECT rows_done, position::bigint FROM schema_backfills")
        # What is committed is what is counted, and lies behind the position.
        assert filling.one("SELECT count(*), max(id) FROM items WHERE times = 1") == (done, position)
        assert done >= point
        reached.append(done)
    assert reached == sorted(set(reached))
    run = filling.run(**SMALL)
    told = result_of(run)["backfills"]["b0001"]
    assert f"goes on after {reached[-1]:,} rows that an earlier run filled" in run.stdout
    assert (told["rows"], told["rowsThisRun"], told["passes"]) == (ROWS, ROWS - reached[-1], 1)
    assert filling.one(COUNTS) == (ROWS, 1, 1)
    assert filling.one("SELECT rows_done, rows_total FROM schema_backfills") == (ROWS, ROWS)
    assert len(filling.recorded()) == 1


def test_killed_within_a_batch_nothing_of_that_batch_is_kept(filling):
    filling.prepare(TABLE.format(kind="bigint"), f"{NUMBERS}; {WAITING}")
    filling.connection.execute("SELECT pg_advisory_lock(4711)")
    # The wait is longer than any lock_timeout of the usual kind: the batch has to stand still for the test.
    process = filling.start(**SMALL, MIGRATION_BACKFILL_LOCK_TIMEOUT_MILLISECONDS="10000")
    filling.until(lambda: filling.one("SELECT count(*) FROM pg_locks WHERE objid = 4711 AND NOT granted")[0])
    done = filling.rows_done()
    assert 0 < done < 7025
    kill(process)
    filling.until(lambda: not sessions_left(filling))
    assert filling.rows_done() == done
    assert filling.one("SELECT count(*), max(id) FROM items WHERE times > 0") == (done, done)
    filling.connection.execute("SELECT pg_advisory_unlock(4711)")
    assert filling.done(**SMALL)["rows"] == ROWS
    assert filling.one(COUNTS) == (ROWS, 1, 1)


def test_killed_after_the_last_row_and_before_the_record_it_only_counts(filling):
    filling.prepare(TABLE.format(kind="bigint"), NUMBERS)
    # Everything is filled, and the run is killed while it writes its row of the history.
    filling.connection.execute("BEGIN; LOCK TABLE schema_history IN SHARE MODE")
    process = filling.start()
    filling.until(lambda: filling.rows_done() == ROWS)
    kill(process)
    filling.connection.execute("COMMIT")
    filling.until(lambda: not sessions_left(filling))
    assert filling.recorded() == []
    told = filling.done()
    assert (told["rows"], told["rowsThisRun"]) == (ROWS, 0)
    assert filling.one(COUNTS) == (ROWS, 1, 1)


def test_twin_without_the_position_a_killed_run_begins_anew(filling):
    """What the position is for: without it every run looks at all rows again, whatever is done."""
    filling.prepare(TABLE.format(kind="bigint"), NUMBERS)
    process = filling.start(**SMALL)
    filling.until(lambda: filling.rows_done() >= 5_000)
    kill(process)
    filling.until(lambda: not sessions_left(filling))
    filling.connection.execute("UPDATE schema_backfills SET position = NULL")
    filling.connection.execute("UPDATE items SET filled = NULL WHERE id <= 100")
    assert filling.done(**SMALL)["passes"] == 1
    assert filling.one("SELECT count(*) FROM items WHERE times = 2") == (100,)


def test_one_backfill_at_a_time_and_an_expand_does_not_wait_for_it(filling):
    filling.prepare(TABLE.format(kind="bigint"), NUMBERS)
    with filling.connect() as other:
        other.execute("SELECT pg_advisory_lock(%s)", (BACKFILL_LOCK,))
        late = filling.run(MIGRATION_RUNNER_WAIT_SECONDS="1")
        assert late.returncode == 5
        assert "another runner holds the lock" in late.stderr
        assert result_of(filling.run("expand"))["applied"] == []
        other.execute("SELECT pg_advisory_unlock(%s)", (BACKFILL_LOCK,))
        other.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
        assert filling.done()["rows"] == ROWS


def test_a_server_that_goes_away_is_told_and_the_next_run_goes_on(filling):
    filling.prepare(TABLE.format(kind="bigint"), NUMBERS)
    process = filling.start(**SMALL)
    filling.until(lambda: filling.rows_done() >= 1_000)
    filling.connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 7, output
    assert "what is filled stays filled, and the next run goes on there" in output
    assert filling.done(**SMALL)["rows"] == ROWS
    assert filling.one(COUNTS) == (ROWS, 1, 1)


def test_a_database_that_was_empty_is_done_at_once(schema_trees, owner_environment):
    result_of(migrate(schema_trees["v3"], owner_environment, "expand", "v3"))
    told = result_of(migrate(schema_trees["v3"], owner_environment, "backfill", "v3"))["backfills"]["b0001"]
    assert (told["rows"], told["passes"]) == (0, 0)
    assert result_of(migrate(schema_trees["v3"], owner_environment, "contract", "v3"))["applied"] == ["c0001", "c0002"]
