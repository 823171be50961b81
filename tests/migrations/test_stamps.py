"""What `alembic_version` says beside the history: told where it is something else, and put right."""

import subprocess
import sys

import pytest

from tests.support.trees_on_disk import BASE, migrate, result_of

pytestmark = pytest.mark.slow
TOLD = "alembic_version says {found}, and the history {right}: the history is what counts"


@pytest.fixture
def connection(schema_server, schema):
    with schema_server.connect(schema) as found:
        yield found


def stamps(connection):
    return [row[0] for row in connection.execute("SELECT version_num FROM alembic_version ORDER BY 1")]


def test_what_alembic_writes_itself_is_never_odd(schema_trees, owner_environment, connection):
    """An expand that a contract depends on is in no row any more."""
    environment = {**owner_environment, "MIGRATION_REFUSE_DRIFT": "never"}
    seen = []
    for version in ("v1", "v2", "v3"):
        for command in ("expand", "backfill", "contract"):
            result_of(migrate(schema_trees[version], environment, command, version))
            assert result_of(migrate(schema_trees[version], environment, "check", version))["warnings"] == []
        seen.append(stamps(connection))
    assert seen == [["e0001"], ["e0002"], ["c0002"]]


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ("UPDATE alembic_version SET version_num = 'feedbeef'", "feedbeef"),
        ("INSERT INTO alembic_version VALUES ('feedbeef')", "e0001, feedbeef"),
        ("DELETE FROM alembic_version", "nothing"),
    ],
)
def test_a_stamp_of_others_is_told_and_the_next_expand_leaves_what_the_history_says(
    schema_trees, owner_environment, connection, change, found
):
    result_of(migrate(schema_trees["v1"], owner_environment, "expand", "v1"))
    told = TOLD.format(found=found, right="e0001")
    connection.execute(change)
    before = stamps(connection)
    for tree, command in (("v1", "check"), ("v2", "plan")):
        run = migrate(schema_trees[tree], owner_environment, command, tree)
        assert [line[: len(told)] for line in result_of(run)["warnings"]] == [told]
        assert f"{command}: {told}" in run.stdout
        assert stamps(connection) == before
    run = result_of(migrate(schema_trees["v2"], owner_environment, "expand", "v2"))
    assert (run["applied"], run["warnings"][0][: len(told)]) == (["e0002"], told)
    assert stamps(connection) == ["e0002"]
    assert result_of(migrate(schema_trees["v2"], owner_environment, "check", "v2"))["warnings"] == []


def test_with_nothing_to_do_it_is_put_right_too(schema_trees, owner_environment, connection):
    result_of(migrate(schema_trees["v1"], owner_environment, "expand", "v1"))
    connection.execute("UPDATE alembic_version SET version_num = 'feedbeef'")
    assert result_of(migrate(schema_trees["v1"], owner_environment, "expand", "v1"))["applied"] == []
    assert stamps(connection) == ["e0001"]


def test_twin_without_it_alembic_leaves_a_row_too_many(schema_trees, owner_environment, connection):
    result_of(migrate(schema_trees["v1"], owner_environment, "expand", "v1"))
    connection.execute("UPDATE alembic_version SET version_num = 'feedbeef'")
    program = (
        "import sys; from migrations import __main__, stamps; stamps.mend = lambda *_: None\n"
        "sys.exit(__main__.main(['expand']))"
    )
    environment = {**BASE, "APP_VERSION": "v2", **owner_environment}
    subprocess.run(
        [sys.executable, "-c", program], cwd=schema_trees["v2"], env=environment, check=True, timeout=120,
        capture_output=True,
    )  # fmt: skip
    assert stamps(connection) == ["e0002", "feedbeef"]


def test_a_table_that_is_locked_stops_no_check(schema_trees, owner_environment, schema_server, connection):
    result_of(migrate(schema_trees["v1"], owner_environment, "expand", "v1"))
    connection.execute("UPDATE alembic_version SET version_num = 'feedbeef'")
    with schema_server.connect(connection.info.dbname) as other, other.transaction():
        other.execute("LOCK TABLE alembic_version")
        assert result_of(migrate(schema_trees["v1"], owner_environment, "check", "v1"))["warnings"] == []
