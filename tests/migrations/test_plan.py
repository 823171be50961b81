"""`plan`: what is pending, with SQL, tables and sizes, and the lint's word; nothing is changed."""

import pytest

from tests.support.trees_on_disk import migrate, result_of

pytestmark = pytest.mark.slow
NOT_SERVABLE = 3


def everything(connection):
    return connection.execute(
        "SELECT relname, relfilenode FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY 1"
    ).fetchall()


def test_all_phases_are_told_and_nothing_is_changed(schema_trees, owner_environment, schema_server, schema):
    result_of(migrate(schema_trees["v1"], owner_environment, "expand", "v1"))
    with schema_server.connect(schema) as connection:
        connection.execute(
            "INSERT INTO orders (reference, customer, price) SELECT 'r', 'c', '1 EUR' FROM generate_series(1, 1000)"
        )
        connection.execute("ANALYZE orders")
        before = everything(connection)
        run = migrate(schema_trees["v3"], owner_environment, "plan", "v3")
        assert everything(connection) == before
    result = result_of(run)
    assert result["pending"] == {"expand": ["e0002"], "backfill": ["b0001"], "contract": ["c0001", "c0002"]}
    assert [one["revision"] for one in result["revisions"]] == ["e0002", "c0001", "c0002"]
    assert result["revisions"][0]["locks"]["orders"]["rows"] == 1000
    assert "ALTER TABLE orders ADD COLUMN amount_cents bigint, ADD COLUMN currency text;" in run.stdout
    assert "-- locks orders (1,000 rows, " in run.stdout
    assert "backfill b0001 would fill orders (1,000 rows, " in run.stdout


def test_an_empty_database_gets_a_plan_and_no_table(schema_trees, owner_environment, schema_server, schema):
    result = result_of(migrate(schema_trees["v1"], owner_environment, "plan", "v1"))
    assert result["pending"]["expand"] == ["e0001"]
    with schema_server.connect(schema) as connection:
        assert everything(connection) == []
    result_of(migrate(schema_trees["v1"], owner_environment, "expand", "v1"))
    run = migrate(schema_trees["v1"], owner_environment, "plan", "v1")
    assert result_of(run)["revisions"] == []
    assert "plan: nothing is pending" in run.stdout


def test_what_the_lint_refuses_is_in_the_plan(own_tree, owner_environment):
    tree = own_tree("ALTER TABLE orders DROP COLUMN status", settings='tables = ("orders",)', allow=False)
    run = migrate(tree, owner_environment, "plan", "v2")
    found = result_of(run)["revisions"][1]
    assert [finding["rule"] for finding in found["findings"]] == ["ban-drop-column"]
    assert "-- lint: expand/e0002_test.py statement 1: error: ban-drop-column" in run.stdout


def test_an_image_that_may_not_serve_has_no_plan(schema_trees, owner_environment):
    environment = {**owner_environment, "MIGRATION_REFUSE_DRIFT": "never"}
    for command in ("expand", "backfill", "contract"):
        result_of(migrate(schema_trees["v3"], environment, command, "v3"))
    run = migrate(schema_trees["v2"], environment, "plan", "v2")
    assert run.returncode == NOT_SERVABLE
