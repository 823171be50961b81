"""What a database or a role sets for its sessions, and the runner's session does not go by."""

import subprocess
import sys

import pytest

from tests.support.trees_on_disk import BASE, migrate, result_of

pytestmark = pytest.mark.slow


@pytest.fixture
def connection(schema_server, schema):
    with schema_server.connect(schema) as found:
        yield found


def test_a_session_that_pauses_between_two_tries_is_not_ended(
    own_tree, schema_trees, owner_environment, schema, connection
):
    result_of(migrate(schema_trees["v1"], owner_environment, "expand", "v1"))
    mode = "IN SHARE UPDATE EXCLUSIVE MODE"  # which the watch does not withdraw: the pause after it is a second
    tree = own_tree(f"LOCK TABLE orders {mode}")
    connection.execute(f"ALTER DATABASE {schema} SET idle_session_timeout = '700ms'")
    with connection.transaction():
        connection.execute(f"LOCK TABLE orders {mode}")
        runner = subprocess.Popen(
            [sys.executable, "-m", "migrations", "expand"], cwd=tree, text=True, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, env={**BASE, **owner_environment, "APP_VERSION": "v2"},
        )  # fmt: skip
        while "lock not obtained in try 1" not in (line := runner.stdout.readline()):
            assert line, runner.communicate()
    output, errors = runner.communicate(timeout=60)
    assert (runner.returncode, '"applied": ["e0002"]' in output) == (0, True), errors


def tables(connection, schema):
    query = "SELECT tablename FROM pg_tables WHERE schemaname = %s ORDER BY 1"
    return [row[0] for row in connection.execute(query, (schema,))]


def test_another_schema_first_in_the_path_is_refused_before_anything_is_made(
    schema_trees, owner_environment, schema, connection
):
    connection.execute("CREATE SCHEMA svc; CREATE TABLE svc.orders (id int)")
    connection.execute(f"ALTER DATABASE {schema} SET search_path = svc, public")
    for command in ("roles", "expand", "check", "contract", "backfill"):
        refused = migrate(schema_trees["v1"], owner_environment, command, "v1")
        assert refused.returncode == 2, refused.stderr
        assert "goes into the schema svc (its search_path is svc, public); expected public" in refused.stderr
    assert tables(connection, "public") == []
    assert tables(connection, "svc") == ["orders"]


def test_a_schema_behind_public_is_not_looked_at(schema_trees, owner_environment, schema, connection):
    """Another service's record there is not ours."""
    connection.execute("CREATE SCHEMA svc; CREATE TABLE svc.schema_history (revision text, phase text)")
    connection.execute(f"ALTER DATABASE {schema} SET search_path = public, svc")
    assert result_of(migrate(schema_trees["v1"], owner_environment, "expand", "v1"))["applied"] == ["e0001"]
    assert "schema_history" in tables(connection, "public")


def test_the_path_is_refused_where_public_is_not_there(schema_trees, owner_environment, connection):
    connection.execute("DROP SCHEMA public")
    refused = migrate(schema_trees["v1"], owner_environment, "expand", "v1")
    assert (refused.returncode, "no schema, as public is not there" in refused.stderr) == (2, True), refused.stderr
    connection.execute("CREATE SCHEMA public")


MEET = """
CREATE SEQUENCE met;
CREATE TABLE other (n int);
INSERT INTO other VALUES (0);
CREATE FUNCTION meet() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    PERFORM nextval('met');
    {what}
    RETURN NEW;
END $$;
CREATE TRIGGER meet BEFORE UPDATE ON items FOR EACH ROW WHEN (NEW.id = 1) EXECUTE FUNCTION meet();
"""
MEETING = "PERFORM pg_advisory_xact_lock(4711); UPDATE other SET n = n + 1;"
REFUSED_ONCE = "IF currval('met') = 1 THEN RAISE EXCEPTION 'once' USING ERRCODE = '40001'; END IF;"
DRIFT = {"MIGRATION_REFUSE_DRIFT": "never"}


def fill_while_a_row_is_written(filling):
    """It is written after the batch began and before the batch gets to it. Answers the batches that met it."""
    filling.prepare(rows="INSERT INTO items SELECT i, i FROM generate_series(1, 2) AS i")
    filling.connection.execute(MEET.format(what=MEETING))
    filling.connection.execute(
        f"ALTER DATABASE {filling.connection.info.dbname} SET default_transaction_isolation = 'repeatable read'"
    )
    with filling.connect() as writer:
        writer.execute("SELECT pg_advisory_lock(4711)")
        running = filling.start(MIGRATION_BACKFILL_LOCK_TIMEOUT_MILLISECONDS="10000", **DRIFT)
        waits = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711 AND NOT granted"
        filling.until(lambda: running.poll() is not None or filling.one(waits))
        writer.execute("UPDATE other SET n = n + 1")
        writer.execute("SELECT pg_advisory_unlock(4711)")
        output = running.communicate(timeout=60)[0]
    assert running.returncode == 0, output
    assert filling.one("SELECT count(*) FROM items WHERE filled IS NULL") == (0,)
    return filling.one("SELECT last_value FROM met")[0]


def test_a_batch_that_meets_a_row_written_meanwhile_is_filled_at_once(filling):
    assert fill_while_a_row_is_written(filling) == 1


def test_twin_with_the_isolation_of_the_database_it_is_refused_first(filling):
    file = filling.tree / "migrations/database.py"
    text = file.read_text()
    assert '"read committed"' in text
    file.write_text(text.replace('"read committed"', '"repeatable read"'))
    assert fill_while_a_row_is_written(filling) == 2


def test_a_batch_that_could_not_be_serialized_is_tried_again(filling):
    filling.prepare(rows="INSERT INTO items SELECT i, i FROM generate_series(1, 2) AS i")
    filling.connection.execute(MEET.format(what=REFUSED_ONCE))
    assert filling.done(**DRIFT)["rows"] == 2
    assert filling.one("SELECT last_value FROM met") == (2,)


def test_the_time_that_a_database_gives_a_transaction_is_not_that_of_a_revision(
    own_tree, schema_trees, owner_environment, schema, connection
):
    if connection.info.server_version < 170000:
        pytest.skip("this server has no transaction_timeout")
    result_of(migrate(schema_trees["v1"], owner_environment, "expand", "v1"))
    connection.execute(f"ALTER DATABASE {schema} SET transaction_timeout = '300ms'")
    tree = own_tree("SELECT pg_sleep(0.6)")
    assert result_of(migrate(tree, owner_environment, "expand", "v2"))["applied"] == ["e0002"]
    # One that a revision gives itself is its limit, and no lost connection.
    tree = own_tree("SET LOCAL transaction_timeout = '300ms'; SELECT pg_sleep(5)", name="e0003", down="e0002")
    found = migrate(tree, owner_environment, "expand", "v3")
    assert (found.returncode, "transaction timeout" in found.stderr) == (8, True), found.stderr
