"""A row that comes while a contract waits for its lock: seen before anything is taken away. On a real PostgreSQL."""

import subprocess
import sys

import pytest

from tests.support.allowed import allow_all
from tests.support.trees_on_disk import BASE, result_of

pytestmark = pytest.mark.slow
ROWS = "INSERT INTO items SELECT i, i FROM generate_series(1, 10) AS i"


@pytest.fixture
def drops(filling):
    """A contract that drops what the backfill, which is complete, filled from."""
    filling.prepare(rows=ROWS)
    filling.done()
    file = filling.tree / "migrations/contract/c0001_test.py"
    text = file.read_text().replace("needs_backfills", 'tables = ("items",)\nneeds_backfills')
    file.write_text(
        text.replace("ALTER TABLE items ALTER COLUMN filled SET NOT NULL", "ALTER TABLE items DROP COLUMN old")
    )
    allow_all(filling.tree)
    return filling


def row_comes_while_it_waits(filling):
    """Output and exit code of the contract."""
    with filling.connect() as holder:
        holder.execute("BEGIN")
        holder.execute("LOCK TABLE items IN ACCESS SHARE MODE")
        filling.until(lambda: holder.execute("SELECT clock_timestamp() - now() > interval '300 ms'").fetchone()[0])
        run = subprocess.Popen(
            [sys.executable, "-m", "migrations", "contract"], cwd=filling.tree, text=True, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, env={**BASE, "APP_VERSION": "v2", **filling.environment, **filling.settings},
        )  # fmt: skip
        lines = []
        while "not queueing" not in (line := run.stdout.readline()):
            lines.append(line)
            assert line, lines
        filling.connection.execute("INSERT INTO items (id, old) VALUES (99, 42)")
        holder.execute("COMMIT")
    output, _ = run.communicate(timeout=60)
    return output, run.returncode


def test_a_row_that_comes_while_the_contract_waits_holds_it_back(drops):
    output, code = row_comes_while_it_waits(drops)
    assert code == 11, output
    assert "rows of items have come that it has to fill, since they were counted" in output
    assert "nothing of c0001 was done" in output
    assert drops.one("SELECT old, filled FROM items WHERE id = 99") == (42, None)
    drops.run()
    assert drops.one("SELECT old, filled FROM items WHERE id = 99") == (42, 42)
    assert result_of(drops.run("contract"))["applied"] == ["c0001"]


def test_twin_without_the_second_look_what_the_row_held_is_lost(drops):
    file = drops.tree / "migrations/phases.py"
    line = "            rows_since.require_none(connection, revision, tree, say)\n"
    assert line in file.read_text()
    file.write_text(file.read_text().replace(line, ""))
    output, code = row_comes_while_it_waits(drops)
    assert code == 0, output
    assert drops.one("SELECT filled FROM items WHERE id = 99") == (None,)
    assert drops.one("SELECT 1 FROM pg_attribute WHERE attrelid = 'items'::regclass AND attname = 'old'") is None


def test_what_a_contract_of_the_same_run_took_away_is_not_asked_for_again(drops):
    first = drops.tree / "migrations/contract/c0001_test.py"
    second = first.read_text().replace('"c0001"', '"c0002"').replace("down_revision = None", 'down_revision = "c0001"')
    second = second.replace('("contract",)', "None").replace("DROP COLUMN old", "ALTER COLUMN times SET NOT NULL")
    (first.parent / "c0002_test.py").write_text(second)
    (first.parent / "HEAD").write_text("c0002_test\n")
    declared = drops.tree / "migrations/backfills/b0001_test.py"
    declared.write_text(declared.read_text().replace("filled IS NULL", "filled IS NULL AND old IS NOT NULL"))
    drops.connection.execute("UPDATE schema_history SET checksum = NULL WHERE revision = 'b0001'")
    allow_all(drops.tree)
    assert result_of(drops.run("contract"))["applied"] == ["c0001", "c0002"]
