"""An owner that row security is forced on: rows that it does not see are neither left out nor lost."""

import pytest

from tests.support.allowed import allow_all

pytestmark = pytest.mark.slow
ROWS = 100
CREATE = """
CREATE TABLE items (id bigint PRIMARY KEY, tenant text NOT NULL, old int NOT NULL, filled int);
ALTER TABLE items ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON items USING (tenant = current_setting('app.tenant', true));
"""


@pytest.fixture
def forced(filling, plain_owner):
    """Rows of a tenant, and a contract that drops what its backfill has copied."""
    filling.environment = plain_owner
    filling.prepare(
        CREATE, "INSERT INTO items SELECT i, 'a', i FROM generate_series(1, 100) AS i", assign="filled = old"
    )
    # Not by the expand: its own gate would end for it.
    filling.connection.execute("ALTER TABLE items FORCE ROW LEVEL SECURITY")
    contract = filling.tree / "migrations/contract/c0001_test.py"
    contract.write_text(
        contract.read_text()
        .replace("needs_backfills", 'tables = ("items",)\nneeds_backfills')
        .replace("ALTER COLUMN filled SET NOT NULL", "DROP COLUMN old")
    )
    allow_all(filling.tree)
    return filling


def test_the_gate_a_backfill_and_a_contract_are_refused_where_row_security_hides_rows(forced):
    advice = "row security is forced on a table and would hide rows from this role"
    for command in ("expand", "backfill", "contract"):
        refused = forced.run(command)
        assert (refused.returncode, advice in refused.stderr) == (6, True), refused.stderr
    assert forced.one("SELECT count(old) FROM items WHERE filled IS NULL") == (ROWS,)
    # As the advice says.
    forced.connection.execute("ALTER TABLE items NO FORCE ROW LEVEL SECURITY")
    assert forced.done()["rows"] == ROWS
    assert forced.run("contract").returncode == 0
    assert forced.one("SELECT count(filled) FROM items") == (ROWS,)


def test_twin_a_runner_that_sees_only_its_rows_loses_the_others(forced):
    file = forced.tree / "migrations/database.py"
    text = file.read_text()
    assert '"row_security": "off"' in text
    file.write_text(text.replace('"row_security": "off"', '"row_security": "on"'))
    for command in ("backfill", "contract"):
        assert forced.run(command).returncode == 0
    columns = "SELECT count(*) FROM pg_attribute WHERE attrelid = 'items'::regclass AND attname = 'old'"
    assert forced.one(columns) == (0,)
    assert forced.one("SELECT count(*) FROM items WHERE filled IS NULL") == (ROWS,)


def test_a_revision_that_reads_such_a_table_says_what_it_is_about(forced, owner_environment):
    text = (forced.tree / "migrations/expand/e0002_test.py").read_text()
    text = text.replace('"e0002"', '"e0003"').replace('"e0001"', '"e0002"').replace(CREATE, "UPDATE items SET old = 0")
    (forced.tree / "migrations/expand/e0003_test.py").write_text(text)
    (forced.tree / "migrations/expand/HEAD").write_text("e0003\n")
    allow_all(forced.tree)
    refused = forced.run("expand")
    assert refused.returncode == 6, refused.stderr
    assert "expand e0003" in refused.stderr
    assert "with BYPASSRLS, or ALTER TABLE ... NO FORCE ROW LEVEL SECURITY" in refused.stderr
    forced.environment = owner_environment  # a superuser: as good as BYPASSRLS
    assert forced.run("expand").returncode == 0
