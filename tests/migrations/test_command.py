"""The command as the gates run it: a process of a version's own tree, on a real PostgreSQL."""

import psycopg
import pytest

from tests.support.trees_on_disk import migrate, result_of

pytestmark = pytest.mark.slow


def history(server, name):
    with server.connect(name) as connection:
        return connection.execute("SELECT revision, phase, version FROM schema_history ORDER BY applied_at").fetchall()


def test_the_first_release_on_an_empty_database(schema_trees, owner_environment, schema_server, schema):
    tree = schema_trees["v1"]
    assert result_of(migrate(tree, owner_environment, "history"))["applied"] == []
    assert result_of(migrate(tree, owner_environment, "roles", "v1"))["made"] is True
    first = result_of(migrate(tree, owner_environment, "expand", "v1"))
    assert (first["revision"], first["applied"], first["version"]) == ("e0001", ["e0001"], "v1")
    again = result_of(migrate(tree, owner_environment, "expand", "v1b"))
    assert (again["revision"], again["applied"]) == ("e0001", [])
    assert result_of(migrate(tree, owner_environment, "contract", "v1"))["applied"] == []
    assert history(schema_server, schema) == [("e0001", "expand", "v1")]


def test_the_life_of_a_schema_and_the_rule(schema_trees, owner_environment, schema_server, schema):
    result_of(migrate(schema_trees["v1"], owner_environment, "expand", "v1"))

    early = migrate(schema_trees["v2"], owner_environment, "check", "v2")
    assert early.returncode == 10
    assert "v2 needs expand e0002" in early.stderr

    expanded = result_of(migrate(schema_trees["v2"], owner_environment, "expand", "v2"))
    assert (expanded["applied"], expanded["pendingBackfills"]) == (["e0002"], ["b0001"])
    assert result_of(migrate(schema_trees["v2"], owner_environment, "backfill", "v2"))["pendingBackfills"] == []
    # What an older image does not know of expand is harmless to it, also when it runs its own expand.
    assert result_of(migrate(schema_trees["v1"], owner_environment, "check", "v1"))["revision"] == "e0002"
    assert result_of(migrate(schema_trees["v1"], owner_environment, "expand", "v1"))["applied"] == []

    assert result_of(migrate(schema_trees["v3"], owner_environment, "expand", "v3"))["applied"] == []
    done = result_of(migrate(schema_trees["v3"], owner_environment, "contract", "v3"))
    assert (done["applied"], done["revision"]) == (["c0001", "c0002"], "e0002+c0002")

    for command in ("check", "expand", "backfill", "contract"):
        refused = migrate(schema_trees["v2"], owner_environment, command, "v2")
        assert refused.returncode == 3
        assert "contract c0001, c0002 removed what it needs" in refused.stderr
        assert "the oldest version that can serve is v3" in refused.stderr
        assert len(refused.stderr.strip().splitlines()) == 1
    with schema_server.connect(schema) as connection:
        heads = connection.execute("SELECT version_num FROM alembic_version ORDER BY 1").fetchall()
    assert heads == [("c0002",), ("e0002",)] or heads == [("c0002",)]


def test_an_image_whose_expand_forked_from_an_unknown_one_can_still_run_it(
    schema_trees, own_tree, owner_environment, schema_server, schema
):
    result_of(migrate(schema_trees["v2"], owner_environment, "expand", "v2"))
    tree = own_tree("ALTER TABLE orders ADD COLUMN note text", name="e9", down="e0001")
    assert result_of(migrate(tree, owner_environment, "expand", "other"))["applied"] == ["e9"]
    assert result_of(migrate(tree, owner_environment, "check", "other"))["revision"] == "e9"
    assert ("e9", "expand", "other") in history(schema_server, schema)


def test_a_failing_revision_keeps_nothing_and_says_why(schema_trees, owner_environment, schema_server, schema):
    result_of(migrate(schema_trees["v2"], owner_environment, "expand", "v2"))
    with schema_server.connect(schema) as connection:
        connection.execute("INSERT INTO orders (reference, customer, price) VALUES ('r', 'private person', '1.00 EUR')")
    failed = migrate(schema_trees["broken-migration"], owner_environment, "expand", "v2x")
    assert failed.returncode == 6
    lines = failed.stderr.strip().splitlines()
    assert len(lines) == 1
    assert "e0004" in lines[0]
    assert 'column "discount_cents" of relation "orders" contains null values' in lines[0]
    assert "nothing of its transaction was kept" in lines[0]
    assert "private person" not in failed.stderr + failed.stdout
    assert [row[0] for row in history(schema_server, schema)] == ["e0001", "e0002"]
    assert result_of(migrate(schema_trees["v2"], owner_environment, "check", "v2"))["revision"] == "e0002"


def test_the_service_role_reads_and_writes_rows_and_nothing_else(
    schema_trees, owner_environment, app_environment, schema_server, schema
):
    tree = schema_trees["v1"]
    result_of(migrate(tree, owner_environment, "roles", "v1"))
    result_of(migrate(tree, owner_environment, "expand", "v1"))
    app = schema_server.connect(schema, app_environment["DB_USER"], app_environment["DB_PASSWORD"])
    with app:
        app.execute("INSERT INTO orders (reference, customer, price) VALUES ('r', 'c', '1.00 EUR')")
        app.execute("UPDATE orders SET status = 'paid'")
        app.execute("DELETE FROM orders")
        assert app.execute("SELECT count(*) FROM schema_history").fetchone() == (1,)
        for forbidden in (
            "CREATE TABLE mine (id int)",
            "DROP TABLE orders",
            "TRUNCATE orders",
            "ALTER TABLE orders ADD COLUMN x int",
            "DELETE FROM schema_history",
            "UPDATE schema_versions SET version = 'x'",
            "INSERT INTO alembic_version VALUES ('x')",
            "CREATE ROLE another",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                app.execute(forbidden)


def test_a_new_password_takes_effect_and_is_in_no_log(schema_trees, owner_environment, schema_server, schema):
    tree = schema_trees["v1"]
    result_of(migrate(tree, owner_environment, "roles", "v1"))
    changed = {**owner_environment, "APP_DB_PASSWORD": "another-one"}
    found = migrate(tree, changed, "roles", "v1")
    assert result_of(found)["made"] is False
    assert "another-one" not in found.stdout + found.stderr
    schema_server.connect(schema, owner_environment["APP_DB_USER"], "another-one").close()
    with pytest.raises(psycopg.OperationalError):
        schema_server.connect(schema, owner_environment["APP_DB_USER"], owner_environment["APP_DB_PASSWORD"])


@pytest.mark.parametrize(
    ("change", "command", "code", "named"),
    [
        ({"DB_HOST": ""}, "check", 2, "DB_HOST"),
        ({"DB_PORT": "x"}, "expand", 2, "DB_PORT"),
        ({"APP_DB_USER": ""}, "roles", 2, "APP_DB_USER"),
        ({"APP_DB_USER": "A b"}, "roles", 2, "APP_DB_USER"),
        ({"APP_DB_USER": "postgres"}, "roles", 2, "APP_DB_USER"),
        ({"MIGRATION_LOCK_BUDGET_SECONDS": "0"}, "expand", 2, "MIGRATION_LOCK_BUDGET_SECONDS"),
        ({"DB_PASSWORD": "wrong"}, "check", 7, "password authentication failed"),
        ({"DB_NAME": "not_here"}, "check", 7, "does not exist"),
        ({"DB_PORT": "1", "MIGRATION_CONNECT_WAIT_SECONDS": "1"}, "check", 7, "127.0.0.1:1/"),
    ],
)
def test_a_wrong_setting_is_one_line_and_its_own_code(schema_trees, owner_environment, change, command, code, named):
    found = migrate(schema_trees["v1"], {**owner_environment, **change}, command, "v1")
    assert found.returncode == code, found.stderr
    lines = found.stderr.strip().splitlines()
    assert len(lines) == 1
    assert named in lines[0]
    assert "expected" in lines[0]


def test_an_unknown_command_is_refused(schema_trees, owner_environment):
    found = migrate(schema_trees["v1"], owner_environment, "downgrade")
    assert found.returncode == 2
    assert "downgrade" in found.stderr
