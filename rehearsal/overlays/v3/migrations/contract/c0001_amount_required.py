"""Every order has amount_cents and currency: stated as a constraint, proved without stopping writers.

A plain SET NOT NULL would read the whole table with everybody shut out; a constraint that is added NOT VALID and
validated afterwards reads it while rows are written.
"""

from migrations import concurrently

revision = "c0001"
down_revision = None
branch_labels = ("contract",)
depends_on = "e0002"
needs_backfills = ("b0001",)
tables = ("orders",)
outside_transaction = True


def upgrade() -> None:
    """ACCESS EXCLUSIVE for a moment, then SHARE UPDATE EXCLUSIVE while the rows are read."""
    concurrently.add_constraint(
        "orders", "orders_amount_required", "CHECK (amount_cents IS NOT NULL AND currency IS NOT NULL)"
    )
    concurrently.validate_constraint("orders", "orders_amount_required")
