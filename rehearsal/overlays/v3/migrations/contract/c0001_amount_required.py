"""Every order has amount_cents and currency: stated as a constraint, proved without stopping writers.

A plain SET NOT NULL would read the whole table with everybody shut out; a constraint that is added NOT VALID and
validated afterwards reads it while rows are written.
"""

from alembic import op

revision = "c0001"
down_revision = None
branch_labels = ("contract",)
depends_on = "e0002"
needs_backfills = ("b0001",)
tables = ("orders",)


def upgrade() -> None:
    """ACCESS EXCLUSIVE for a moment, then SHARE UPDATE EXCLUSIVE while the rows are read."""
    op.execute("ALTER TABLE orders DROP CONSTRAINT IF EXISTS orders_amount_required")  # left by a run that was killed
    op.execute(
        "ALTER TABLE orders ADD CONSTRAINT orders_amount_required"
        " CHECK (amount_cents IS NOT NULL AND currency IS NOT NULL) NOT VALID"
    )
    with op.get_context().autocommit_block():
        op.execute("ALTER TABLE orders VALIDATE CONSTRAINT orders_amount_required")
