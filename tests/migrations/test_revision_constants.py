"""A constant that a gate depends on is read, or the tree is refused: it is never passed over in silence."""

import ast

import pytest

from migrations.errors import BadTreeError
from migrations.locking.blockers import CONFLICTS
from tests.support.own_revisions import OwnRevisions


@pytest.fixture
def own(tmp_path):
    return OwnRevisions(tmp_path / "migrations")


@pytest.mark.parametrize(
    ("constant", "why"),
    [
        ('needs_backfills = tuple(["b0001"])', "needs_backfills is not a literal"),
        ('tables = ("ord" + "ers",)', "tables is not a literal"),
        ("needs_backfills = 5", "needs_backfills 5, expected names of revisions"),
        ('need_backfills = ("b0001",)', "need_backfills, which means nothing here.* needs_backfills"),
        ('Tables = ("orders",)', "Tables, which means nothing here.* tables"),
        ("outside_transaction = 1", "outside_transaction 1, expected True or False"),
        ("outside_transaction: int = 1", "outside_transaction 1, expected True or False"),
        ('tables = "orders"', "tables 'orders', expected a tuple"),
        ("lock_timeout = 5", "lock_timeout 5, expected a whole number with ms, s or min"),
        ('lock_timeout = "0"', "lock_timeout '0', expected a whole number"),
        ('lock_timeout = "0ms"', "lock_timeout '0ms', expected a whole number"),
        ('statement_timeout = "1 s"', "statement_timeout '1 s', expected a whole number"),
        ('statement_timeout = "2h"', "statement_timeout '2h', expected a whole number"),
        ('statement_timeout = "5 minutes"', "statement_timeout '5 minutes', expected a whole number"),
        ('statement_timeout = "35792min"', "statement_timeout '35792min', expected .* to \"35791min\""),
        ('lock_mode = "EXCLUSIVE-ISH"', "lock_mode 'EXCLUSIVE-ISH', expected one of ACCESS SHARE, "),
        ('lock_mode = "share"', "lock_mode 'share', expected one of ACCESS SHARE, "),
        ('tables = ("or ders",)', "tables .'or ders',., expected a tuple of names"),
        ("lint_exceptions = dict(a='b')", "lint_exceptions is not a literal"),
        ('tables = ("a",)\ntables += ("b",)', "line 11 sets tables in another way"),
        ('tables = ("a",)\ntables = ("b",)', "line 11 sets tables in another way"),
        ('if True:\n    tables = ("a",)', "line 11 sets tables in another way"),
        ('tables, _ = ("a",), 1', "sets tables in another way"),
        ("from app.shape import tables", "sets tables in another way"),
        ('todo = "x"', "todo, which means nothing in contract; it belongs in backfill"),
    ],
)
def test_what_can_not_be_read_is_refused(own, constant, why):
    own.add("SELECT 1", phase="contract", constants=constant)
    with pytest.raises(BadTreeError, match=f"contract/c0001_test.py .*{why}"):
        own.tree()


@pytest.mark.parametrize(
    "constant",
    [
        'lock_timeout = "1ms"', 'statement_timeout = "35791min"', 'statement_timeout = "2147483647ms"',
        *(f"lock_mode = {mode!r}" for mode in CONFLICTS),
        """tables = ("orders", "sales.orders", 'odd."the ""name"')""", "tables = ()",
    ],
)  # fmt: skip
def test_what_the_server_takes_is_read(own, constant):
    own.add("SELECT 1", constants=constant)
    name, _, value = constant.partition(" = ")
    assert repr(own.tree().expand[0].settings[name]) == repr(ast.literal_eval(value))


def test_a_gate_of_contracts_means_nothing_in_an_expand(own):
    own.add("SELECT 1", constants='needs_backfills = ("b0001",)')
    with pytest.raises(BadTreeError, match=r"needs_backfills, which means nothing in expand; it belongs in contract"):
        own.tree()


def test_what_alembic_reads_is_held_to_the_same(own):
    own.add("SELECT 1", constants="")
    file = own.folder / "expand" / "e0001_test.py"
    file.write_text(file.read_text().replace("depends_on = None", 'depends_on = "e0" + "001"'))
    with pytest.raises(BadTreeError, match="depends_on is not a literal"):
        own.tree()


def test_names_of_the_authors_own_are_free(own):
    own.add("SELECT 1", constants='_FUNCTION = "x".upper()\nTABLE = sa.table("t")\n_x = 1\nKind = sa.Text\nN: int = 3')
    own.add("SELECT 1", constants='tables: tuple[str, ...] = ("orders",)\nlock_timeout = "1" "s"')
    assert own.tree().expand[1].settings["tables"] == ("orders",)
    assert own.tree().expand[1].settings["lock_timeout"] == "1s"
