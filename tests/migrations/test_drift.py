"""What other hands changed since the newest revision: told, and refused where the next revision would stand on sand."""

import shutil

import pytest

from migrations.structures import drift, structure
from migrations.structures.diff import compare
from tests.support.trees_on_disk import migrate, result_of

pytestmark = pytest.mark.slow
NEXT = "ALTER TABLE orders ADD COLUMN note text"


@pytest.fixture
def connection(schema_server, schema):
    with schema_server.connect(schema) as found:
        yield found


@pytest.fixture
def released(schema_trees, owner_environment, connection):
    """v2's expand is applied, and its trigger and function are there."""
    result_of(migrate(schema_trees["v2"], owner_environment, "expand", "v2"))
    return connection


@pytest.fixture
def next_tree(schema_trees, own_tree, tmp_path):
    """v2 and one expand more."""
    shutil.copytree(schema_trees["v2"] / "migrations", tmp_path / "own/migrations", dirs_exist_ok=True)
    return own_tree(NEXT, name="e0003", down="e0002")


@pytest.fixture(scope="module")
def one_for_all(schema_trees, schema_server):
    """A database with v2's expand, for changes that are rolled back."""
    with schema_server.database() as name, schema_server.connect(name) as found:
        result_of(migrate(schema_trees["v2"], schema_server.environment(name), "expand", "v2"))
        yield found


HARMLESS = [
    ("CREATE INDEX by_night ON orders (customer)", "index orders.by_night was added"),
    ("CREATE STATISTICS both_of ON customer, status FROM orders", "statistics orders.both_of was added"),
    ("CREATE TABLE copy_of_orders AS SELECT * FROM orders", "table copy_of_orders was added"),
    ("ALTER TABLE orders ADD COLUMN hint text", "column orders.hint was added"),
    ("ALTER TABLE orders ADD COLUMN n int NOT NULL DEFAULT 1", "column orders.n was added"),
    ("ALTER TABLE orders SET (autovacuum_vacuum_scale_factor = 0.01)", "table orders differs (its storage parameters)"),
    ("CREATE VIEW latest AS SELECT max(id) FROM orders", "view latest was added"),
]
BREAKING = [
    ("ALTER TABLE orders DROP COLUMN customer", "column orders.customer is missing"),
    (
        "ALTER TABLE orders ALTER customer TYPE varchar(9)",
        "it is character varying(9) NOT NULL, expected text NOT NULL",
    ),
    ("ALTER TABLE orders ADD COLUMN n int NOT NULL", "column orders.n was added"),
    ("ALTER TABLE orders ADD CONSTRAINT c CHECK (customer <> 'a private person')", "constraint orders.c was added"),
    ("ALTER TABLE orders DROP CONSTRAINT orders_pkey", "constraint orders.orders_pkey is missing"),
    ("CREATE UNIQUE INDEX one ON orders (reference)", "index orders.one was added"),
    ("DROP TRIGGER orders_keep_amount_in_step ON orders", "trigger orders.orders_keep_amount_in_step is missing"),
    (
        "ALTER TABLE orders DISABLE TRIGGER orders_keep_amount_in_step",
        "trigger state orders.orders_keep_amount_in_step",
    ),
    (
        (
            "CREATE OR REPLACE FUNCTION orders_keep_amount_in_step() RETURNS trigger LANGUAGE plpgsql"
            " AS 'BEGIN RETURN NEW; END'"
        ),
        "function orders_keep_amount_in_step() differs",
    ),
    ("ALTER TABLE orders RENAME TO purchases", "table orders is missing, table purchases was added"),
    ("ALTER TABLE orders ENABLE ROW LEVEL SECURITY", "row security of orders was added"),
]


@pytest.mark.parametrize(
    ("change", "told", "breaking"), [(*each, False) for each in HARMLESS] + [(*each, True) for each in BREAKING]
)
def test_each_difference_is_named_and_judged(one_for_all, change, told, breaking):
    """A change in a transaction that is rolled back; one whole run for each kind is below."""
    before = structure.read(one_for_all)
    with one_for_all.transaction(force_rollback=True):
        one_for_all.execute(change)
        found = list(compare(expected=before, found=structure.read(one_for_all)))
    assert told in drift.listed(found)
    assert any(each.breaking for each in found) == breaking
    assert list(compare(expected=before, found=structure.read(one_for_all))) == []


def test_what_harms_nothing_is_told_and_let_pass(released, next_tree, owner_environment):
    told = []
    for change, line in HARMLESS:
        released.execute(change)
        told.append(f"drift since e0002: {line}")
    run = migrate(next_tree, owner_environment, "expand", "v2n")
    assert result_of(run)["applied"] == ["e0003"]
    assert set(told) <= set(run.stdout.splitlines())
    assert set(told) <= set(result_of(run)["warnings"])
    # It was told once; what lies there now is what the next run expects.
    assert result_of(migrate(next_tree, owner_environment, "check", "v2n"))["warnings"] == []


def test_what_may_break_is_refused_before_anything_is_applied(released, next_tree, owner_environment):
    change, told = BREAKING[3]
    released.execute(change)
    refused = migrate(next_tree, owner_environment, "expand", "v2n")
    assert refused.returncode == 17, refused.stderr
    line = refused.stderr.strip()
    assert len(line.splitlines()) == 1
    assert line.startswith("expand: the structure is not the one that e0002 left: ")
    assert told in line
    assert "private person" not in refused.stdout + line
    count = "SELECT count(*) FROM schema_history WHERE revision = 'e0003'"
    assert released.execute(count).fetchone() == (0,)
    # With nothing to apply it is told only, and the way back is free.
    for command in ("expand", "check"):
        assert told in "".join(result_of(migrate(_v2(next_tree), owner_environment, command, "v2"))["warnings"])


def _v2(tree):
    """The same without the revision that is pending."""
    (tree / "migrations/expand/e0003_test.py").unlink(missing_ok=True)
    (tree / "migrations/expand/HEAD").write_text("e0002\n")
    return tree


def test_the_setting_decides(released, next_tree, owner_environment):
    released.execute("CREATE INDEX by_night ON orders (customer)")
    for setting, code in [("any", 17), ("never", 0)]:
        run = migrate(next_tree, {**owner_environment, "MIGRATION_REFUSE_DRIFT": setting}, "expand", "v2n")
        assert run.returncode == code, run.stderr
    wrong = migrate(next_tree, {**owner_environment, "MIGRATION_REFUSE_DRIFT": "yes"}, "expand", "v2n")
    assert (wrong.returncode, "expected never, breaking, any" in wrong.stderr) == (2, True)


def test_one_run_may_take_the_structure_as_it_is(released, next_tree, owner_environment):
    released.execute("ALTER TABLE orders ADD CONSTRAINT c CHECK (price <> '')")
    assert migrate(next_tree, owner_environment, "expand", "v2n").returncode == 17
    taken = migrate(next_tree, {**owner_environment, "MIGRATION_REFUSE_DRIFT": "never"}, "expand", "v2n")
    assert result_of(taken)["applied"] == ["e0003"]
    assert result_of(migrate(next_tree, owner_environment, "expand", "v2n"))["warnings"] == []


def test_a_run_that_was_killed_is_no_drift(released, next_tree, owner_environment):
    """Between a revision and the storing, and amid a revision outside a transaction: nothing to compare with."""
    released.execute("ALTER TABLE orders ADD COLUMN begun int NOT NULL DEFAULT 0, DROP COLUMN status")
    released.execute("INSERT INTO schema_marks (revision, version, runner) VALUES ('e0003', 'v2n', 'r')")
    run = migrate(next_tree, owner_environment, "expand", "v2n")
    assert (result_of(run)["applied"], result_of(run)["warnings"]) == (["e0003"], [])

    released.execute("DELETE FROM schema_marks")
    released.execute("UPDATE schema_structure SET revisions = '{e0001,e0002}'")
    released.execute("ALTER TABLE orders DROP COLUMN begun")
    assert result_of(migrate(next_tree, owner_environment, "expand", "v2n"))["warnings"] == []
    # That run found nothing to do, and stored what is there now.
    released.execute("ALTER TABLE orders DROP COLUMN note")
    told = result_of(migrate(next_tree, owner_environment, "check", "v2n"))["warnings"]
    assert told == ["drift since e0003: column orders.note is missing"]


def test_without_the_comparison_the_revision_fails_halfway_or_worse(released, next_tree, owner_environment):
    """What the refusal spares: the next revision adds a column that is there already, of another type."""
    released.execute("ALTER TABLE orders ADD COLUMN note bigint NOT NULL")
    refused = migrate(next_tree, owner_environment, "expand", "v2n")
    assert refused.returncode == 17
    blind = migrate(next_tree, {**owner_environment, "MIGRATION_REFUSE_DRIFT": "never"}, "expand", "v2n")
    assert (blind.returncode, 'column "note" of relation "orders" already exists' in blind.stderr) == (6, True)


def test_the_bounds_of_a_partition_are_no_storage_parameters(one_for_all):
    with one_for_all.transaction(force_rollback=True):
        one_for_all.execute("CREATE TABLE parts (id int) PARTITION BY HASH (id)")
        part = "CREATE TABLE part PARTITION OF parts FOR VALUES WITH (modulus 2, remainder {})"
        one_for_all.execute(part.format(0))
        before = structure.read(one_for_all)
        one_for_all.execute("DROP TABLE part")
        one_for_all.execute(part.format(1))
        (found,) = compare(expected=before, found=structure.read(one_for_all))
    assert (found.name, found.breaking) == ("part", True)


def test_a_run_that_fails_in_a_later_revision_leaves_what_the_next_one_compares_with(
    released, next_tree, own_tree, owner_environment
):
    own_tree("SELECT 1 / 0", name="e0004", down="e0003")
    assert migrate(next_tree, owner_environment, "expand", "v2n").returncode == 6
    released.execute("ALTER TABLE orders DROP COLUMN note")
    own_tree("ALTER TABLE orders ADD COLUMN more text", name="e0004", down="e0003")
    refused = migrate(next_tree, owner_environment, "expand", "v2n")
    assert refused.returncode == 17
    assert "the one that e0003 left: column orders.note is missing" in refused.stderr
    # The twin: as a run leaves it that is killed before it stores. It can't be compared, and that is told.
    released.execute("UPDATE schema_structure SET revisions = '{e0001,e0002}'")
    blind = migrate(next_tree, owner_environment, "expand", "v2n")
    assert result_of(blind)["applied"] == ["e0004"]
    assert "drift can't be told: a run ended after e0003, and before it could store" in blind.stdout


def test_who_has_a_table_for_himself_is_named(released, next_tree, owner_environment, schema_server):
    name = released.info.dbname
    with schema_server.connect(name) as alone, alone.transaction():
        alone.execute("SET application_name = 'nightly job'")
        alone.execute("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
        alone.execute("SELECT 'a private person'")
        held = migrate(next_tree, {**owner_environment, "MIGRATION_LOCK_BUDGET_SECONDS": "12"}, "expand", "v2n")
        pid = alone.info.backend_pid
    assert held.returncode == 4
    assert f"process {pid} (nightly job) holds orders (ACCESS EXCLUSIVE), idle in transaction" in held.stderr
    assert f"pg_terminate_backend({pid})" in held.stderr
    assert "waiting to read the structure: process" in held.stdout
    assert "private person" not in held.stdout + held.stderr
    assert result_of(migrate(next_tree, owner_environment, "expand", "v2n"))["applied"] == ["e0003"]


def test_backfills_and_rows_are_no_drift(schema_trees, released, owner_environment):
    released.execute("INSERT INTO orders (reference, customer, price) VALUES ('r', 'c', '1.00 EUR')")
    result_of(migrate(schema_trees["v2"], owner_environment, "backfill", "v2"))
    released.execute("ANALYZE")
    result_of(migrate(schema_trees["v3"], owner_environment, "expand", "v3"))
    done = result_of(migrate(schema_trees["v3"], owner_environment, "contract", "v3"))
    assert (done["applied"], done["warnings"]) == (["c0001", "c0002"], [])
    assert result_of(migrate(schema_trees["v3"], owner_environment, "check", "v3"))["warnings"] == []
