"""A backfill from its declaration to its record: keys of every kind, what it refuses, and the contract behind it."""

import threading

import pytest

from tests.support.backfilling import TABLE, metrics_of
from tests.support.trees_on_disk import migrate, result_of, service

pytestmark = pytest.mark.slow

ROWS = 2_345
NUMBERS = f"INSERT INTO items (id, old) SELECT n, n FROM generate_series(1, {ROWS}) AS n"  # noqa: S608
POSITIONS = """
CREATE TABLE positions (number serial, position text);
CREATE FUNCTION note_position() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN INSERT INTO positions (position) VALUES (NEW.position); RETURN NEW; END $$;
CREATE TRIGGER note_position AFTER UPDATE OF position ON schema_backfills
    FOR EACH ROW EXECUTE FUNCTION note_position();
"""
# Type of the key, and a key made of a number: in an order that is not the one of the numbers.
KEYS = {
    "integer": "(n * 7919) % 10007 - 5000",
    "bigint": "n::bigint * 1000000007",
    "numeric(20,3)": "n / 7.0 - 100",
    "uuid": "md5(n::text)::uuid",
    "text": "chr(65 + n % 26) || ' ''\\\\ %s ' || n",
    "varchar(40)": "upper(md5(n::text))",
    "timestamptz": "now() - n * interval '17 minutes 3.000007 seconds'",
    "date": "date '2000-01-01' + n",
    "bytea": "decode(md5(n::text), 'hex')",
}


@pytest.mark.parametrize("kind", KEYS)
def test_every_ordered_key_is_walked_and_each_row_filled_once(filling, kind):
    rows = f"INSERT INTO items (id, old) SELECT {KEYS[kind]}, n FROM generate_series(1, {ROWS}) AS n"  # noqa: S608
    filling.prepare(TABLE.format(kind=kind), rows)
    filling.connection.execute(POSITIONS)
    told = filling.done(MIGRATION_BACKFILL_BATCH_ROWS_MOST="100")
    assert (told["rows"], told["left"], told["passes"]) == (ROWS, 0, 1)
    assert filling.one("SELECT count(*), min(times), max(times) FROM items WHERE filled = old") == (ROWS, 1, 1)
    assert filling.recorded() == [("b0001", "backfill", "v2")]
    finished, total, last = filling.one(
        "SELECT finished_at, rows_total, position = (SELECT id::text FROM items ORDER BY items.id DESC LIMIT 1)"
        " FROM schema_backfills"
    )
    assert (finished is not None, total, last) == (True, ROWS, True)
    # It walks in the order of the key, and never back.
    steps, onward = filling.one(
        f"WITH step AS (SELECT CAST(position AS {kind}) AS at, number FROM positions)"  # noqa: S608
        " SELECT count(*), bool_and(later.at > step.at)"
        " FROM step JOIN step AS later ON later.number = step.number + 1"
    )
    assert steps >= ROWS / 200
    assert onward


def test_a_table_of_another_schema_with_odd_names(filling):
    create = (
        'CREATE SCHEMA "odd one"; CREATE TABLE "odd one"."It""ems" ("the Key" int PRIMARY KEY, old int, filled int)'
    )
    filling.prepare(
        create.replace('"', '\\"'), 'INSERT INTO "odd one"."It""ems" SELECT n, n FROM generate_series(1, 300) AS n',
        table='odd one.It"ems', key="the Key", assign="filled = old", todo="filled IS NULL",
    )  # fmt: skip
    assert filling.done()["rows"] == 300


def test_progress_is_told_in_lines_in_metrics_and_in_the_result(filling):
    filling.prepare(rows=NUMBERS)
    run = filling.run(MIGRATION_SERVICE="shop-test", MIGRATION_ACTOR="somebody")
    told = result_of(run)
    assert told["applied"] == ["b0001"]
    assert told["pendingBackfills"] == []
    assert {"rows", "seconds", "rowsPerSecond"} <= told["backfills"]["b0001"].keys()
    lines = run.stdout.splitlines()
    assert f"backfill b0001: {ROWS:,} rows of items to fill" in lines
    last = next(line for line in lines if f"{ROWS:,} of {ROWS:,} rows, 100.0 %" in line)
    assert "rows/s" in last
    (document,) = metrics_of(run.stdout)
    (about,) = document["_aws"]["CloudWatchMetrics"]
    assert (about["Namespace"], about["Dimensions"]) == ("Bluegreen", [["Service", "Revision"]])
    assert {one["Name"] for one in about["Metrics"]} <= document.keys()
    shown = ("Service", "Revision", "BackfillRows", "BackfillPercent")
    assert [document[name] for name in shown] == ["shop-test", "b0001", ROWS, 100]
    assert filling.one("SELECT actor, version FROM schema_backfills") == ("somebody", "v2")
    again = filling.run()
    assert result_of(again)["applied"] == []
    assert "nothing to do" in again.stdout


def test_a_contract_waits_for_the_backfill_and_does_not_believe_the_record(filling):
    filling.prepare(rows=NUMBERS)
    early = filling.run("contract")
    assert early.returncode == 11
    assert f"c0001 needs backfill b0001, which is not complete: {ROWS} rows of items" in early.stderr
    filling.done()
    # Somebody writes a row in the old way after the end.
    filling.connection.execute("INSERT INTO items (id, old) VALUES (0, 0)")
    late = filling.run("contract")
    assert late.returncode == 11
    assert "which is recorded as complete: 1 rows of items are still to be filled, counted now" in late.stderr
    assert "run `python -m migrations backfill` as a task, then the contract" in late.stderr
    # The gate of a release sees it, and so the release fills it; by hand it is one command.
    gate = result_of(filling.run("expand"))
    assert (gate["neededBackfills"], gate["pendingBackfills"], gate["laterBackfills"]) == (["b0001"], ["b0001"], [])
    assert gate["facts"]["backfills"] == {"b0001": {"left": None, "finished": False}}
    assert filling.recorded() == [("b0001", "backfill", "v2")]
    more = filling.run()
    assert "backfill b0001 is recorded as complete, and 1 rows are left: it goes on" in more.stdout
    assert (result_of(more)["applied"], result_of(more)["backfills"]["b0001"]["rows"]) == (["b0001"], ROWS + 1)
    assert filling.recorded() == [("b0001", "backfill", "v2")]
    gate = result_of(filling.run("expand"))
    assert (gate["neededBackfills"], gate["facts"]["backfills"]) == ([], {"b0001": {"left": 0, "finished": True}})
    assert result_of(filling.run("contract"))["applied"] == ["c0001"]


def test_a_look_that_does_not_come_to_its_end_is_left_to_the_backfill_behind_the_shift(filling):
    filling.prepare(rows=NUMBERS)
    filling.done()
    # As long as the reading of a large table.
    slow = "CREATE FUNCTION slow() RETURNS boolean LANGUAGE sql AS 'SELECT pg_sleep(10) IS NULL'"
    filling.connection.execute(f"{slow}; ALTER TABLE items RENAME TO all_items")
    filling.connection.execute(
        "CREATE VIEW items AS SELECT id, old, CASE WHEN slow() THEN 0 ELSE filled END AS filled FROM all_items"
    )
    gate = result_of(filling.run("expand"))
    assert (gate["neededBackfills"], gate["laterBackfills"]) == ([], ["b0001"])
    assert gate["facts"]["backfills"] == {"b0001": {"left": None, "finished": False}}


def test_twin_a_contract_that_needs_no_backfill_runs_into_the_rows(filling):
    filling.prepare(rows=NUMBERS)
    file = filling.tree / "migrations" / "contract" / "c0001_test.py"
    file.write_text(file.read_text().replace('needs_backfills = ("b0001",)\n', ""))
    failed = filling.run("contract")
    assert failed.returncode == 6
    assert 'column "filled" of relation "items" contains null values' in failed.stderr


def test_old_code_writes_all_the_while(schema_trees, owner_environment, app_environment, schema_server, schema):
    result_of(migrate(schema_trees["v1"], owner_environment, "roles", "v1"))
    result_of(migrate(schema_trees["v1"], owner_environment, "expand", "v1"))
    with schema_server.connect(schema) as connection, service(schema_trees["v1"], app_environment, "v1") as old:
        connection.execute(
            "INSERT INTO orders (reference, customer, price)"
            " SELECT 'r', 'c', n || '.25 EUR' FROM generate_series(1, 30000) AS n"
        )
        result_of(migrate(schema_trees["v2"], owner_environment, "expand", "v2"))
        written, stop = [], threading.Event()

        def customer():
            body = {"reference": "r", "customer": "c", "amount": "7.50", "currency": "USD"}
            while not stop.is_set():
                status, order, _ = old.request("POST", "/orders", body)
                changed, _, _ = old.request("PATCH", f"/orders/{len(written) * 37 % 30000 + 1}", {"status": "paid"})
                written.append((status, changed, order["id"]))

        thread = threading.Thread(target=customer)
        thread.start()
        try:
            told = result_of(migrate(schema_trees["v2"], owner_environment, "backfill", "v2"))["backfills"]["b0001"]
        finally:
            stop.set()
            thread.join()
        assert {one[:2] for one in written} == {(201, 200)}
        assert told["passes"] == 1
        wrong = connection.execute(
            "SELECT count(*) FROM orders"
            " WHERE price IS DISTINCT FROM (amount_cents / 100.0)::numeric(20, 2) || ' ' || currency"
        ).fetchone()
        assert wrong == (0,)


def test_rows_that_keep_coming_are_an_error_with_their_count(filling):
    filling.prepare(rows=NUMBERS)
    stop, number = threading.Event(), [0]

    def old_code():
        while not stop.wait(0.002):
            number[0] -= 1
            writer.execute("INSERT INTO items (id, old) VALUES (%s, 0)", (number[0],))

    with filling.connect() as writer:
        thread = threading.Thread(target=old_code)
        thread.start()
        try:
            run = filling.run(MIGRATION_BACKFILL_PASSES="2")
        finally:
            stop.set()
            thread.join()
    assert run.returncode == 11, run.stdout + run.stderr
    assert "rows of items are still to be filled after 2 passes" in run.stderr
    assert "something goes on writing such rows" in run.stderr
    assert filling.recorded() == []
    # With nobody writing any more the next run goes on, and is done.
    rows = ROWS - number[0]
    assert filling.done()["rows"] == rows
    assert filling.one("SELECT max(times) FROM items") == (1,)


def test_an_assignment_that_does_not_do_what_todo_asks_is_told_at_the_first_batch(filling):
    filling.prepare(rows=NUMBERS, assign="times = times + 1")
    run = filling.run()
    assert run.returncode == 6
    assert "200 of 200 rows are still to do after `assign`" in run.stderr
    assert filling.one("SELECT max(times) FROM items") == (0,)


def test_a_failure_shows_no_value_of_a_row(filling):
    filling.prepare(
        "CREATE TABLE items (id int PRIMARY KEY, old text, filled int)",
        "INSERT INTO items SELECT n, CASE n WHEN 700 THEN 'private person' ELSE n::text END"
        " FROM generate_series(1, 1000) AS n",
        assign="filled = old::int",
    )
    run = filling.run()
    assert run.returncode == 6
    assert "InvalidTextRepresentation (SQLSTATE 22P02)" in run.stderr
    assert "the batch after `position` in schema_backfills holds the row" in run.stderr
    assert "private" not in run.stdout + run.stderr
    assert len(run.stderr.strip().splitlines()) == 1


def test_a_backfill_before_its_expand_is_refused(schema_trees, owner_environment):
    result_of(migrate(schema_trees["v1"], owner_environment, "expand", "v1"))
    run = migrate(schema_trees["v2"], owner_environment, "backfill", "v2")
    assert run.returncode == 10
    assert "backfill b0001 needs e0002, which is not applied" in run.stderr


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"MIGRATION_BACKFILL_SHARE_PERCENT": "0"}, "MIGRATION_BACKFILL_SHARE_PERCENT"),
        ({"MIGRATION_BACKFILL_BATCH_ROWS_LEAST": "9", "MIGRATION_BACKFILL_BATCH_ROWS_MOST": "8"}, "expected at most"),
    ],
)
def test_wrong_settings_are_named(schema_trees, owner_environment, settings, named):
    run = migrate(schema_trees["v2"], {**owner_environment, **settings}, "backfill", "v2")
    assert run.returncode == 2
    assert named in run.stderr
