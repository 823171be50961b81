"""In which order the record is read, and who is in it that can serve."""

import shutil

import pytest

from tests.support.allowed import allow_all
from tests.support.trees_on_disk import migrate, result_of

pytestmark = pytest.mark.slow
BACK = "UPDATE schema_history SET applied_at = applied_at - interval '1 hour' WHERE revision = 'e0002'"
NUMBERS = "SELECT revision, number FROM schema_history ORDER BY number"


def test_the_newest_is_the_last_that_was_written_whatever_the_clock_said(
    own_tree, owner_environment, schema_server, schema
):
    tree = own_tree("CREATE TABLE other (id int)")
    result_of(migrate(tree, owner_environment, "expand", "v2"))
    with schema_server.connect(schema) as connection:
        connection.execute(BACK)
        found = result_of(migrate(tree, owner_environment, "check", "v2"))
        assert found["revision"] == "e0002"
        # The twin: a table of an earlier shape has only the clock.
        connection.execute("ALTER TABLE schema_history DROP COLUMN number")
        found = result_of(migrate(tree, owner_environment, "check", "v2"))
        assert found["revision"] == "e0001"


def test_a_table_of_an_earlier_shape_is_numbered_in_place_and_an_older_image_still_writes_it(
    schema_trees, owner_environment, schema_server, schema
):
    for version in ("v1", "v2"):
        result_of(migrate(schema_trees[version], owner_environment, "expand", version))
    with schema_server.connect(schema) as connection:
        connection.execute("ALTER TABLE schema_history DROP COLUMN number")
        result_of(migrate(schema_trees["v2"], owner_environment, "expand", "v2"))
        assert connection.execute(NUMBERS).fetchall() == [("e0001", 1), ("e0002", 2)]
        # As an image writes it that does not know the column.
        connection.execute(
            "INSERT INTO schema_history (revision, phase, version, seconds) VALUES ('x', 'expand', 'v', 0)"
        )
        assert connection.execute(NUMBERS).fetchall()[-1] == ("x", 3)
        connection.execute("DELETE FROM schema_history WHERE revision = 'x'")
    looked = result_of(migrate(schema_trees["v2"], owner_environment, "check", "v2"))
    assert [line for line in looked["warnings"] if "drift" in line] == []


SECOND = '''"""One that fails."""

from alembic import op

revision = "c0002"
down_revision = "c0001"
branch_labels = None
depends_on = None
tables = ("orders",)


def upgrade() -> None:
    """Fail."""
    op.execute("SELECT 1 / 0")
'''
FIRST = (
    SECOND.replace('"c0002"', '"c0000"')
    .replace('"c0001"', "None")
    .replace("c0000", "c0001")
    .replace("branch_labels = None", 'branch_labels = ("contract",)')
    .replace("depends_on = None", 'depends_on = "e0001"')
    .replace("SELECT 1 / 0", "ALTER TABLE orders DROP COLUMN price")
)
BEFORE = (
    "        # Before the first of them: where a later one fails, this may be the only version that can serve.\n"
    "        history.record_version(connection, settings.version, tree)\n"
)


@pytest.mark.parametrize(
    ("noted", "told"),
    [(True, "the oldest version that can serve is v2"), (False, "no version seen here can")],
    ids=["noted-first", "twin"],
)
def test_the_only_version_that_can_serve_is_known_before_its_contract_begins(
    schema_trees, tmp_path, owner_environment, noted, told
):
    tree = tmp_path / "v2"
    shutil.copytree(schema_trees["v1"], tree)
    for name, text in (("c0001", FIRST), ("c0002", SECOND)):
        (tree / f"migrations/contract/{name}_test.py").write_text(text)
    (tree / "migrations/contract/HEAD").write_text("c0002\n")
    allow_all(tree)
    source = tree / "migrations/phases.py"
    text = source.read_text()
    assert text.count(BEFORE) == 1
    source.write_text(text if noted else text.replace(BEFORE, ""))
    result_of(migrate(schema_trees["v1"], owner_environment, "expand", "v1"))
    failed = migrate(tree, owner_environment, "contract", "v2")
    assert (failed.returncode, "contract c0001 applied" in failed.stdout) == (6, True), failed.stderr
    refused = migrate(schema_trees["v1"], owner_environment, "check", "v1")
    assert (refused.returncode, told in refused.stderr) == (3, True), refused.stderr
