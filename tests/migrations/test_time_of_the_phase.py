"""The time of a phase bounds all that a run waits for, and not the tries alone."""

import pytest

from migrations.locking.one_runner import LOCK
from tests.support.trees_on_disk import migrate

pytestmark = pytest.mark.slow
SHORT = {"MIGRATION_TASK_SECONDS": "4"}  # two of them are for the work


def test_another_runner_is_waited_for_within_it(schema_trees, owner_environment, schema_server, schema):
    """And not for MIGRATION_RUNNER_WAIT_SECONDS, which is longer than this test may take."""
    with schema_server.connect(schema) as other:
        other.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
        wait = {**owner_environment, **SHORT, "MIGRATION_RUNNER_WAIT_SECONDS": "600"}
        found = migrate(schema_trees["v1"], wait, "expand", "v1")
    assert found.returncode == 5, found.stderr
    assert "another runner holds the lock after 2 s" in found.stderr


def test_the_count_before_a_contract_ends_with_it(filling):
    filling.prepare(rows="INSERT INTO items SELECT i, i FROM generate_series(1, 3) AS i")
    filling.done()
    # Now it takes long to look at a row.
    filling.connection.execute(
        "ALTER TABLE items RENAME TO rest;"
        "CREATE VIEW items AS SELECT id, old, CASE WHEN pg_sleep(200) IS NULL THEN NULL ELSE filled END AS filled"
        " FROM rest"
    )
    found = filling.run("contract", MIGRATION_REFUSE_DRIFT="never", MIGRATION_BACKFILL_COUNT_SECONDS="600", **SHORT)
    assert found.returncode == 8, found.stderr
    assert "the time of the whole phase is over, and what ran then was ended" in found.stderr
