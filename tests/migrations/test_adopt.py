"""A database that something else made: refused until it is adopted, and adopted only if the revisions make the same."""

import psycopg
import pytest

from tests.support.trees_on_disk import migrate, result_of

pytestmark = pytest.mark.slow

ORDERS = """
CREATE TABLE orders (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer text NOT NULL,
    reference text NOT NULL,
    status text NOT NULL DEFAULT 'new',
    price text NOT NULL,
    test boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO orders (reference, customer, price) VALUES ('r', 'c', '12.34 EUR');
"""
ADOPTED = ("adopt", "v1", "--through", "e0001")


@pytest.fixture
def made_elsewhere(schema_server, schema):
    """A connection to a database with orders, in another order of columns, and no history."""
    with schema_server.connect(schema) as connection:
        connection.execute(ORDERS)
        yield connection


def history_of(connection):
    return connection.execute("SELECT revision, version, actor, note, seconds FROM schema_history").fetchall()


@pytest.mark.parametrize("command", ["check", "expand", "backfill", "contract"])
def test_tables_without_a_history_are_refused(schema_trees, owner_environment, made_elsewhere, command):
    # The roles come first in a release; the tables they make must not look like a history.
    result_of(migrate(schema_trees["v1"], owner_environment, "roles", "v1"))
    refused = migrate(schema_trees["v1"], owner_environment, command, "v1")
    assert refused.returncode == 14
    assert len(refused.stderr.splitlines()) == 1
    assert refused.stderr.startswith(f"{command}: the database has orders, orders_id_seq, and no history")
    assert "python -m migrations adopt --through <revision>" in refused.stderr
    assert history_of(made_elsewhere) == []


def test_what_something_else_made_is_taken_over_and_goes_on(
    schema_trees, owner_environment, app_environment, schema_server, made_elsewhere
):
    made_elsewhere.execute("CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)")
    made_elsewhere.execute("INSERT INTO alembic_version VALUES ('9f1c0ffee')")
    refused = migrate(schema_trees["v1"], owner_environment, "expand", "v1")
    assert "and says 9f1c0ffee in alembic_version" in refused.stderr
    actor = {**owner_environment, "MIGRATION_ACTOR": "Zoë"}
    run = migrate(schema_trees["v1"], actor, *ADOPTED)
    assert result_of(run)["applied"] == ["e0001"]
    assert "alembic_version said 9f1c0ffee, it says e0001 now" in run.stdout
    assert history_of(made_elsewhere) == [("e0001", "v1", "Zoë", "adopted", 0.0)]
    before = result_of(migrate(schema_trees["v1"], owner_environment, "history"))["history"]
    assert (before[0]["note"], before[0]["actor"], len(before[0]["checksum"])) == ("adopted", "Zoë", 16)

    again = migrate(schema_trees["v1"], owner_environment, *ADOPTED)
    assert result_of(again)["applied"] == []
    assert "nothing to do" in again.stdout
    # From here on it is a database like any other.
    result_of(migrate(schema_trees["v1"], owner_environment, "roles", "v1"))
    assert result_of(migrate(schema_trees["v1"], owner_environment, "expand", "v1"))["applied"] == []
    assert result_of(migrate(schema_trees["v2"], owner_environment, "expand", "v2"))["applied"] == ["e0002"]
    with schema_server.connect(
        app_environment["DB_NAME"], app_environment["DB_USER"], app_environment["DB_PASSWORD"]
    ) as app:
        assert app.execute("UPDATE orders SET price = '0.05 USD' RETURNING amount_cents").fetchone() == (5,)
    # The setting may be left as it is.
    assert result_of(migrate(schema_trees["v2"], owner_environment, *ADOPTED))["applied"] == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("ALTER TABLE orders DROP COLUMN status", "column orders.status is missing"),
        ("ALTER TABLE orders ALTER price TYPE varchar(10)", "column orders.price differs (it is character varying(10)"),
        (
            "ALTER TABLE orders ALTER customer DROP NOT NULL",
            "column orders.customer differs (it is text, expected text",
        ),
        ("ALTER TABLE orders ALTER status SET DEFAULT 'old'", "column orders.status differs (its default)"),
        ("ALTER TABLE orders ADD COLUMN note text", "column orders.note was added"),
        ("ALTER TABLE orders ADD CONSTRAINT short CHECK (length(price) < 30)", "constraint orders.short was added"),
        ("CREATE INDEX by_customer ON orders (customer)", "index orders.by_customer was added"),
        ("CREATE TABLE extra (id int PRIMARY KEY)", "table extra was added"),
        ("ALTER TABLE orders RENAME TO purchases", "table orders is missing, table purchases was added"),
        ("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'", "function f() was added"),
    ],
)
def test_what_is_not_alike_is_refused_and_told(schema_trees, owner_environment, made_elsewhere, change, told):
    made_elsewhere.execute(change)
    refused = migrate(schema_trees["v1"], owner_environment, *ADOPTED)
    assert refused.returncode == 17, refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert told in refused.stderr
    assert "nothing was changed" in refused.stderr
    assert "'old'" not in refused.stderr
    assert made_elsewhere.execute("SELECT to_regclass('schema_history')").fetchone() == (None,)


def test_it_takes_no_lock_that_a_writer_could_meet(schema_trees, owner_environment, schema_server, made_elsewhere):
    with schema_server.connect(made_elsewhere.info.dbname) as writer, writer.transaction():
        # Conflicts with every lock on the table besides ACCESS SHARE, a plain SELECT's.
        writer.execute("LOCK TABLE orders IN EXCLUSIVE MODE")
        run = migrate(schema_trees["v1"], {**owner_environment, "MIGRATION_LOCK_BUDGET_SECONDS": "1"}, *ADOPTED)
        assert result_of(run)["applied"] == ["e0001"]


def test_a_revision_that_names_the_schema_cannot_reach_the_live_table(own_tree, owner_environment, made_elsewhere):
    """The reason for a database of its own: in a schema beside it, `public.orders` would be the live one."""
    tree = own_tree("DROP TABLE public.orders; CREATE TABLE public.orders (id bigint)")
    refused = migrate(tree, owner_environment, "adopt", "v1", "--through", "e0002")
    assert refused.returncode == 17
    assert made_elsewhere.execute("SELECT price FROM orders").fetchall() == [("12.34 EUR",)]
    left = made_elsewhere.execute("SELECT count(*) FROM pg_database WHERE datname ~ '^bluegreen_scratch'").fetchone()
    assert left == (0,)


def test_what_a_killed_run_left_is_cleared_away(schema_trees, owner_environment, made_elsewhere):
    oid = made_elsewhere.execute("SELECT oid FROM pg_database WHERE datname = current_database()").fetchone()[0]
    made_elsewhere.execute(f"CREATE DATABASE bluegreen_scratch_{oid}")
    assert result_of(migrate(schema_trees["v1"], owner_environment, *ADOPTED))["applied"] == ["e0001"]
    found = made_elsewhere.execute("SELECT count(*) FROM pg_database WHERE datname ~ '^bluegreen_scratch'").fetchone()
    assert found == (0,)


def test_a_revision_outside_a_transaction_is_adopted_too(own_tree, owner_environment, made_elsewhere):
    tree = own_tree("SELECT 1", settings="# outside_transaction = True")
    file = tree / "migrations/expand/e0002_test.py"
    text = file.read_text()
    file.write_text(
        text.replace(
            '    op.execute("""SELECT 1""")',
            "    from migrations import concurrently\n\n"
            '    concurrently.create_index("by_customer", "orders", ("customer",))',
        ).replace("# outside", "outside")
    )
    made_elsewhere.execute("CREATE INDEX by_customer ON orders (customer)")
    assert result_of(migrate(tree, owner_environment, "adopt", "v1", "--through", "e0002"))["applied"] == [
        "e0001",
        "e0002",
    ]


@pytest.mark.parametrize("through", ["", "e0009", "c0001"])
def test_a_revision_that_is_no_expand_of_the_image_is_refused(schema_trees, owner_environment, through):
    refused = migrate(schema_trees["v3"], owner_environment, "adopt", "v3", "--through", through)
    assert refused.returncode == 2
    assert "expected one of e0001, e0002: the last expand revision whose work is there" in refused.stderr
    found = f"revision {through} is no expand revision of this image" if through else "--through is missing"
    assert refused.stderr.startswith(f"adopt: {found}, expected")


def test_without_a_revision_it_says_which_there_are_and_needs_no_database(schema_trees, owner_environment):
    nowhere = {**owner_environment, "DB_PORT": "1", "MIGRATION_CONNECT_WAIT_SECONDS": "1"}
    refused = migrate(schema_trees["v1"], nowhere, "adopt", "v1")
    assert (refused.returncode, refused.stderr[:54]) == (2, "adopt: --through is missing, expected one of e0001: th")
    other = migrate(schema_trees["v1"], nowhere, "expand", "v1", "--through", "e0001")
    assert (other.returncode, "--through: expand has none, expected it with adopt" in other.stderr) == (2, True)


def test_where_the_work_of_later_revisions_is_missing_it_says_to_name_an_earlier_one(
    schema_trees, owner_environment, made_elsewhere
):
    refused = migrate(schema_trees["v2"], owner_environment, "adopt", "v2", "--through", "e0002")
    assert refused.returncode == 17
    assert "column orders.amount_cents is missing" in refused.stderr
    assert "Where that is the work of later revisions, name the last one whose work is there (e0001)" in refused.stderr
    first = migrate(schema_trees["v2"], owner_environment, "adopt", "v2", "--through", "e0001")
    assert result_of(first)["applied"] == ["e0001"]
    assert history_of(made_elsewhere)[0][0] == "e0001"


def test_an_empty_database_has_nothing_to_adopt(schema_trees, owner_environment):
    run = migrate(schema_trees["v1"], owner_environment, *ADOPTED)
    assert result_of(run)["applied"] == []
    assert "the database is empty" in run.stdout
    assert result_of(migrate(schema_trees["v1"], owner_environment, "expand", "v1"))["applied"] == ["e0001"]


def test_tables_of_somebody_else_and_a_role_without_the_right_are_told(
    schema_trees, owner_environment, schema, made_elsewhere
):
    role = f"deploy_{schema}"
    made_elsewhere.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'p'")
    made_elsewhere.execute(f"GRANT ALL ON SCHEMA public TO {role}")
    environment = {**owner_environment, "DB_USER": role, "DB_PASSWORD": "p"}
    refused = migrate(schema_trees["v1"], environment, *ADOPTED)
    assert refused.returncode == 17
    assert f"orders belongs to postgres, expected {role}" in refused.stderr
    made_elsewhere.execute(f"ALTER TABLE orders OWNER TO {role}")
    refused = migrate(schema_trees["v1"], environment, *ADOPTED)
    assert refused.returncode == 6
    assert f"ALTER ROLE {role} CREATEDB" in refused.stderr
    made_elsewhere.execute(f"ALTER ROLE {role} CREATEDB")
    assert result_of(migrate(schema_trees["v1"], environment, *ADOPTED))["applied"] == ["e0001"]
    assert history_of(made_elsewhere)[0][3] == "adopted"
    made_elsewhere.execute(f"DROP OWNED BY {role}")
    made_elsewhere.execute(f"DROP ROLE {role}")


def test_the_services_role_cannot_write_what_the_runner_makes_later(
    schema_trees, owner_environment, app_environment, schema_server, made_elsewhere
):
    """Default privileges give the service its rights on every new table, so also on the runner's own."""
    result_of(migrate(schema_trees["v1"], owner_environment, "roles", "v1"))
    own = [row[0] for row in made_elsewhere.execute("SELECT relname FROM pg_class WHERE relname ~ '^schema_.*[a-z]$'")]
    for table in ("schema_history", "schema_versions", "schema_marks", "schema_backfills", "schema_structure"):
        made_elsewhere.execute(f"DROP TABLE {table}")
        assert table in own
    result_of(migrate(schema_trees["v1"], owner_environment, *ADOPTED))
    with schema_server.connect(
        made_elsewhere.info.dbname, app_environment["DB_USER"], app_environment["DB_PASSWORD"]
    ) as app:
        assert app.execute("SELECT count(*) FROM schema_history").fetchone() == (1,)
        for statement in (
            "INSERT INTO schema_versions VALUES ('x', '{}')",
            "DELETE FROM schema_history",
            "UPDATE schema_structure SET version = 'x'",
            "DELETE FROM schema_marks",
            "TRUNCATE schema_backfills",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                app.execute(statement)
