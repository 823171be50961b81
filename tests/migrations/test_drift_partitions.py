"""Partitions come and go with time, by other hands than the revisions': told, and no reason to hold a release back."""

import pytest

from migrations.structures import drift, structure
from migrations.structures.diff import compare
from tests.support.trees_on_disk import migrate, result_of

pytestmark = pytest.mark.slow
MADE = """
CREATE TABLE ev (id int NOT NULL, at date NOT NULL, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE INDEX ev_at ON ev (at);
CREATE TABLE ev_1 PARTITION OF ev FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE ev_2 PARTITION OF ev FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
CREATE TABLE apart (id int NOT NULL, at date NOT NULL);
CREATE TABLE "Odd ones" (id int) PARTITION BY LIST (id);
"""
NEW = "CREATE TABLE ev_3 PARTITION OF ev FOR VALUES FROM ('2026-03-01') TO ('2026-04-01')"
HARMLESS = [
    ("DROP TABLE ev_1", ["table ev_1 is missing (a partition of ev)"]),
    (NEW, ["table ev_3 was added (a partition of ev)"]),
    ("CREATE TABLE ev_rest PARTITION OF ev DEFAULT", ["table ev_rest was added (a partition of ev)"]),
    ("ALTER TABLE ev DETACH PARTITION ev_1", ["table ev_1 differs (detached from ev)"]),
    (
        "ALTER TABLE ev ATTACH PARTITION apart FOR VALUES FROM ('2026-03-01') TO ('2026-04-01')",
        ["table apart differs (attached to ev)"],
    ),
    (
        'CREATE TABLE "Odd 1" PARTITION OF "Odd ones" FOR VALUES IN (1)',
        ['table "Odd 1" was added (a partition of "Odd ones")'],
    ),
]
BREAKING = [
    ("ALTER TABLE ev ADD COLUMN n int NOT NULL; DROP TABLE ev_1", "column ev.n was added"),
    ("ALTER TABLE ev DROP COLUMN id CASCADE", "column ev.id is missing"),
    ("DROP TABLE ev", "table ev is missing"),
    ("ALTER TABLE ev ADD CONSTRAINT c CHECK (id > 0)", "constraint ev.c was added"),
    ("ALTER TABLE ev_2 ADD CONSTRAINT c CHECK (id > 0)", "constraint ev_2.c was added"),
    (
        (
            "ALTER TABLE ev DETACH PARTITION ev_2; ALTER TABLE ev ATTACH PARTITION ev_2 FOR VALUES FROM ('2026-02-01')"
            " TO ('2026-02-02')"
        ),
        "table ev_2 differs",
    ),
    ("DROP TABLE apart", "table apart is missing"),
]


@pytest.fixture(scope="module")
def parted(schema_server):
    """A database with partitions, for changes that are rolled back."""
    with schema_server.database() as name, schema_server.connect(name) as found:
        found.execute(MADE)
        yield found


def differences(connection, change):
    before = structure.read(connection)
    with connection.transaction(force_rollback=True):
        connection.execute(change)
        return list(compare(expected=before, found=structure.read(connection)))


@pytest.mark.parametrize(("change", "told"), HARMLESS)
def test_a_partition_that_comes_or_goes_is_told_and_breaks_nothing(parted, change, told):
    found = differences(parted, change)
    assert [str(each) for each in found] == told
    assert not any(each.breaking for each in found)


@pytest.mark.parametrize(("change", "told"), BREAKING)
def test_what_else_changes_is_judged_as_ever(parted, change, told):
    found = differences(parted, change)
    assert told in drift.listed(found)
    assert any(each.breaking for each in found)


def test_a_release_goes_on_after_partitions_were_kept_for_so_long(own_tree, owner_environment, schema_server, schema):
    made = own_tree(MADE.partition("CREATE TABLE apart")[0])
    result_of(migrate(made, owner_environment, "expand", "v2"))
    with schema_server.connect(schema) as keeper:
        keeper.execute(f"{NEW}; DROP TABLE ev_1")
    run = migrate(own_tree("CREATE TABLE other (id int)", "e0003", "e0002"), owner_environment, "expand", "v3")
    assert result_of(run)["applied"] == ["e0003"]
    assert "drift since e0002: table ev_1 is missing (a partition of ev)" in run.stdout
    with schema_server.connect(schema) as keeper:
        keeper.execute("DROP TABLE ev_2")
    tree = own_tree("CREATE TABLE one_more (id int)", "e0004", "e0003")
    run = migrate(tree, {**owner_environment, "MIGRATION_REFUSE_DRIFT": "any"}, "expand", "v4")
    assert run.returncode == 17, run.stderr
