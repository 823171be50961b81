"""`contract --plan`: what would go and when it was last written. It changes nothing and is in nobody's way."""

import datetime
import json

import psycopg
import pytest

from migrations.contracting.last_write import last_write
from tests.support.scratch_postgres import scratch_server
from tests.support.trees_on_disk import migrate, result_of

pytestmark = pytest.mark.slow


@pytest.fixture
def expanded(schema_trees, owner_environment):
    """v1 wrote, v2 was released over it, v3 waits for its contract."""
    result_of(migrate(schema_trees["v1"], owner_environment, "roles", "v1"))
    result_of(migrate(schema_trees["v1"], owner_environment, "expand", "v1"))
    for command in ("expand", "backfill"):
        result_of(migrate(schema_trees["v2"], owner_environment, command, "v2"))
    result_of(migrate(schema_trees["v3"], owner_environment, "expand", "v3"))
    return schema_trees["v3"]


@pytest.fixture
def owner(schema_server, schema):
    with schema_server.connect(schema) as connection:
        yield connection


def plan(tree, environment, **more):
    run = migrate(tree, {**environment, **more}, "contract", "v3", "--plan", "--json")
    assert run.returncode == 0, run.stdout + run.stderr
    return json.loads(run.stdout)["result"], run.stderr.splitlines()


def removed(result, kind, name):
    (found,) = [one for each in result["plan"] for one in each["removes"] if (one["kind"], one["name"]) == (kind, name)]
    return found


def line(lines, *texts):
    (found,) = [one for one in lines if all(text in one for text in texts)]
    return found


def order(connection, reference):
    connection.execute("INSERT INTO orders (reference, customer, price) VALUES (%s, 'c', '1.00 EUR')", (reference,))


def everything(connection):
    """Structure and content of all that a plan could change."""
    structure = connection.execute(
        "SELECT attrelid::regclass::text, attname, atttypid, attnotnull, attisdropped FROM pg_attribute"
        " JOIN pg_class ON pg_class.oid = attrelid WHERE relnamespace = 'public'::regnamespace ORDER BY 1, attnum"
    ).fetchall()
    others = connection.execute(
        "SELECT (SELECT array_agg(tgname ORDER BY 1) FROM pg_trigger WHERE NOT tgisinternal),"
        " (SELECT array_agg(conname ORDER BY 1) FROM pg_constraint),"
        " (SELECT array_agg(h ORDER BY revision) FROM schema_history AS h),"
        " (SELECT array_agg(v ORDER BY version) FROM schema_versions AS v),"
        " (SELECT array_agg(o ORDER BY id) FROM orders AS o),"
        " (SELECT count(*) FROM pg_class), (SELECT count(*) FROM schema_marks)"
    ).fetchall()
    return structure, others


def test_it_shows_what_would_go_and_changes_nothing(expanded, owner_environment, owner):
    order(owner, "a")
    before = everything(owner)
    result, lines = plan(expanded, owner_environment)
    assert everything(owner) == before
    assert result["pendingContracts"] == ["c0001", "c0002"]
    gone = {(one["kind"], one["name"]) for one in result["plan"][1]["removes"]}
    assert gone == {
        ("trigger", "orders_keep_amount_in_step"), ("function", "orders_keep_amount_in_step()"), ("column", "price"),
        ("constraint", "orders_amount_required"),
    }  # fmt: skip
    assert line(lines, "contract c0002 would run: ", "DROP COLUMN price")
    assert "trigger orders_keep_amount_in_step" in line(lines, "would remove column orders.price: 1 rows hold a value")
    assert result["heldBackBy"] == []


def test_it_is_in_nobodys_way_and_nobody_is_in_its(expanded, owner_environment, schema_server, schema):
    """EXCLUSIVE goes with ACCESS SHARE and with no other lock: where the plan asked for more, it would not end well."""
    with schema_server.connect(schema) as writer:
        writer.autocommit = False
        tables = "orders, schema_history, schema_versions, schema_marks, schema_backfills, alembic_version"
        writer.execute(f"LOCK TABLE {tables} IN EXCLUSIVE MODE")
        assert removed(plan(expanded, owner_environment)[0], "column", "price")["rows"] == 0
        writer.rollback()


def test_a_table_that_is_locked_for_one_alone_is_estimated(expanded, owner_environment, schema_server, schema, owner):
    for number in range(10):
        order(owner, f"r{number}")
    owner.execute("ANALYZE orders")
    with schema_server.connect(schema) as other:
        other.autocommit = False
        other.execute("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
        result, lines = plan(expanded, owner_environment)
        other.rollback()
    found = removed(result, "column", "price")
    assert (found["rows"], found["estimated"]) == (10, True)
    assert "about 10 rows hold a value; the table was not read: it is locked" in line(lines, "orders.price")


def test_without_commit_times_the_history_says_between_what_it_was(expanded, owner_environment, owner):
    """track_commit_timestamp is off: what is known is which revisions were applied before and after."""
    order(owner, "late")
    result, lines = plan(expanded, owner_environment)
    found = removed(result, "column", "price")
    last = owner.execute(
        "SELECT phase || ' ' || revision FROM schema_history ORDER BY applied_at DESC LIMIT 1"
    ).fetchone()
    assert found["writtenAt"] is None
    assert found["writtenAfter"].startswith(f"{last[0]} (applied 20")
    assert found["writtenBefore"] is None
    assert "track_commit_timestamp is off" in line(lines, "orders.price")


def test_what_was_written_before_a_revision_is_told_as_that(schema_trees, owner_environment, owner):
    result_of(migrate(schema_trees["v1"], owner_environment, "expand", "v1"))
    owner.execute("CREATE TABLE extra (id int, note text)")
    owner.execute("INSERT INTO extra VALUES (1, 'x'), (2, NULL)")
    result_of(migrate(schema_trees["v2"], owner_environment, "expand", "v2"))
    found = last_write(owner, "extra", "note")
    assert found.rows == 1
    assert found.after.startswith("expand e0001 ")
    assert found.before.startswith("expand e0002 ")
    assert last_write(owner, "extra", "gone") is None
    assert last_write(owner, "gone") is None


def test_with_commit_times_the_time_is_told():
    with scratch_server(track_commit_timestamp="on") as server, server.database() as name, server.connect(name) as it:
        it.execute("CREATE TABLE schema_history (phase text, revision text, applied_at timestamptz)")
        it.execute("CREATE TABLE extra (id int PRIMARY KEY, note text)")
        it.execute("INSERT INTO extra VALUES (1, 'x'), (2, 'y')")
        (written,) = it.execute("SELECT max(pg_xact_commit_timestamp(xmin)) FROM extra").fetchone()
        it.execute("UPDATE extra SET note = NULL WHERE id = 2")  # leaves nothing behind that has a value
        found = last_write(it, "extra", "note")
        assert (found.rows, found.at) == (1, written)
        shown = f"{written.astimezone(datetime.UTC):%Y-%m-%d %H:%M:%S} UTC"
        assert f"the newest of them was written at {shown}" in str(found)
        assert last_write(it, "extra").at > written  # of the table's rows: the update


def test_odd_names_are_found(owner):
    owner.execute('CREATE TABLE "Odd ""one" ("order" int, "Mixed" int)')
    owner.execute('INSERT INTO "Odd ""one" VALUES (1, NULL)')
    owner.execute("CREATE TABLE schema_history (phase text, revision text, applied_at timestamptz)")
    assert last_write(owner, '"Odd ""one"', "order").rows == 1
    assert last_write(owner, '"Odd ""one"', '"Mixed"').rows == 0
    assert last_write(owner, 'public."Odd ""one"').rows == 1


def test_who_holds_it_back_is_told(expanded, owner_environment, schema_server, schema):
    stray = psycopg.connect(
        host="127.0.0.1", port=schema_server.port, dbname=schema, user="postgres", password=schema_server.password,
        application_name="app blue v1",
    )  # fmt: skip
    with stray:
        result, lines = plan(expanded, owner_environment, MIGRATION_RUNNING_VERSIONS="v2@abc")
    assert len(result["heldBackBy"]) == 2
    assert line(lines, "contract would be refused now: task abc is of version v2")
    assert line(lines, "contract would be refused now: process ", "(app blue v1,")


def test_a_backfill_that_holds_it_back_is_told(expanded, owner_environment, owner):
    """Rows are looked for and not counted: the contract counts them."""

    def held():
        result, lines = plan(expanded, owner_environment)
        for text in result["heldBackBy"]:
            assert f"contract would be refused now: {text}" in lines
        assert result["heldBackByCount"] == len(result["heldBackBy"])
        refused = migrate(expanded, owner_environment, "contract", "v3")
        return result["heldBackBy"], refused.returncode, lines

    owner.execute("SET session_replication_role = replica")  # without the trigger, so that a row is left
    order(owner, "late")
    told = "contract c0001 needs backfill b0001, which is recorded as complete: rows are left"
    assert held()[:2] == ([told], 11)
    owner.execute("DELETE FROM schema_history WHERE revision = 'b0001'")
    told = "contract c0001 needs backfill b0001, which is not complete: rows are left"
    assert held()[:2] == ([told], 11)
    owner.execute("DELETE FROM orders")
    told = "contract c0001 needs backfill b0001, which is not complete: no row is left, and its run has not said so"
    assert held()[:2] == ([told], 11)
    result_of(migrate(expanded, owner_environment, "backfill", "v3"))
    with psycopg.connect(owner.info.dsn, password=owner.info.password) as other:
        other.execute("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
        result, lines = plan(expanded, owner_environment)
    assert result["heldBackBy"] == []
    assert line(lines, "contract c0001 needs backfill b0001: its table is locked")
    assert held()[:2] == ([], 0)


def test_nothing_pending_and_other_commands(schema_trees, owner_environment):
    result_of(migrate(schema_trees["v1"], owner_environment, "expand", "v1"))
    result, lines = plan(schema_trees["v1"], owner_environment)
    assert (result["plan"], lines) == ([], ["contract: nothing to do"])
    run = migrate(schema_trees["v1"], owner_environment, "roles", "v1", "--plan")
    assert run.returncode == 2
    assert "--plan: roles has none" in run.stderr
