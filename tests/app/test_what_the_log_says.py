"""What the service logs of errors: where and what kind, once, and nothing that a client sent or a row holds."""

import json

import pytest

from tests.support.trees_on_disk import migrate, result_of, service

pytestmark = pytest.mark.slow

TELLING = "Zq7x Alice"  # in the row of every request below
ORDER = {"reference": f"{TELLING} 1", "customer": TELLING, "amount": "12.34", "currency": "EUR"}
TRIGGER = """
CREATE FUNCTION judge() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} RETURN NEW; END $$;
CREATE TRIGGER judge BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION judge()
"""
# What the database is made into before the request, and what the log must say of it.
CASES = {
    "not-null": (
        "ALTER TABLE orders ADD COLUMN vat text NOT NULL",
        "NotNullViolation (SQLSTATE 23502, table orders, column vat)",
    ),
    "unique": (
        """INSERT INTO orders (reference, customer, price) VALUES ('r', '{0}', '1.00 EUR');
        CREATE UNIQUE INDEX once ON orders (customer)""",
        "UniqueViolation (SQLSTATE 23505, table orders, constraint once)",
    ),
    "check": (
        "ALTER TABLE orders ADD CONSTRAINT not_her CHECK (customer <> '{0}')",
        "CheckViolation (SQLSTATE 23514, table orders, constraint not_her)",
    ),
    "invalid-input": (
        TRIGGER.replace("{body}", "PERFORM NEW.customer::int;"),
        "InvalidTextRepresentation (SQLSTATE 22P02)",
    ),
    "raised": (TRIGGER.replace("{body}", "RAISE 'I saw %', NEW.customer;"), "RaiseException (SQLSTATE P0001)"),
    "raised-in-disguise": (
        TRIGGER.replace("{body}", "RAISE '%', NEW.customer USING ERRCODE = '23502', TABLE = NEW.customer;"),
        "NotNullViolation (SQLSTATE 23502)\n",
    ),
}  # fmt: skip
# The same service, but for one function of its own that fails with the customer in its words, as code may.
FAILING = """
import asyncio, errno, logging, sys, traceback
from app import __main__, store, told

async def create(pool, new):
    if new.reference == "chained":
        try:
            int(new.customer)
        except ValueError as error:
            raise KeyError(new.customer) from error
    if new.reference == "group":
        raise ExceptionGroup(new.customer, [ValueError(new.customer), OSError(errno.ENOSPC, new.customer)])
    if new.reference == "libraries":
        logging.getLogger("some.library").warning("lost %r: %s", new.customer and 1, ValueError(new.customer))
        logging.getLogger("some.library").error(ValueError(new.customer))
        async def forgotten():
            raise ValueError(new.customer)
        task = asyncio.get_running_loop().create_task(forgotten())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        del task
    raise ValueError("no place for " + new.customer)

store.create = create
"""
TWIN = "told.in_full = lambda error: ''.join(traceback.format_exception(error))\n"
SERVE = "sys.exit(__main__.main())\n"


def _lines(running):
    running.process.terminate()
    return running.process.communicate(timeout=40)[0].splitlines()


def _parsed(lines):
    return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def migrated(app_server, app_trees):
    with app_server.database() as name:
        environment = {**app_server.environment(name), "APP_DB_USER": f"app_{name}", "APP_DB_PASSWORD": "p"}
        for command in ("roles", "expand"):
            result_of(migrate(app_trees["v1"], environment, command, "v1"))
        yield name, app_server.environment(name, f"app_{name}", "p")


@pytest.fixture(scope="module")
def logged(app_server, app_trees, migrated):
    """One request for each case: its answer and headers, and the lines of the log."""
    name, environment = migrated
    answers = {}
    with service(app_trees["v1"], environment, "v1") as running, app_server.connect(name) as connection:
        for case, (made, _) in CASES.items():
            with app_server.connect(name) as own:
                own.execute(made.replace("{0}", TELLING))
            answers[case] = running.request("POST", "/orders", ORDER, **{"x-request-id": case})
            connection.execute("""
                TRUNCATE orders; DROP INDEX IF EXISTS once; DROP TRIGGER IF EXISTS judge ON orders;
                DROP FUNCTION IF EXISTS judge; ALTER TABLE orders DROP CONSTRAINT IF EXISTS not_her,
                DROP COLUMN IF EXISTS vat
            """)
        lines = _lines(running)
    return answers, lines


@pytest.mark.parametrize("case", CASES)
def test_an_error_of_the_database_is_told_by_state_names_and_frames(logged, case):
    answers, lines = logged
    status, answer, headers = answers[case]
    assert (status, answer) == (500, {"error": "internal error"})
    assert headers["x-app-version"] == "v1"
    told = [line for line in _parsed(lines) if "exception" in line]
    mine = [line for line in told if line.get("request_id") == case]
    assert [line["logger"] for line in mine] == ["app.request"]  # once
    assert len(told) == len(CASES)  # and by nobody without the request's id
    assert CASES[case][1] in mine[0]["exception"]
    assert "in create" in mine[0]["exception"]
    assert "store.create(pool, orders.new_order" in mine[0]["exception"]


def test_no_line_holds_what_the_row_holds(logged):
    _, lines = logged
    assert not [line for line in lines if "Zq7x" in line or "Alice" in line]


def _failing(app_trees, environment, twin=""):
    answers = []
    with service(app_trees["v1"], environment, "v1", ("-c", FAILING + twin + SERVE)) as running:
        for reference in ("plain", "chained", "group", "libraries"):
            body = {**ORDER, "reference": reference}
            answers.append(running.request("POST", "/orders", body, **{"x-request-id": reference})[0])
        lines = _lines(running)
    assert answers == [500] * 4
    return lines


def test_an_error_of_our_own_is_told_without_its_words_but_with_its_line_of_code(app_trees, migrated):
    lines = _failing(app_trees, migrated[1])
    assert not [line for line in lines if "Zq7x" in line or "Alice" in line]
    found = _parsed(lines)
    told = {
        line["request_id"]: line["exception"]
        for line in found
        if line["logger"] == "app.request"
        if "exception" in line
    }
    assert told["plain"].endswith("in create\nValueError\n")
    assert "ValueError\nwhich caused:\n" in told["chained"]
    assert told["chained"].endswith("KeyError\n")
    assert "ExceptionGroup of 2: ValueError, OSError (ENOSPC)" in told["group"]
    libraries = [line["message"] for line in found if line["logger"] in ("some.library", "asyncio")]
    assert libraries[:2] == ["lost 1: ValueError", "ValueError"]
    assert "Task exception was never retrieved" in libraries[2]
    assert "exception=ValueError" in libraries[2]


def test_twin_python_s_own_words_hold_the_row(app_trees, migrated):
    assert [line for line in _failing(app_trees, migrated[1], TWIN) if TELLING in line]
