"""What a migration or a backfill says when PostgreSQL refuses: enough to mend it, and nothing that a row holds."""

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from migrations import told
from tests.support.trees_on_disk import migrate, result_of

pytestmark = pytest.mark.slow

TELLING = "Zq7x_Alice"
ROW = f"INSERT INTO orders (reference, customer, price) VALUES ('r', '{TELLING}', '1.00 EUR')"  # noqa: S608  of this file
DO = "DO $$ DECLARE found text; BEGIN SELECT customer INTO found FROM orders; {} END $$"
# A statement of a revision, and what must be said of it.
STATEMENTS = {
    "a type": (
        "ALTER TABLE orders ALTER COLUMN customer TYPE int USING customer::int",
        "InvalidTextRepresentation (SQLSTATE 22P02); its sentence may hold a row's value",
    ),
    "an index": ("CREATE INDEX ON orders ((customer::int))", "InvalidTextRepresentation (SQLSTATE 22P02)"),
    "a name": ("SELECT customer::regclass FROM orders", "UndefinedTable (SQLSTATE 42P01)"),
    "raised": (DO.format("RAISE 'saw %', found;"), "RaiseException (SQLSTATE P0001)"),
    "in disguise": (
        DO.format("RAISE 'saw %', found USING ERRCODE = '23502', TABLE = found, COLUMN = found;"),
        "NotNullViolation (SQLSTATE 23502);",
    ),
    "as a lock": (DO.format("RAISE '%', found USING ERRCODE = '57014';"), "QueryCanceled (SQLSTATE 57014)"),
    "composed": (DO.format("EXECUTE found;"), "SyntaxError (SQLSTATE 42601)"),
    "asserted": (DO.format("ASSERT false, found;"), "AssertFailure (SQLSTATE P0004)"),
    "noticed": (DO.format("RAISE NOTICE '%', found; RAISE WARNING '%', found; PERFORM 1/0;"), "DivisionByZero"),
    "a check": (
        "ALTER TABLE orders ADD CONSTRAINT short CHECK (length(customer) < 5)",
        'CheckViolation: check constraint "short" of relation "orders" is violated by some row',
    ),
    "no null": (
        "ALTER TABLE orders ADD COLUMN vat int NOT NULL",
        'NotNullViolation: column "vat" of relation "orders" contains null values',
    ),
    "no such": (
        "ALTER TABLE orders DROP COLUMN nope",
        'UndefinedColumn: column "nope" of relation "orders" does not exist',
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", STATEMENTS)
def test_a_revision_that_fails_is_told_without_the_row(
    case, own_tree, owner_environment, schema_trees, schema_server, schema
):
    statement, expected = STATEMENTS[case]
    result_of(migrate(schema_trees["v1"], owner_environment, "expand", "v1"))
    with schema_server.connect(schema) as connection:
        connection.execute(ROW)
    tree = own_tree(statement)
    run = migrate(tree, owner_environment, "expand", "v2")
    assert TELLING.lower() not in (run.stdout + run.stderr).lower()
    assert expected in run.stderr
    lines = (tree / "migrations/expand/e0002_test.py").read_text().splitlines()
    at = next(number for number, line in enumerate(lines, 1) if "op.execute" in line)
    assert f"expand e0002 (e0002_test.py, line {at})" in run.stderr


TRIGGER = """
CREATE FUNCTION judge() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {} RETURN NEW; END $$;
CREATE TRIGGER judge BEFORE UPDATE ON items FOR EACH ROW EXECUTE FUNCTION judge()
"""


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("PERFORM NEW.name::int;", "InvalidTextRepresentation (SQLSTATE 22P02)"),
        ("PERFORM NEW.name::regclass;", "UndefinedTable (SQLSTATE 42P01)"),
        ("RAISE '%', NEW.name USING ERRCODE = '23514', CONSTRAINT = NEW.name;", "CheckViolation (SQLSTATE 23514);"),
        ("RAISE '%', NEW.name USING ERRCODE = '53100';", "DiskFull (SQLSTATE 53100); the server's disk is full; make"),
        ("NEW.old = NULL;", 'null value in column "old" of relation "items" violates not-null constraint'),
    ],
)
def test_a_backfill_that_fails_is_told_without_the_row(filling, body, expected):
    filling.prepare("CREATE TABLE items (id bigint PRIMARY KEY, old int NOT NULL, filled int, times int, name text)")
    filling.connection.execute(f"INSERT INTO items VALUES (1, 1, NULL, 0, '{TELLING}')")  # noqa: S608  of this file
    filling.connection.execute(TRIGGER.format(body))
    run = filling.run()
    assert run.returncode == 6
    assert expected in run.stderr
    assert TELLING.lower() not in (run.stdout + run.stderr).lower()


# Wherever a row's value may come to be part of an error, in any state.
_VALUE = "(SELECT v FROM held)"
_PLACES = st.sampled_from([
    *(f"SELECT {_VALUE}::{kind}" for kind in (
        "int", "numeric", "date", "timestamptz", "interval", "uuid", "inet", "jsonb", "xml", "jsonpath", "tsquery",
        "regclass", "regtype", "regproc", "regprocedure", "regrole", "regnamespace", "regconfig", "int[]", "int4range",
        "bit(3)", "bytea", "oid", "point", "bool", "money", "pg_lsn", "colour",
    )),
    f"SELECT nextval({_VALUE})", f"SELECT currval({_VALUE})", f"SELECT date_trunc({_VALUE}, now())",
    f"SELECT now() AT TIME ZONE {_VALUE}", f"SELECT set_config({_VALUE}, 'a', false)",
    f"SELECT set_config('work_mem', {_VALUE}, false)", f"SELECT current_setting({_VALUE})",
    f"SELECT has_table_privilege({_VALUE}, 'held', 'select')", f"SELECT has_table_privilege('held', {_VALUE})",
    f"SELECT pg_read_file({_VALUE})", f"SELECT decode({_VALUE}, 'hex')", f"SELECT convert_to('a', {_VALUE})",
    f"SELECT query_to_xml('SELECT ' || {_VALUE}, true, true, '')", f"SELECT 'a' ~ ('[' || {_VALUE})",
    f"SELECT to_char(now(), 'x')::int, ('a.b.c.' || {_VALUE})::regclass", f"SELECT pg_size_bytes({_VALUE})",
    "INSERT INTO held SELECT v FROM held", "INSERT INTO narrow SELECT v FROM held", "UPDATE held SET v = NULL",
    "ALTER TABLE held ALTER COLUMN v TYPE int USING v::int", "CREATE INDEX ON held ((v::date))",
    "ALTER TABLE held ADD CHECK (v::colour IS NULL)", "INSERT INTO parts SELECT v FROM held",
])  # fmt: skip
_STATES = st.from_regex(r"(23502|23505|40P01|42P01|42601|55P03|57014|0A000|2BP01|[0-9A-Z]{5})", fullmatch=True)
_RAISED = st.tuples(
    _STATES, st.sampled_from(["MESSAGE", "DETAIL", "HINT", "TABLE", "COLUMN", "CONSTRAINT", "DATATYPE"])
)


@pytest.fixture(scope="module")
def held(schema_server):
    with schema_server.database() as name, schema_server.connect(name) as connection:
        connection.execute("""
            CREATE TYPE colour AS ENUM ('red'); CREATE TABLE held (v text NOT NULL UNIQUE);
            CREATE TABLE narrow (v varchar(2) CHECK (v <> v)); CREATE TABLE parts (v text) PARTITION BY LIST (v)
        """)
        yield connection


def _told(connection, value, statement):
    with connection.transaction(force_rollback=True):
        connection.execute("TRUNCATE held")
        connection.execute("INSERT INTO held VALUES (%s)", (value,))
        try:
            with connection.transaction():
                connection.execute(statement)
        except psycopg.Error as error:
            return told.told(error, statement) + told.first_line(error, statement), str(error)
    return "", ""


_often = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
_values = st.text(st.characters(codec="ascii", exclude_categories=("Cc",)), max_size=12).map(lambda tail: f"zq7x{tail}")


@_often
@given(_values, _PLACES)
def test_no_value_of_a_row_gets_into_words(held, value, statement):
    assert "zq7x" not in _told(held, value, statement)[0].lower()


@_often
@given(_values, _RAISED)
def test_whatever_a_function_raises_its_words_are_not_told(held, value, raised):
    state, field = raised
    message = "'a message'" if field != "MESSAGE" else "v"
    more = "" if field == "MESSAGE" else f", {field} = v"
    statement = f"""DO $$ DECLARE v text; BEGIN SELECT held.v INTO v FROM held;
        RAISE EXCEPTION USING ERRCODE = '{state}', MESSAGE = {message}{more}; END $$"""  # noqa: S608  of this file
    assert "zq7x" not in _told(held, value, statement)[0].lower()


def test_twin_the_server_s_own_words_do_hold_it(held):
    """Else the tests above would show nothing."""
    for statement in ("SELECT v::int FROM held", "SELECT v::regclass FROM held", "INSERT INTO held SELECT v FROM held"):
        assert "zq7x" in _told(held, "zq7x", statement)[1]
