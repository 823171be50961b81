"""What Alembic had noted in a database that is adopted is gone then: the adopted revision alone is noted."""

import pytest

from tests.support.trees_on_disk import migrate, result_of

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("noted", [("9f1c0ffee",), ("0badcafe", "9f1c0ffee"), ("e0001",), ()])
def test_only_the_adopted_revision_is_noted_after_an_adoption(
    schema_trees, owner_environment, schema_server, schema, noted
):
    with schema_server.connect(schema) as connection:
        result_of(migrate(schema_trees["v1"], owner_environment, "expand", "v1"))
        # As another tool leaves it: the tables, its own notes, and no history.
        for table in ("history", "versions", "marks", "backfills", "structure"):
            connection.execute(f"DROP TABLE schema_{table}")
        connection.execute("DELETE FROM alembic_version")
        for name in noted:
            connection.execute("INSERT INTO alembic_version VALUES (%s)", (name,))
        run = migrate(schema_trees["v1"], owner_environment, "adopt", "v1", "--through", "e0001")
        assert result_of(run)["applied"] == ["e0001"]
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [("e0001",)]
        assert (f"alembic_version said {', '.join(noted)}, it says e0001 now" in run.stdout) == bool(noted)
