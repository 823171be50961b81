"""The gate looks whether the pending backfills go with the database: what would fail behind the shift ends it before.

The twin without the look lets each of them pass, and the backfill fails when the image already serves.
"""

import subprocess
import sys

import pytest

from migrations.errors import Exit
from tests.support.backfilling import TABLE
from tests.support.trees_on_disk import BASE, migrate, result_of

pytestmark = pytest.mark.slow

INT = TABLE.format(kind="int")
GENERATED = f"{INT[:-1]}, twice int GENERATED ALWAYS AS (old * 2) STORED)"
ROWS = "INSERT INTO items (id, old) SELECT n, n FROM generate_series(1, 10) AS n"
# What is declared on which table: exit code, constant, what is found.
BROKEN = [
    (INT, {"key": "old"}, 9, "key 'old'", "items.old has no unique index of its own"),
    (INT, {"key": "nowhere"}, 9, "key 'nowhere'", "items.nowhere is not in this database"),
    (f"{INT}; CREATE UNIQUE INDEX ON items (filled)", {"key": "filled"}, 9, "key 'filled'", "may be NULL"),
    (f"{INT}; CREATE UNIQUE INDEX ON items (old) WHERE times = 0", {"key": "old"}, 9, "key 'old'", "no unique index"),
    (INT, {"table": "item"}, 9, "table 'item'", "which is not in this database"),
    (INT, {"todo": "nowhere IS NULL"}, 6, "`todo`", 'column "nowhere" does not exist'),
    (INT, {"todo": "filled"}, 6, "`todo`", "DatatypeMismatch"),
    (INT, {"assign": "nowhere = old"}, 6, "`assign`", 'UndefinedColumn: column "nowhere" of relation "items"'),
    (INT, {"assign": "filled = (SELECT n FROM others)"}, 6, "`assign`", 'relation "others" does not exist'),
    (GENERATED, {"assign": "twice = old"}, 6, "`assign`", "GeneratedAlways"),
    # What squawk does not know as an error, and what it does not know at all.
    (INT, {"todo": "filled ISNUL"}, 6, "`todo`", "syntax error"),
]


def without_look(filling, command):
    program = (
        "import sys; from migrations import __main__, phases; phases.fit.require = lambda *_: []\n"
        f"sys.exit(__main__.main([{command!r}]))"
    )
    return subprocess.run(
        [sys.executable, "-c", program], cwd=filling.tree, capture_output=True, text=True, timeout=120,
        env={**BASE, "APP_VERSION": "v2", **filling.environment, **filling.settings},
    )  # fmt: skip


def except_syntax(filling):
    file = filling.tree / "migrations" / "backfills" / "b0001_test.py"
    file.write_text(file.read_text() + 'lint_exceptions = {"syntax-error": "what the test is about"}\n')


@pytest.mark.parametrize(("create", "declared", "code", "constant", "found"), BROKEN)
def test_what_can_not_run_ends_the_gate_and_the_twin_fails_behind_the_shift(
    filling, create, declared, code, constant, found
):
    if "ISNUL" in str(declared):
        filling.lay(create)
        file = filling.tree / "migrations" / "backfills" / "b0001_test.py"
        file.write_text(file.read_text().replace("filled IS NULL", "filled ISNUL"))
        except_syntax(filling)
    else:
        filling.lay(create, **declared)
    gate = filling.run("expand")
    assert gate.returncode == code, gate.stdout + gate.stderr
    for text in (f"backfills/b0001_test.py has {constant}", found, "expected", "release again", "no traffic was moved"):
        assert text in gate.stderr
    assert len(gate.stderr.strip().splitlines()) == 1
    # What expand applied stays, and is said; so is it when it is run again.
    assert "what this run applied stays (e0001, e0002)" in gate.stderr
    assert filling.one("SELECT array_agg(revision ORDER BY revision) FROM schema_history") == (["e0001", "e0002"],)
    again = filling.run("expand")
    assert (again.returncode, "nothing was changed" in again.stderr) == (code, True)
    # The way back does not depend on it.
    assert filling.run("check").returncode == 0
    filling.connection.execute(ROWS)
    assert without_look(filling, "expand").returncode == 0
    late = filling.run()
    assert late.returncode in (Exit.BAD_TREE, Exit.STATEMENT_FAILED)
    assert "holds the row" not in late.stderr
    assert ("no row is the cause; mend what the backfill declares" in late.stderr) is (late.returncode == 6)
    assert filling.one("SELECT count(*) FROM items WHERE filled IS NOT NULL") == (0,)
    assert filling.recorded() == []


def test_once_mended_in_its_file_the_gate_passes(filling):
    filling.lay(todo="nowhere IS NULL")
    assert filling.run("expand").returncode == Exit.STATEMENT_FAILED
    file = filling.tree / "migrations" / "backfills" / "b0001_test.py"
    file.write_text(file.read_text().replace("nowhere", "filled"))
    assert result_of(filling.run("expand"))["pendingBackfills"] == ["b0001"]
    filling.connection.execute(ROWS)
    assert filling.done()["rows"] == 10


def test_a_backfill_that_the_lint_refuses_ends_the_gate_before_anything_is_applied(filling):
    filling.lay(todo="id IN (SELECT 1 FROM schema_history)")
    gate = filling.run("expand")
    assert gate.returncode == Exit.LINT_REFUSED
    assert "backfill b0001 is refused by the lint" in gate.stderr
    refused = result_of(filling.run("plan"))["refused"]
    assert (refused["phase"], refused["exit"]) == ("expand", gate.returncode), "a plan says who would refuse it"
    assert filling.one("SELECT to_regclass('items')") == (None,)


def test_the_look_reads_and_changes_nothing_and_waits_for_nobody(filling):
    """Volatile functions of the declaration are planned and not called; a table that is locked is told, not failed."""
    filling.lay(f"{INT}; CREATE SEQUENCE calls", assign="filled = nextval('calls')", todo="filled IS NULL")
    result_of(filling.run("expand"))
    filling.connection.execute(ROWS)
    assert result_of(filling.run("expand"))["warnings"] == []
    assert filling.one("SELECT is_called FROM calls") == (False,)
    with filling.connect() as other, other.transaction():
        other.execute("LOCK TABLE items IN ACCESS EXCLUSIVE MODE")
        run = filling.run("expand")
    line = "backfill b0001: not looked at whether it can run: canceling statement due to lock timeout"
    assert line in run.stdout
    assert any(line in warning for warning in result_of(run)["warnings"])
    with filling.connect() as other, other.transaction():
        other.execute("LOCK TABLE items IN ROW EXCLUSIVE MODE")  # as any writer does
        assert result_of(filling.run("expand"))["warnings"] == []


def test_only_what_is_pending_is_looked_at(filling):
    """A table that a backfill was for may be gone long since."""
    filling.prepare(rows=ROWS)
    filling.done()
    filling.connection.execute("DROP TABLE items CASCADE")
    run = migrate(filling.tree, {**filling.environment, "MIGRATION_REFUSE_DRIFT": "never"}, "expand", "v2")
    assert run.returncode == 0, run.stderr
