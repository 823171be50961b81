"""Revisions outside a transaction, on names in upper case and in other schemas. On a real PostgreSQL."""

import shutil

import pytest

from tests.support.allowed import allow_all
from tests.support.trees_on_disk import migrate, result_of

pytestmark = pytest.mark.slow
REVISION = '''"""A revision of a test."""

from migrations import concurrently

revision = "e0002"
down_revision = "e0001"
branch_labels = None
depends_on = None
outside_transaction = True


def upgrade() -> None:
    """Run it."""
    {body}
'''
MADE = """
CREATE TABLE "Events" (id int) PARTITION BY RANGE (id);
CREATE TABLE "Events_1" PARTITION OF "Events" FOR VALUES FROM (1) TO (10);
CREATE TABLE "Events_2" (id int);
CREATE TABLE other (id int) PARTITION BY RANGE (id);
CREATE SCHEMA audit;
CREATE TABLE audit.log (id int, "Who" text);
CREATE INDEX log_worn ON audit.log (id);
CREATE TABLE log (id int);
CREATE INDEX log_ix ON log (id);
"""
LONG = "by_a_name_that_is_longer_than_the_sixty_three_bytes_postgresql_keeps"


@pytest.fixture
def run(schema_trees, tmp_path, owner_environment, schema_server, schema):
    """`run(body)`: the release of a revision outside a transaction, with the tables above there."""
    tree = tmp_path / "named"
    shutil.copytree(schema_trees["v1"], tree)
    result_of(migrate(tree, owner_environment, "expand", "v1"))
    with schema_server.connect(schema) as connection:
        connection.execute(MADE)

        def release(body):
            folder = tree / "migrations/expand"
            (folder / "e0002_test.py").write_text(REVISION.format(body=body))
            (folder / "HEAD").write_text("e0002_test\n")
            allow_all(tree)
            return migrate(tree, {**owner_environment, "MIGRATION_REFUSE_DRIFT": "never"}, "expand", "v2")

        release.connection = connection
        yield release


def forget(connection):
    connection.execute("DELETE FROM schema_history WHERE revision = 'e0002'")
    connection.execute("UPDATE alembic_version SET version_num = 'e0001' WHERE version_num = 'e0002'")


VALID = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('{}')"
OPERATIONS = {
    'detach_partition("Events", "Events_1")': "SELECT count(*) = 0 FROM pg_inherits",
    'attach_partition("Events", "Events_2", "FOR VALUES FROM (10) TO (20)")': "SELECT count(*) = 2 FROM pg_inherits",
    'create_index("Orders_Ix", "orders", ("customer",))': VALID.format('"Orders_Ix"'),
    # There is one of that name on a table of that name, in the schema of the search path.
    'create_index("log_ix", "audit.log", (\'"Who"\',))': VALID.format("audit.log_ix"),
    'create_index("audit.log_ix", "audit.log", ("id",))': VALID.format("audit.log_ix"),
    f'create_index("{LONG}", "orders", ("customer",))': VALID.format(LONG),
    'reindex("audit.log_worn")': VALID.format("audit.log_worn"),
    'drop_index("audit.log_worn")': "SELECT to_regclass('audit.log_worn') IS NULL",
    'add_constraint("Events", "Positive.id", "CHECK (id > 0)")': (
        "SELECT count(*) = 1 FROM pg_constraint WHERE conrelid = '\"Events\"'::regclass AND conname = 'Positive.id'"
    ),
}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_each_operation_finds_what_it_names_and_can_be_run_again(run, operation):
    for _ in range(2):
        assert result_of(run(f"concurrently.{operation}"))["applied"] == ["e0002"]
        assert run.connection.execute(OPERATIONS[operation]).fetchone() == (True,)
        forget(run.connection)


@pytest.mark.parametrize(
    ("names", "found"),
    [
        ('"events", "events_1"', "found no partitioned table events"),
        ('"orders", "Events_1"', "found no partitioned table orders"),
        ('"other", "Events_1"', "found Events_1 attached to another table"),
    ],
)
def test_a_detach_that_finds_no_such_parent_is_not_taken_for_done(run, names, found):
    failed = run(f"concurrently.detach_partition({names})")
    assert failed.returncode == 6
    assert found in failed.stderr
    assert run.connection.execute("SELECT count(*) FROM pg_inherits").fetchone() == (1,)
    assert run.connection.execute("SELECT 1 FROM schema_history WHERE revision = 'e0002'").fetchone() is None


def test_a_broken_index_in_another_schema_is_built_again(run):
    run.connection.execute("INSERT INTO audit.log (id) VALUES (1), (1)")
    unique = 'concurrently.create_index("Log_Ix", "audit.log", ("id",), unique=True)'
    assert run(unique).returncode == 6
    run.connection.execute("DELETE FROM audit.log")
    built = run(unique)
    assert result_of(built)["applied"] == ["e0002"]
    assert 'index audit."Log_Ix" is there and not valid' in built.stdout
    assert run.connection.execute(VALID.format('audit."Log_Ix"')).fetchone() == (True,)


def test_an_index_in_a_schema_that_its_table_is_not_in_is_refused(run):
    failed = run('concurrently.create_index("other.log_ix", "audit.log", ("id",))')
    assert failed.returncode != 0
    assert "found schema other, expected audit" in failed.stderr
