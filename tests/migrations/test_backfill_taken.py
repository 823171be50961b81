"""A contract takes away what another backfill's `todo` reads; a later contract needs that backfill."""

import json
import subprocess
import sys

import pytest

from migrations.errors import Exit
from tests.support.allowed import allow_all
from tests.support.backfilling import CONTRACT, write
from tests.support.trees_on_disk import BASE, migrate, result_of

pytestmark = pytest.mark.slow

TABLE = (
    "CREATE TABLE items (id int PRIMARY KEY, old int NOT NULL, filled int, note text, label text, spare text);"
    " CREATE TABLE others (id int PRIMARY KEY, note text)"
)
ROWS = "INSERT INTO items (id, old, note) SELECT n, n, 'n' FROM generate_series(1, 20) AS n"
LABEL = '''"""The second backfill of a test."""

revision = "b0002"
down_revision = "b0001"
needs = "e0002"
table = "items"
key = "id"
assign = "label = note"
todo = "label IS NULL AND note IS NOT NULL"
'''
DROP = CONTRACT.replace('("b0001",)', '("b0002",)').replace(
    "ALTER TABLE items ALTER COLUMN filled SET NOT NULL", "ALTER TABLE items DROP COLUMN IF EXISTS note"
)
NEXT = (
    CONTRACT.replace('"c0001"', '"c0002"').replace("down_revision = None", 'down_revision = "c0001"')
    .replace('("contract",)', "None").replace('("b0001",)', '("b0001", "b0002")')
)  # fmt: skip
TAKEN = "backfill b0002 is complete: what its `todo` names was removed by contract c0001"


@pytest.fixture
def filled(filling):
    """Both backfills are complete, and no contract was applied."""
    filling.lay(TABLE, assign="filled = old")
    write(filling.tree, "backfills", "b0002", LABEL)
    write(filling.tree, "contract", "c0001", DROP)
    allow_all(filling.tree)
    result_of(filling.run("expand"))
    filling.connection.execute(ROWS)
    assert result_of(filling.run())["applied"] == ["b0001", "b0002"]
    filling.settings["MIGRATION_REFUSE_DRIFT"] = "never"
    return filling


def bring_next(filling):
    write(filling.tree, "contract", "c0002", NEXT)
    allow_all(filling.tree)


def held_back_by(filling):
    run = migrate(filling.tree, filling.environment, "contract", "v2", "--plan", "--json")
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)["result"]["heldBackBy"]


def without_the_reason(filling, command):
    program = (
        "import sys; from migrations import __main__; from migrations.backfilling import taken\n"
        f"taken.by_contract = lambda *_: None\nsys.exit(__main__.main([{command!r}]))"
    )
    return subprocess.run(
        [sys.executable, "-c", program], cwd=filling.tree, capture_output=True, text=True, timeout=120,
        env={**BASE, "APP_VERSION": "v2", **filling.environment, **filling.settings},
    )  # fmt: skip


def test_what_a_contract_took_away_leaves_no_row_to_fill_and_holds_nothing_back(filled):
    assert result_of(filled.run("contract"))["applied"] == ["c0001"]
    bring_next(filled)
    gate = filled.run("expand")
    assert TAKEN in gate.stdout
    told = result_of(gate)
    assert (told["pendingBackfills"], told["warnings"]) == ([], [])
    assert told["facts"]["backfills"]["b0002"] == {"left": 0, "finished": True}
    more = filled.run()
    assert (result_of(more)["applied"], TAKEN in more.stdout) == ([], True)
    assert held_back_by(filled) == []
    refused = without_the_reason(filled, "contract")
    assert refused.returncode == Exit.STATEMENT_FAILED
    assert "backfill b0002 is recorded as complete, and whether rows are left can't be asked" in refused.stderr
    done = filled.run("contract")
    assert (result_of(done)["applied"], TAKEN in done.stdout) == (["c0002"], True)


def test_a_contract_that_was_begun_may_have_taken_it_too(filled):
    assert result_of(filled.run("contract"))["applied"] == ["c0001"]
    filled.connection.execute("DELETE FROM schema_history WHERE revision = 'c0001'")
    filled.connection.execute("DELETE FROM alembic_version WHERE version_num = 'c0001'")
    filled.connection.execute(
        "INSERT INTO schema_marks (revision, version, runner, phase) VALUES ('c0001', 'v2', 'a test', 'contract')"
    )
    assert result_of(filled.run("contract"))["applied"] == ["c0001"]


def test_what_another_hand_took_away_is_no_such_proof(filled):
    filled.connection.execute("ALTER TABLE items DROP COLUMN note")
    gate = filled.run("expand")
    told = result_of(gate)
    reason = 'whether rows are left can\'t be asked: UndefinedColumn: column "note" does not exist; expected that'
    assert told["pendingBackfills"] == []  # a backfill could not count them either
    assert any(warning.startswith(f"backfill b0002: {reason}") for warning in told["warnings"])
    assert "not seen within" not in gate.stdout
    assert held_back_by(filled)[0].startswith(
        f"contract c0001 needs backfill b0002, which is recorded as complete: {reason}"
    )
    assert reason in filled.run().stdout
    contract = filled.run("contract")
    assert contract.returncode == Exit.STATEMENT_FAILED
    assert f"backfill b0002 is recorded as complete, and {reason}" in contract.stderr
    assert "holds the row" not in contract.stderr
    assert filled.one("SELECT count(*) FROM schema_history WHERE phase = 'contract'") == (0,)


@pytest.mark.parametrize(
    "other", ["ALTER TABLE items DROP COLUMN spare", "ALTER TABLE others DROP COLUMN note", "DROP TABLE others"]
)
def test_nor_is_a_contract_that_took_away_something_else(filled, other):
    write(filled.tree, "contract", "c0001", DROP.replace("ALTER TABLE items DROP COLUMN IF EXISTS note", other))
    allow_all(filled.tree)
    assert result_of(filled.run("contract"))["applied"] == ["c0001"]
    bring_next(filled)
    filled.connection.execute("ALTER TABLE items DROP COLUMN note")
    contract = filled.run("contract")
    assert contract.returncode == Exit.STATEMENT_FAILED, contract.stdout
    assert "backfill b0002 is recorded as complete, and whether rows are left can't be asked" in contract.stderr
    assert filled.one("SELECT count(*) FROM schema_history WHERE revision = 'c0002'") == (0,)


def test_a_locked_table_is_told_as_that_and_counted_later(filled):
    with filled.connect() as other, other.transaction():
        other.execute("LOCK TABLE items IN ACCESS EXCLUSIVE MODE")
        gate = filled.run("expand")
    assert "backfill b0002: its table is locked, so whether rows are left was not seen" in gate.stdout
    assert result_of(gate)["laterBackfills"] == ["b0002"]
