"""The structure as it is read from the catalog, and as DDL that makes it again."""

from pathlib import Path

import psycopg
import pytest

from migrations.structures import ddl as structure_ddl
from migrations.structures import structure
from migrations.structures.diff import compare
from tests.support.trees_on_disk import migrate, result_of

pytestmark = pytest.mark.slow
RICH = (Path(__file__).parent / "rich.sql").read_text()


def load_into_another(server, found):
    """What is read back from an empty database that the DDL was loaded into."""
    with server.database() as name, server.connect(name) as connection:
        connection.execute(structure_ddl.render(found))
        return structure.read(connection)


@pytest.mark.parametrize("version", ["v1", "v2", "v3"])
def test_what_each_version_makes_can_be_made_again(schema_trees, owner_environment, schema_server, schema, version):
    tree = schema_trees[version]
    result_of(migrate(tree, owner_environment, "expand", version))
    with schema_server.connect(schema) as connection:
        found = structure.read(connection)
        assert ("table", "orders") in found.definitions
        assert not [item for item in found.items if "schema_" in item.name or "alembic" in item.name]
    again = load_into_another(schema_server, found)
    assert again.definitions == found.definitions
    assert again.fingerprint == found.fingerprint
    assert again.not_modelled == ()


def test_a_bit_of_everything_can_be_made_again(schema_server, schema):
    with schema_server.connect(schema) as connection:
        connection.execute(RICH)
        found = structure.read(connection)
    kinds = {item.kind for item in found.items}
    assert kinds == set(structure.KINDS) - {"extension", "other"}
    assert found.not_modelled == ("schema audit",)
    again = load_into_another(schema_server, found)
    assert again.definitions == found.definitions
    assert structure.Structure.of_json(found.as_json()).fingerprint == found.fingerprint


def test_what_is_not_modelled_is_listed(schema_server, schema):
    with schema_server.connect(schema) as connection:
        connection.execute(
            """
            CREATE TABLE t (id int PRIMARY KEY, doc text STORAGE EXTERNAL);
            ALTER TABLE t ENABLE ROW LEVEL SECURITY;
            ALTER TABLE t REPLICA IDENTITY FULL;
            CREATE POLICY mine ON t USING (id > 0);
            CREATE RULE nothing AS ON DELETE TO t DO INSTEAD NOTHING;
            CREATE AGGREGATE product(bigint) (SFUNC = int8mul, STYPE = bigint, INITCOND = 1);
            CREATE TYPE span AS RANGE (subtype = date);
            CREATE COLLATION plain (provider = libc, locale = 'C');
            CREATE PUBLICATION everything;
            CREATE TABLE many (id int) PARTITION BY HASH (id);
            CREATE TABLE many_0 PARTITION OF many FOR VALUES WITH (MODULUS 1, REMAINDER 0);
            ALTER TABLE ONLY many_0 ALTER COLUMN id SET DEFAULT 7;
            INSERT INTO many_0 VALUES (1), (1);
            """
        )
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute("CREATE UNIQUE INDEX CONCURRENTLY broken ON many_0 (id)")
        found = structure.read(connection)
    assert set(found.not_modelled) == {
        "aggregate product(bigint)",
        "collation plain",
        "default of many_0.id, a column that is inherited",
        "index broken on many_0, which is invalid",
        "policy mine on t",
        "publication everything",
        "range type span",
        "replica identity of t",
        "row security of t",
        "rule nothing on t",
        "storage of t.doc",
    }
    assert "-- not modelled: policy mine on t\n" in structure_ddl.render(found)


def test_what_does_not_belong_to_the_structure_makes_no_difference(schema_server, schema):
    with schema_server.connect(schema) as connection, schema_server.database() as other:
        connection.execute("CREATE TABLE t (a int NOT NULL DEFAULT 1, at timestamptz DEFAULT '2026-01-01 00:00+00')")
        found = structure.read(connection)
        with schema_server.connect(other) as second:
            second.execute("CREATE TABLE gone (x int); DROP TABLE gone; SET TimeZone = 'Asia/Tokyo'")
            second.execute("CREATE TABLE t (b int, at timestamptz DEFAULT '2026-01-01 09:00+09')")
            second.execute("ALTER TABLE t DROP COLUMN b; ALTER TABLE t ADD COLUMN a int NOT NULL DEFAULT 1")
            second.execute("INSERT INTO t DEFAULT VALUES; ANALYZE t; CREATE TABLE schema_history (x int)")
            second.execute("SET search_path = pg_catalog")
            assert structure.read(second).fingerprint == found.fingerprint
            second.execute("ALTER TABLE public.t ALTER COLUMN a DROP NOT NULL")
            assert structure.read(second).fingerprint != found.fingerprint


def test_a_constraint_of_the_same_name_with_another_condition_is_another(schema_server, schema):
    """Tools that compare names only call these two alike."""
    with schema_server.connect(schema) as connection:
        connection.execute("CREATE TABLE t (a int CONSTRAINT c CHECK (a > 0)); CREATE INDEX i ON t (a)")
        before = structure.read(connection)
        connection.execute("ALTER TABLE t DROP CONSTRAINT c, ADD CONSTRAINT c CHECK (a > 1)")
        connection.execute("DROP INDEX i; CREATE INDEX i ON t (a DESC)")
        found = [str(each) for each in compare(expected=before, found=structure.read(connection))]
    assert found == ["constraint t.c differs", "index t.i differs"]


def test_emptiness_is_of_what_is_not_the_runners_own(schema_server, schema):
    with schema_server.connect(schema) as connection:
        connection.execute("CREATE TABLE schema_versions (x int); CREATE SCHEMA audit CREATE TABLE log (x int)")
        assert structure.relations(connection) == []
        connection.execute("CREATE VIEW one AS SELECT 1 AS x")
        assert structure.relations(connection) == ["one"]
