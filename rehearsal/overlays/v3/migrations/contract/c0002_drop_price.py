"""Remove price and what kept it in step: from here on no version that knows only price can serve."""

from alembic import op

revision = "c0002"
down_revision = "c0001"
branch_labels = None
depends_on = None
tables = ("orders",)


def upgrade() -> None:
    """Takes ACCESS EXCLUSIVE on orders for a moment: the validated constraint spares SET NOT NULL its scan."""
    op.execute("DROP TRIGGER orders_keep_amount_in_step ON orders")
    op.execute("DROP FUNCTION orders_keep_amount_in_step()")
    op.execute(
        "ALTER TABLE orders ALTER COLUMN amount_cents SET NOT NULL, ALTER COLUMN currency SET NOT NULL,"
        " DROP COLUMN price"
    )
    op.execute("ALTER TABLE orders DROP CONSTRAINT orders_amount_required")
