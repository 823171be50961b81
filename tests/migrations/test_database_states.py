"""A database is not always what the last release left: each state has its answer."""

import json
import re

import pytest

from migrations import facts, on_record
from migrations.tree import read_tree
from tests.support.trees_on_disk import migrate, result_of

pytestmark = pytest.mark.slow

# As versions before this one made them.
OLDER_TABLES = """
CREATE TABLE schema_history (
    revision text PRIMARY KEY, phase text NOT NULL CHECK (phase IN ('expand', 'contract')), version text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp(), seconds double precision NOT NULL);
CREATE TABLE schema_versions (
    version text PRIMARY KEY, contract_known text[] NOT NULL,
    first_seen timestamptz NOT NULL DEFAULT clock_timestamp());
CREATE TABLE alembic_version (version_num varchar(32) NOT NULL CONSTRAINT alembic_version_pkc PRIMARY KEY);
"""


@pytest.fixture
def connection(schema_server, schema):
    with schema_server.connect(schema) as found:
        yield found


def edit(tree, text="SELECT 1"):
    """Change what e0001 of a tree does."""
    file = tree / "migrations/expand/e0001_orders.py"
    file.write_text(file.read_text() + f'\n    op.execute("{text}")\n')


def test_an_edited_revision_is_refused_and_a_check_says_it_and_goes_on(own_tree, owner_environment, connection):
    tree = own_tree("ALTER TABLE orders ADD COLUMN note text")
    told = result_of(migrate(tree, owner_environment, "expand", "v1"))["facts"]
    file = tree / "migrations/expand/e0001_orders.py"
    file.write_text(
        file.read_text().replace('"""The table of orders."""', '"""Another word for it."""\n\n# A comment.\n')
    )
    assert result_of(migrate(tree, owner_environment, "expand", "v1"))["warnings"] == []  # layout and words may change
    applied = connection.execute("SELECT checksum FROM schema_history WHERE revision = 'e0001'").fetchone()[0]
    assert on_record.edited(told, read_tree(tree / "migrations")) == []
    edit(tree)
    (foreseen,) = on_record.edited(told, read_tree(tree / "migrations"))  # what a preview goes by
    assert foreseen.startswith("expand e0001 (expand/e0001_orders.py) was edited after it was applied: checksum ")
    for command in ("expand", "backfill", "contract"):
        refused = migrate(tree, owner_environment, command, "v1")
        assert refused.returncode == 13
        line = refused.stderr.strip()
        assert len(line.splitlines()) == 1
        assert line.startswith(f"{command}: expand e0001 was edited after version v1 applied it on 20")
        found = re.findall(r"\b[0-9a-f]{16}\b", line)
        assert found[1] == applied != found[0]
        assert re.findall(r"\b[0-9a-f]{16}\b", foreseen) == found
        assert "put the file back as it was, and bring the change as a new revision" in line
    checked = migrate(tree, owner_environment, "check", "v1")
    assert "was edited after version v1 applied it" in result_of(checked)["warnings"][0]


def test_unknown_expands_are_fine_and_unknown_contracts_are_not(schema_trees, owner_environment, connection):
    result_of(migrate(schema_trees["v1"], owner_environment, "expand", "v1"))
    connection.execute(
        "INSERT INTO schema_history (revision, phase, version, seconds) VALUES"
        " ('e7777', 'expand', 'v9', 1), ('b7777', 'backfill', 'v9', 1)"
    )
    assert result_of(migrate(schema_trees["v1"], owner_environment, "check", "v1"))["revision"] == "e7777"
    assert result_of(migrate(schema_trees["v1"], owner_environment, "expand", "v1"))["applied"] == []
    connection.execute(
        "INSERT INTO schema_history (revision, phase, version, seconds) VALUES ('c7777', 'contract', 'v9', 1)"
    )
    for command in ("check", "plan", "expand", "backfill", "contract", "contract --plan", "adopt"):
        name, *options = command.split()
        refused = migrate(schema_trees["v1"], owner_environment, name, "v1", *options, *_through(command))
        assert refused.returncode == 3
        assert refused.stderr.startswith(f"{command}: version v1 cannot serve this database: ")
        assert "contract c7777 removed what it needs; no version seen here can" in refused.stderr


def _through(command):
    return ("--through", "e0001") if command == "adopt" else ()


def test_a_stamp_without_a_history_is_no_history(schema_trees, owner_environment, connection):
    connection.execute("CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)")
    connection.execute("INSERT INTO alembic_version VALUES ('0a1b2c')")
    for command in ("check", "expand", "contract"):
        refused = migrate(schema_trees["v1"], owner_environment, command, "v1")
        assert refused.returncode == 14
        assert "the database has no tables and says 0a1b2c in alembic_version, and no history" in refused.stderr


def test_a_first_expand_that_was_killed_outside_its_transaction_is_no_foreign_database(
    schema_trees, owner_environment, connection
):
    """Tables without a history, and a mark that says whose they are."""
    result_of(migrate(schema_trees["v1"], owner_environment, "roles", "v1"))
    connection.execute("CREATE TABLE begun (x int)")
    assert migrate(schema_trees["v1"], owner_environment, "expand", "v1").returncode == 14
    connection.execute(
        "INSERT INTO schema_marks (revision, version, runner, phase) VALUES ('e0000', 'v1', 'r', 'expand')"
    )
    assert result_of(migrate(schema_trees["v1"], owner_environment, "expand", "v1"))["applied"] == ["e0001"]


def test_an_older_history_is_brought_into_shape_and_means_unknown(own_tree, owner_environment, connection):
    tree = own_tree("ALTER TABLE orders ADD COLUMN note text")
    result_of(migrate(tree, owner_environment, "expand", "v1"))
    rows = connection.execute("SELECT revision, phase, version FROM schema_history").fetchall()
    connection.execute("DROP TABLE schema_history, schema_versions, schema_marks, schema_backfills, schema_structure")
    connection.execute("DROP TABLE alembic_version")
    connection.execute(OLDER_TABLES)
    connection.execute("INSERT INTO alembic_version VALUES ('e0002')")
    for row in rows:
        connection.execute("INSERT INTO schema_history VALUES (%s, %s, %s, now(), 1)", row)
    edit(tree)
    # Who only looks changes nothing; who applies brings the tables into shape. What was edited is not known.
    assert result_of(migrate(tree, owner_environment, "check", "v1"))["warnings"] == []
    shown = result_of(migrate(tree, owner_environment, "history", "v1"))["history"]
    assert [(row["revision"], row["actor"], row["checksum"]) for row in shown] == [
        ("e0001", "", None),
        ("e0002", "", None),
    ]
    columns = "SELECT count(*) FROM pg_attribute WHERE attrelid = 'schema_history'::regclass AND attname = 'checksum'"
    assert connection.execute(columns).fetchone() == (0,)
    assert result_of(migrate(tree, owner_environment, "expand", "v1"))["applied"] == []
    assert connection.execute(columns).fetchone() == (1,)
    assert connection.execute("SELECT count(*) FROM schema_history WHERE checksum IS NULL").fetchone() == (2,)
    connection.execute(
        "INSERT INTO schema_history (revision, phase, version, seconds) VALUES ('b1', 'backfill', 'v', 1)"
    )


def test_the_row_says_who_with_what_and_how_long(schema_trees, owner_environment, connection):
    environment = {**owner_environment, "MIGRATION_ACTOR": "ci/release 77"}
    result_of(migrate(schema_trees["v1"], environment, "expand", "v1"))
    row = connection.execute("SELECT phase, version, actor, note, checksum, seconds FROM schema_history").fetchone()
    assert row[:4] == ("expand", "v1", "ci/release 77", "")
    assert re.fullmatch("[0-9a-f]{16}", row[4])
    assert 0 < row[5] < 60
    shown = migrate(schema_trees["v1"], environment, "history", "v1")
    assert "e0001" in shown.stdout.splitlines()[0]
    assert "by v1 (ci/release 77) in" in shown.stdout.splitlines()[0]


def test_the_oldest_version_that_can_serve_may_be_one_that_was_only_checked(
    schema_trees, own_tree, owner_environment, connection
):
    """v4 releases first; v3, which knows one contract less of v4's tree, is seen later, and only by a check."""
    for version, command in [("v2", "expand"), ("v2", "backfill")]:
        result_of(migrate(schema_trees[version], owner_environment, command, version))
    newer = own_tree("SELECT 1")  # only to have a folder: v4 is v3 with one more expand
    for folder in ("expand", "contract", "backfills"):
        for file in (schema_trees["v3"] / "migrations" / folder).glob("*"):
            if file.is_file():
                (newer / "migrations" / folder).mkdir(exist_ok=True)
                (newer / "migrations" / folder / file.name).write_bytes(file.read_bytes())
    (newer / "migrations/expand/e0002_test.py").unlink()
    own_tree("SELECT 1", name="e0003", down="e0002")
    for command in ("expand", "contract"):
        result_of(migrate(newer, owner_environment, command, "v4"))
    refused = migrate(schema_trees["v2"], owner_environment, "check", "v2")
    assert (refused.returncode, "the oldest version that can serve is v4" in refused.stderr) == (3, True)
    # v3 lacks e0003 only, which is there: it can serve.
    result_of(migrate(schema_trees["v3"], owner_environment, "check", "v3"))
    refused = migrate(schema_trees["v2"], owner_environment, "check", "v2")
    assert "the oldest version that can serve is v3" in refused.stderr
    assert connection.execute("SELECT version FROM schema_versions ORDER BY first_seen").fetchall() == [
        ("v2",),
        ("v4",),
        ("v3",),
    ]


def test_the_facts_are_on_one_short_line_and_hold_the_structure(
    schema_trees, owner_environment, schema_server, connection
):
    result_of(migrate(schema_trees["v2"], owner_environment, "expand", "v2"))
    connection.execute(
        "INSERT INTO orders (reference, customer, price) SELECT 'r', 'c', '1.00 EUR' FROM generate_series(1, 500)"
    )
    connection.execute("ANALYZE orders")
    run = migrate(schema_trees["v2"], owner_environment, "check", "v2")
    told = result_of(run)["facts"]
    assert told["server"].split(".")[0].isdigit()
    assert told["revisions"] == ["e0001", "e0002"]
    assert told["tables"]["orders"]["rows"] == 500
    assert told["tables"]["orders"]["bytes"] > 8192
    assert told["backfills"] == {"b0001": {"left": None, "finished": False}}
    with schema_server.database() as other, schema_server.connect(other) as second:
        second.execute(facts.unpacked(told["structure"]))
        assert second.execute("SELECT count(*) FROM orders").fetchone() == (0,)
    connection.execute(
        "DO $$ BEGIN FOR n IN 1..400 LOOP EXECUTE format("
        "'CREATE TABLE t%s (id int PRIMARY KEY, %I text)', n, md5(n::text) || md5((-n)::text)); END LOOP; END $$"
    )
    line = migrate(schema_trees["v2"], owner_environment, "check", "v2").stdout.splitlines()[-1]
    assert len(line) < 16_384
    told = json.loads(line)["result"]["facts"]
    assert told["structure"] is None
    assert len(told["tables"]) > 20


def test_a_table_that_is_locked_for_somebody_alone_costs_the_structure_and_not_the_check(
    schema_trees, owner_environment, schema_server, connection
):
    result_of(migrate(schema_trees["v1"], owner_environment, "expand", "v1"))
    with schema_server.connect(connection.info.dbname) as alone, alone.transaction():
        alone.execute("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
        checked = result_of(migrate(schema_trees["v1"], owner_environment, "check", "v1"))
    assert checked["facts"]["structure"] is None
