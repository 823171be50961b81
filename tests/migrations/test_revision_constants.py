"""A constant that a gate depends on is read, or the tree is refused: it is never passed over in silence."""

import pytest

from migrations.errors import BadTreeError
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
        ("lock_timeout = 5", "lock_timeout 5, expected such as"),
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
