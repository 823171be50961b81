"""What statements were seen to do on a scratch PostgreSQL with a structure and no rows."""

import pytest

from preview import measure
from tests.support.own_revisions import OwnRevisions
from tests.support.scratch_postgres import scratch_server

pytestmark = pytest.mark.slow

STRUCTURE = """
CREATE TABLE customers (id bigint PRIMARY KEY);
CREATE TABLE orders (id bigint PRIMARY KEY, n integer, m integer, status text, customer bigint);
CREATE INDEX by_status ON orders (status);
ALTER TABLE orders ADD CONSTRAINT m_there CHECK (m IS NOT NULL);
ALTER TABLE orders ADD CONSTRAINT n_there CHECK (n IS NOT NULL) NOT VALID;
CREATE MATERIALIZED VIEW totals AS SELECT count(*) FROM customers;
CREATE SCHEMA audit;
CREATE TABLE audit.log (id bigint)
"""

ALL, WRITERS, NOBODY = "ACCESS EXCLUSIVE", "SHARE ROW EXCLUSIVE", "SHARE UPDATE EXCLUSIVE"
# Statement, the locks, what is written anew, what is read whole.
CASES = [
    ("ALTER TABLE orders ADD COLUMN note text", {"orders": ALL}, "", ""),
    ("ALTER TABLE orders ADD COLUMN k bigint NOT NULL DEFAULT 3", {"orders": ALL}, "", ""),
    ("ALTER TABLE orders ADD COLUMN u uuid DEFAULT gen_random_uuid()", {"orders": ALL}, "orders", "orders"),
    ("ALTER TABLE orders ALTER n TYPE bigint", {"orders": ALL}, "orders", "orders"),
    ("ALTER TABLE orders ALTER status TYPE varchar", {"orders": ALL}, "", ""),
    ("ALTER TABLE orders ALTER n SET NOT NULL", {"orders": ALL}, "", "orders"),
    ("ALTER TABLE orders ALTER m SET NOT NULL", {"orders": ALL}, "", ""),
    ("ALTER TABLE orders ADD CHECK (n > 0)", {"orders": ALL}, "", "orders"),
    ("ALTER TABLE orders ADD CHECK (n > 0) NOT VALID", {"orders": ALL}, "", ""),
    ("ALTER TABLE orders VALIDATE CONSTRAINT n_there", {"orders": NOBODY}, "", "orders"),
    ("ALTER TABLE orders DROP COLUMN status", {"orders": ALL}, "", ""),
    (
        "ALTER TABLE orders ADD FOREIGN KEY (customer) REFERENCES customers",
        {"customers": WRITERS, "orders": WRITERS}, "", "orders",
    ),
    (
        "ALTER TABLE orders ADD FOREIGN KEY (customer) REFERENCES customers NOT VALID",
        {"customers": WRITERS, "orders": WRITERS}, "", "",
    ),
    ("CREATE INDEX ON orders (n)", {"orders": "SHARE"}, "", "orders"),
    ("CREATE TABLE lines (id bigint REFERENCES orders)", {"orders": WRITERS}, "", ""),
    ("COMMENT ON TABLE orders IS 'all; of \\:them'", {"orders": NOBODY}, "", ""),
    ("UPDATE orders SET n = 1", {"orders": "ROW EXCLUSIVE"}, "", "orders"),
    ("DROP TABLE audit.log", {"audit.log": ALL}, "", ""),
    ("CREATE TABLE alone (id bigint)", {}, "", ""),
    ("CREATE INDEX CONCURRENTLY i ON orders (n)", {"orders": NOBODY}, "", "orders"),
    ("DROP INDEX CONCURRENTLY by_status", {"orders": NOBODY}, "", ""),
    ("REINDEX INDEX CONCURRENTLY by_status", {"orders": NOBODY}, "", "orders"),
    ("VACUUM orders", {"orders": NOBODY}, "", ""),
    ("VACUUM FULL orders", {"orders": ALL}, "orders", "orders"),
]  # fmt: skip
ALONE = ("CONCURRENTLY", "VACUUM")


@pytest.fixture(scope="module")
def server():
    with scratch_server() as running:
        yield running


@pytest.fixture
def connect(server):
    with server.database() as name:
        with server.connect(name) as connection:
            connection.execute(STRUCTURE)
        yield lambda: server.connect(name)


@pytest.fixture
def own(tmp_path):
    return OwnRevisions(tmp_path / "migrations")


def run(own, connect, *statements, **more):
    own.add(*statements, **more)
    return measure.measure(connect, own.tree().expand[-1])


def outside(statement):
    return {
        "body": f"from migrations import concurrently\nconcurrently.once({statement!r}, done='SELECT false')",
        "constants": "outside_transaction = True",
    }


@pytest.mark.parametrize(("statement", "locks", "rewrites", "scans"), CASES, ids=[case[0] for case in CASES])
def test_locks_rewrites_and_scans(own, connect, statement, locks, rewrites, scans):
    alone = any(word in statement for word in ALONE)
    found = run(own, connect, **outside(statement)) if alone else run(own, connect, statement)
    assert found.problem == ""
    (one,) = found.statements
    assert one.outside is alone
    assert {lock.table: lock.mode for lock in one.seen.locks} == locks
    assert one.seen.rewrites == tuple(rewrites.split())
    assert one.seen.scans == tuple(scans.split())


def test_each_statement_by_itself_and_in_order(own, connect):
    two = "ALTER TABLE orders ADD COLUMN a text; ALTER TABLE customers ADD COLUMN b text"
    found = run(own, connect, two, "CREATE TABLE t (a int)")
    assert [[lock.table for lock in one.seen.locks] for one in found.statements] == [["orders"], ["customers"], []]


def test_what_a_revision_makes_itself_is_nobodys(own, connect):
    found = run(own, connect, "CREATE TABLE t (a int)", "ALTER TABLE t ALTER a TYPE bigint", "CREATE INDEX ON t (a)")
    assert [(one.seen.locks, one.seen.rewrites, one.seen.scans) for one in found.statements] == [((), (), ())] * 3


def test_statements_that_no_offline_sql_shows_are_seen(own, connect):
    body = (
        "found = op.get_bind().execute(sa.text('SELECT relname FROM pg_class WHERE relname = :n'), {'n': 'orders'})\n"
        "for (name,) in found:\n"
        "    op.execute(f'ALTER TABLE {name} ADD COLUMN found text')"
    )
    found = run(own, connect, body=body)
    assert found.problem == ""
    assert found.statements[-1].sql == "ALTER TABLE orders ADD COLUMN found text"
    assert [lock.table for lock in found.statements[-1].seen.locks] == ["orders"]


def test_a_statement_that_fails_is_told_and_was_not_seen(own, connect):
    found = run(own, connect, "ALTER TABLE orders ADD COLUMN a text", "ALTER TABLE orders DROP COLUMN nowhere")
    assert found.problem == 'UndefinedColumn: column "nowhere" of relation "orders" does not exist'
    assert [one.seen is None for one in found.statements] == [False, True]
    with connect() as connection:  # nothing is left that would hold a lock
        assert (
            connection.execute("SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in%'").fetchone()[0] == 0
        )


def test_one_that_is_run_without_looking_leaves_its_structure(own, connect):
    own.add("ALTER TABLE orders ADD COLUMN a text", "CREATE TABLE t (a int)")
    own.add("ALTER TABLE nowhere ADD COLUMN a text")
    first, second = own.tree().expand
    assert measure.apply(connect, first) == ""
    assert measure.apply(connect, second) == 'UndefinedTable: relation "nowhere" does not exist'
    with connect() as connection:
        assert connection.execute("SELECT to_regclass('t')::text").fetchone()[0] == "t"
