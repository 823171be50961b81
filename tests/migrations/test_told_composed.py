"""A statement that a revision composes of rows: what PostgreSQL says of it may quote them. On a real PostgreSQL."""

import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from migrations import told
from tests.support.trees_on_disk import migrate, result_of

pytestmark = pytest.mark.slow

COMPOSED = '''"""A revision of a test."""

from alembic import op

revision = "e0002"
down_revision = "e0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Run it."""
    for (name,) in op.get_bind().exec_driver_sql("SELECT customer FROM orders").fetchall():
        op.execute(f"""{statement}""")
'''
# A statement with a hole, and the state that it ends in.
STATEMENTS = {
    "INSERT INTO orders (customer) VALUES ('O'{name}')": "42601",
    "CREATE TABLE people AS SELECT {name} AS who": "42703",
    "CREATE TABLE people AS SELECT one.{name} FROM orders AS one": "42703",
    "DROP TABLE {name}": "42P01",
    "ALTER TABLE orders DROP COLUMN {name}": "42703",
    "CREATE TABLE people AS SELECT {name}(id) FROM orders": "42883",
}
TELLING = "zq7xbrien"


@pytest.mark.parametrize("statement", STATEMENTS)
def test_a_row_that_got_into_a_statement_is_not_told(
    own_tree, owner_environment, schema_trees, schema_server, schema, statement
):
    result_of(migrate(schema_trees["v1"], owner_environment, "expand", "v1"))
    with schema_server.connect(schema) as connection:
        row = "INSERT INTO orders (reference, customer, price) VALUES ('r', %s, '1.00 EUR')"
        connection.execute(row, (TELLING,))
    tree = own_tree("SELECT 1")
    file = tree / "migrations/expand/e0002_test.py"
    file.write_text(COMPOSED.replace("{statement}", statement))
    file.write_text(
        file.read_text().replace("\n\n\ndef", '\nlint_exceptions = {"offline-sql": "what the test is about"}\n\n\ndef')
    )
    run = migrate(tree, owner_environment, "expand", "v2")
    assert run.returncode == 6, run.stderr
    assert f"(SQLSTATE {STATEMENTS[statement]})" in run.stderr
    assert TELLING not in (run.stdout + run.stderr).lower()


HOLES = st.sampled_from([
    "SELECT {}", "SELECT '{}'", "SELECT held.{} FROM held", 'SELECT held."{}" FROM held', 'SELECT "{}"',
    "SELECT {}(v) FROM held", "DROP TABLE {}", 'DROP TABLE "{}"', "ALTER TABLE held RENAME COLUMN {} TO w",
    "SELECT v::{} FROM held", "SELECT {}.v FROM held", "SELECT * FROM a.b.c.{}", "SET {} = 1", "SELECT 1 {} 2",
    "CREATE INDEX {} ON held (nope)", "CREATE TABLE held (a int, {} text)", "COMMENT ON COLUMN held.{} IS 'a'",
    "ALTER TABLE held ADD CONSTRAINT {} CHECK (v > 1)", "GRANT SELECT ON held TO {}", "EXECUTE {}", "FETCH {}",
])  # fmt: skip
# Letters, and what may end a string or a name.
VALUES = st.text(st.sampled_from("zq\"'. ;(\n-"), max_size=6).map(lambda tail: f"{tail}zq7x{tail[::-1]}")


@pytest.fixture(scope="module")
def held(schema_server):
    with schema_server.database() as name, schema_server.connect(name) as connection:
        connection.execute("CREATE TABLE held (v text)")
        yield connection


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(HOLES, VALUES)
@example("SELECT '{}'", '" \nzq7x')
@example('SELECT held."{}" FROM held', "held zq7x")
@example("SELECT {}(v) FROM held", '";zq7x;"')
@example("SELECT {}(v) FROM held", '"zq7x "')
@example('DROP TABLE "{}"', ';""zq7x"";')
@example('DROP TABLE "{}"', '; "" zq7x "" ;')
@example('SELECT "{}"(v) FROM held', '""v"" zq7x ')
@example('ALTER TABLE held RENAME COLUMN "{}" TO w', 'v"" zq7x ""held')
def test_no_value_gets_into_words_however_a_statement_is_composed(held, hole, value):
    assert "zq7x" not in _told(held, hole.replace("{}", value), hole).lower()


def _told(connection, statement, own):
    """Empty where nothing failed."""
    words = ""
    try:
        with connection.transaction(force_rollback=True):
            connection.execute(statement.encode())
    except psycopg.Error as error:
        words = told.told(error, own) + told.first_line(error, own)
    return words


# What is wrong with a statement that stands in the file is told in full.
OF_THE_FILE = {
    "ALTER TABEL held ADD w int": 'syntax error at or near "TABEL"',
    "SELECT (v FROM held": 'syntax error at or near "FROM"',
    "SELECT 1;;) SELECT 2": 'syntax error at or near ")"',
    "SELECT v FROM held GROUP BY": "syntax error at end of input",
    "SELECT one.nope FROM held AS one": "column one.nope does not exist",
    "SELECT nope(v) FROM held": "function nope(text) does not exist",
    "SELECT v + 1 FROM held": "operator does not exist: text + integer",
    "ALTER TABLE held DROP COLUMN nope": 'column "nope" of relation "held" does not exist',
    "DROP TRIGGER nope ON held": 'trigger "nope" for table "held" does not exist',
    "ALTER TABLE held VALIDATE CONSTRAINT nope": 'constraint "nope" of relation "held" does not exist',
    "SELECT nope.v FROM held": 'missing FROM-clause entry for table "nope"',
    "ALTER TABLE held ALTER v TYPE int": 'column "v" cannot be cast automatically to type integer',
    "DROP TABLE nope": 'table "nope" does not exist',
    "CREATE TABLE held (id int)": 'relation "held" already exists',
}


@pytest.mark.parametrize("statement", OF_THE_FILE)
def test_what_stands_in_the_file_is_told(held, statement):
    with pytest.raises(psycopg.Error) as failed, held.transaction(force_rollback=True):
        held.execute(statement.encode())
    assert told.sentence(failed.value, f'op.execute("""{statement}""")') == OF_THE_FILE[statement]


def test_twin_the_server_s_own_words_do_hold_it(held):
    """Else the tests above would show nothing."""
    for hole in ("DROP TABLE {}", "SELECT 'O'{}'", "SELECT held.{} FROM held"):
        with pytest.raises(psycopg.Error, match="zq7x"), held.transaction():
            held.execute(hole.replace("{}", "zq7x").encode())
