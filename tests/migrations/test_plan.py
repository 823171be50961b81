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
    assert run.stderr.startswith(
        "plan: version v2 cannot serve this database: contract c0001, c0002 removed what it needs"
    )


def refused_by(run):
    """What the plan says would refuse it: it is in the text, and the plan itself ends well."""
    refused = result_of(run)["refused"]
    line = f"plan: {refused['phase']} would be refused now with exit code {refused['exit']}: {refused['message']}"
    assert line in run.stdout
    return refused


def test_a_plan_says_what_would_refuse_a_database_without_a_history(
    schema_trees, owner_environment, schema_server, schema
):
    with schema_server.connect(schema) as connection:
        connection.execute("CREATE TABLE orders (id bigint)")
        before = everything(connection)
        refused = refused_by(migrate(schema_trees["v2"], owner_environment, "plan", "v2"))
        assert everything(connection) == before
    run = migrate(schema_trees["v2"], owner_environment, "expand", "v2")
    assert (refused["phase"], refused["exit"], refused["name"]) == ("expand", run.returncode, "NOT_ADOPTED")
    assert refused["message"] == run.stderr.strip()


def test_a_plan_says_that_an_edited_revision_would_refuse_it_and_shows_what_is_pending(
    schema_trees, own_tree, owner_environment
):
    result_of(migrate(schema_trees["v1"], owner_environment, "expand", "v1"))
    tree = own_tree("ALTER TABLE orders ADD COLUMN note text", settings='tables = ("orders",)')
    edited = tree / "migrations/expand/e0001_orders.py"
    edited.write_text(edited.read_text() + '\n    op.execute("SELECT 1")\n')
    run = migrate(tree, owner_environment, "plan", "v2")
    refused = refused_by(run)
    assert (refused["phase"], refused["name"]) == ("expand", "EDITED")
    assert [one["revision"] for one in result_of(run)["revisions"]] == ["e0002"]
    found = migrate(tree, owner_environment, "expand", "v2")
    assert (found.returncode, found.stderr.strip()) == (refused["exit"], refused["message"])


def test_a_plan_says_what_the_lint_and_drift_would_refuse(
    own_tree, schema_trees, owner_environment, schema_server, schema
):
    result_of(migrate(schema_trees["v1"], owner_environment, "expand", "v1"))
    statement = "ALTER TABLE orders ADD COLUMN note text"
    tree = own_tree(statement, settings='tables = ("orders",)', allow=False)
    with schema_server.connect(schema) as connection:
        connection.execute("ALTER TABLE orders DROP COLUMN status")
    drifted = refused_by(migrate(tree, owner_environment, "plan", "v2"))
    assert (drifted["phase"], drifted["name"]) == ("expand", "DRIFT")
    own_tree("ALTER TABLE orders DROP COLUMN price", settings='tables = ("orders",)', allow=False)
    linted = refused_by(migrate(tree, owner_environment, "plan", "v2"))
    assert (linted["phase"], linted["name"]) == ("expand", "LINT_REFUSED")


def test_what_an_earlier_phase_brings_refuses_nothing(schema_trees, owner_environment):
    """c0001 depends on e0002, which the same release brings."""
    assert result_of(migrate(schema_trees["v3"], owner_environment, "plan", "v3"))["refused"] is None
