"""A revision that leaves its transaction says so and does it in a way that is safe to run again: seen in its syntax."""

import pytest

from migrations.errors import BadTreeError
from tests.support.own_revisions import OwnRevisions

OUTSIDE = "outside_transaction = True"
OPERATION = 'from migrations import concurrently\nconcurrently.create_index("i", "orders", ("n",))'


@pytest.fixture
def own(tmp_path):
    return OwnRevisions(tmp_path / "migrations")


@pytest.mark.parametrize(
    "body",
    [
        OPERATION,
        'from migrations.concurrently import create_index as make\nmake("i", "orders", ("n",))',
        'import migrations.concurrently\nmigrations.concurrently.drop_index("i")',
        "with op.get_context().autocommit_block():\n    op.execute('VACUUM')",
        'op.create_index("i", "orders", ["n"], postgresql_concurrently=True)',
        'op.execute("CREATE INDEX CONCURRENTLY i ON orders (n)")',
        'op.execute("create unique index\\n  concurrently i on orders (n)")',
        'op.execute(f"DROP INDEX CONCURRENTLY {revision}")',
        'op.execute("REINDEX TABLE CONCURRENTLY orders")',
        'op.execute("ALTER TABLE a DETACH PARTITION b CONCURRENTLY")',
    ],
)
def test_a_revision_that_leaves_its_transaction_must_say_so(own, body):
    own.add(body=body)
    with pytest.raises(BadTreeError, match=r"expand/e0001_test.py line \d+ leaves its transaction, and outside_tr"):
        own.tree()


@pytest.mark.parametrize(
    "body",
    [
        f'{OPERATION}\nop.execute("ALTER TABLE orders ADD COLUMN n text")',
        'with op.get_context().autocommit_block():\n    op.execute("CREATE INDEX CONCURRENTLY i ON orders (n)")',
        f'{OPERATION}\nsa.text("x")',
    ],
)
def test_one_that_does_so_uses_nothing_that_is_not_safe_to_run_again(own, body):
    own.add(body=body, constants=OUTSIDE)
    with pytest.raises(BadTreeError, match=r"uses Alembic's (op|sa) outside a transaction"):
        own.tree()


def test_the_constant_needs_an_operation(own):
    own.add(body="pass", constants=OUTSIDE)
    with pytest.raises(BadTreeError, match=r"no operation of migrations\.concurrently"):
        own.tree()


def test_what_is_in_order_is_read(own):
    own.add(body=OPERATION, constants=OUTSIDE)
    own.add(body='"""CREATE INDEX CONCURRENTLY is for another revision."""\nop.execute("SELECT 1")')
    own.add("REFRESH MATERIALIZED VIEW CONCURRENTLY m")
    assert [revision.outside_transaction for revision in own.tree().expand] == [True, False, False]
