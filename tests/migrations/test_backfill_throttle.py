"""A backfill gives way: to sessions at work, to slow reads and commits, to a replica that lags, to locked rows."""

import contextlib

import pytest

from migrations.backfilling.settings import BackfillSettings
from migrations.backfilling.throttle import RECENT, Latency, Throttle, replica_lag
from tests.support.backfilling import TABLE
from tests.support.trees_on_disk import result_of

ROWS = 20_000
SMALL = {"MIGRATION_BACKFILL_BATCH_ROWS_MOST": "50", "MIGRATION_BACKFILL_BATCH_ROWS_LEAST": "50"}
NUMBERS = f"INSERT INTO items (id, old) SELECT n, n FROM generate_series(1, {ROWS}) AS n"  # noqa: S608
HELD = "holding back: "


class Clock:
    """Time that passes when somebody sleeps."""

    def __init__(self):
        self.now, self.slept = 1000.0, []

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


def throttle(clock, *, probes=(), latencies=(), said=None, **settings):
    return Throttle(
        settings=BackfillSettings(**settings), probes=probes, latencies=latencies,
        say=(said if said is not None else []).append, clock=clock, sleep=clock.sleep,
    )  # fmt: skip


def filled(latency, milliseconds, count=40):
    for number in range(count):
        latency.add(milliseconds / 1000 + number % 5 * 1e-5)


def test_after_each_batch_it_rests_so_that_its_share_is_kept():
    for share, rests in ((50, [0.02]), (25, [0.06]), (100, [])):
        clock = Clock()
        throttle(clock, share_percent=share).after(0.02)
        assert clock.slept == pytest.approx(rests)


def test_it_holds_back_for_as_long_as_there_is_a_reason_and_says_which():
    clock, said = Clock(), []
    reasons = ["40 sessions are in a statement, expected at most 32"] * 6
    held = throttle(clock, probes=[lambda: reasons.pop() if reasons else None], said=said)
    held.after(0.02)
    assert not reasons
    assert said == [f"{HELD}40 sessions are in a statement, expected at most 32"]
    assert held.held_seconds == pytest.approx(sum(clock.slept[1:]))
    assert clock.slept[1:] == sorted(clock.slept[1:])  # it looks less and less often
    before = held.held_seconds
    clock.now += 1
    held.after(0.02)
    assert held.held_seconds == before


@pytest.mark.parametrize(
    ("usual", "now", "percent", "slack", "strained"),
    [
        (1, 2, 300, 0, False),
        (1, 4, 300, 0, True),
        (1, 4, 300, 5, False),  # three milliseconds more are jitter
        (1, 9, 300, 5, True),
        (20, 30, 300, 5, False),
        (20, 70, 300, 5, True),
        (1, 500, 0, 0, False),  # switched off
    ],
)
def test_a_latency_is_compared_with_what_is_usual_here(usual, now, percent, slack, strained):
    latency = Latency("a read", BackfillSettings(latency_percent=percent, latency_slack_milliseconds=slack))
    filled(latency, usual)
    assert latency.strain() is None
    filled(latency, now)
    assert bool(latency.strain()) is strained
    if strained:
        assert f"a read takes {now}.0 ms, usually {usual}.0 ms" in latency.strain()


def test_what_is_usual_becomes_less_when_it_began_in_a_busy_moment():
    latency = Latency("a read", BackfillSettings())
    filled(latency, 30)
    filled(latency, 2)
    assert latency.strain() is None
    filled(latency, 30)
    assert "a read takes 30.0 ms, usually 2.0 ms" in latency.strain()


def test_commits_are_measured_once_batches_have_their_size():
    latency = Latency("a commit", BackfillSettings(), first=RECENT)
    filled(latency, 1, RECENT - 1)
    filled(latency, 30, 1)
    assert latency.strain() is None
    filled(latency, 30, RECENT - 1)
    assert "usually 1.0 ms" in latency.strain()


def test_reads_that_stay_slow_without_the_backfill_are_the_new_measure():
    clock, said = Clock(), []
    latency = Latency("a read", BackfillSettings())
    filled(latency, 1)

    def sleep(seconds):
        clock.sleep(seconds)
        filled(latency, 30, 20)  # whatever it is, it is not the backfill: that rests

    held = Throttle(
        settings=BackfillSettings(), probes=[], latencies=[latency], say=said.append, clock=clock, sleep=sleep
    )
    filled(latency, 30)
    held.after(0.02)
    assert held.held_seconds >= 0
    clock.now += 1
    held.after(0.02)
    assert latency.strain() is None
    assert said[0].startswith(f"{HELD}a read takes 30.0 ms, usually 1.0 ms")
    assert any("not its doing, taken as usual from here on" in line for line in said)


def test_reads_that_are_quick_again_let_it_go_on_by_the_old_measure():
    clock, said = Clock(), []
    latency = Latency("a read", BackfillSettings())
    filled(latency, 1)
    filled(latency, 30)

    def sleep(seconds):
        clock.sleep(seconds)
        filled(latency, 1, 20)

    held = Throttle(
        settings=BackfillSettings(), probes=[], latencies=[latency], say=said.append, clock=clock, sleep=sleep
    )
    held.after(0.02)
    assert len(said) == 1
    filled(latency, 30)
    assert "usually 1.0 ms" in latency.strain()


class Replica:
    """What `pg_stat_replication` would answer."""

    def __init__(self, *rows):
        self.rows = rows

    def execute(self, _query):
        return self

    def fetchone(self):
        return self.rows[0] if self.rows else None


def test_a_replica_that_lags_is_named():
    assert replica_lag(Replica(), 10) is None
    assert replica_lag(Replica(("replica-1", 3.0)), 10) is None
    assert replica_lag(Replica(("replica-1", 12.3)), 10) == "replica replica-1 is 12.3 s behind, expected at most 10 s"
    assert replica_lag(Replica(("replica-1", 12.3)), 0) is None


def busy(filling, opened, count):
    """Sessions that are in a statement until they are canceled."""
    sessions = [opened.enter_context(contextlib.closing(filling.connect())) for _ in range(count)]
    for session in sessions:
        session.pgconn.send_query(b"SELECT pg_sleep(120)")
    filling.until(lambda: filling.one(
        "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(120)' AND state = 'active'"
    )[0] >= count)  # fmt: skip
    return sessions


@pytest.mark.slow
def test_sessions_at_work_stop_it_and_when_they_are_gone_it_goes_on(filling):
    filling.prepare(TABLE.format(kind="int"), NUMBERS)
    with contextlib.ExitStack() as opened:
        busy(filling, opened, 5)
        process = filling.start(**SMALL, MIGRATION_BACKFILL_ACTIVE_SESSIONS="4")
        lines = iter(process.stdout.readline, "")
        said = next(line for line in lines if HELD in line)
        assert "sessions are in a statement, expected at most 4" in said
        done = filling.rows_done()
        assert done < ROWS
        # Its next line is the next time it says that it still holds back: not a row was filled in between.
        assert HELD in next(line for line in lines if "_aws" not in line)
        assert filling.rows_done() == done
        filling.connection.execute(
            "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(120)'"
        )
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    assert filling.rows_done() == ROWS


@pytest.mark.slow
def test_twin_with_the_limit_off_it_runs_on_beside_them(filling):
    filling.prepare(TABLE.format(kind="int"), NUMBERS)
    with contextlib.ExitStack() as opened:
        busy(filling, opened, 5)
        run = filling.run(MIGRATION_BACKFILL_ACTIVE_SESSIONS="0")
        assert result_of(run)["backfills"]["b0001"]["heldBackSeconds"] == 0
        assert HELD not in run.stdout
        filling.connection.execute(
            "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(120)'"
        )


@pytest.mark.slow
def test_a_row_that_a_customer_holds_is_passed_by_and_filled_when_it_is_free(filling):
    filling.prepare(TABLE.format(kind="int"), NUMBERS)
    with filling.connect() as customer:
        customer.execute("BEGIN")
        customer.execute("UPDATE items SET old = old + 1 WHERE id IN (100, 5000)")
        process = filling.start()
        # All others are filled while it holds its two rows; nothing waits for it.
        filling.until(lambda: filling.rows_done() == ROWS - 2)
        assert filling.one("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'") == (0,)
        customer.execute("COMMIT")
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    assert "2 rows are left after pass 1" in output
    assert filling.one("SELECT count(*) FROM items WHERE filled = old AND times = 1") == (ROWS,)
    assert filling.one("SELECT filled FROM items WHERE id = 100") == (101,)


@pytest.mark.slow
def test_a_row_that_is_never_free_is_an_error_that_names_who_holds_it(filling):
    filling.prepare(TABLE.format(kind="int"), NUMBERS)
    with filling.connect() as customer:
        customer.execute("BEGIN")
        customer.execute("UPDATE items SET old = 123456 WHERE id = 100")
        run = filling.run(MIGRATION_BACKFILL_PASSES="2")
        assert run.returncode == 11
        assert "1 rows of items are still to be filled after 2 passes" in run.stderr
        assert f"process {customer.info.backend_pid}" in run.stderr
        assert "123456" not in run.stderr
        customer.execute("ROLLBACK")
    assert filling.done()["rows"] == ROWS


@pytest.mark.slow
def test_a_table_that_is_locked_is_tried_again_within_the_budget(filling):
    filling.prepare(TABLE.format(kind="int"), NUMBERS)
    with filling.connect() as other:
        # Counting must not wait either, so it is there before the lock comes.
        process = filling.start(**SMALL)
        filling.until(lambda: filling.rows_done() >= 500)
        other.execute("BEGIN; LOCK TABLE items IN EXCLUSIVE MODE")
        line = next(line for line in iter(process.stdout.readline, "") if "refused" in line)
        assert "canceling statement due to lock timeout" in line
        other.execute("COMMIT")
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 0, output
        assert filling.rows_done() == ROWS


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["EXCLUSIVE", "ACCESS EXCLUSIVE"])  # the second is in the way of counting, too
def test_a_table_that_stays_locked_ends_it_with_the_name_of_who_does(filling, mode):
    filling.prepare(TABLE.format(kind="int"), NUMBERS)
    with filling.connect() as other:
        other.execute(f"BEGIN; LOCK TABLE items IN {mode} MODE")
        run = filling.run(MIGRATION_LOCK_BUDGET_SECONDS="2")
        assert run.returncode == 4, run.stderr
        assert f"process {other.info.backend_pid}" in run.stderr
        assert "no batch got its locks within 2 s" in run.stderr
        other.execute("ROLLBACK")


@pytest.mark.slow
def test_a_deadlock_is_tried_again(filling):
    """A trigger of the table locks another one, in the order opposite to a customer's."""
    filling.prepare(TABLE.format(kind="int"), NUMBERS)
    filling.connection.execute("""
        CREATE TABLE totals (id int PRIMARY KEY, n int); INSERT INTO totals VALUES (1, 0), (2, 0);
        CREATE FUNCTION add() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF NEW.id = 60 THEN UPDATE totals SET n = n + 1 WHERE id = 1; END IF;
            IF NEW.id = 70 THEN UPDATE totals SET n = n + 1 WHERE id = 2; END IF;
            RETURN NEW; END $$;
        CREATE TRIGGER add BEFORE UPDATE ON items FOR EACH ROW EXECUTE FUNCTION add();
    """)
    with filling.connect() as customer:
        customer.execute("BEGIN")
        customer.execute("UPDATE totals SET n = n WHERE id = 2")
        process = filling.start(**SMALL, MIGRATION_BACKFILL_LOCK_TIMEOUT_MILLISECONDS="10000")
        filling.until(lambda: filling.one("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")[0])
        # The batch holds total 1 and waits for 2: now the other way round. One of the two is ended by the server.
        with contextlib.suppress(Exception):
            customer.execute("UPDATE totals SET n = n WHERE id = 1")
        customer.execute("ROLLBACK")
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    assert filling.one("SELECT array_agg(n ORDER BY id) FROM totals") == ([1, 1],)
    assert filling.one("SELECT count(*) FROM items WHERE times = 1") == (ROWS,)
