"""A revision that passes on an empty table and fails on one with orders: a required column without a default."""

from alembic import op

revision = "e0004"
down_revision = "e0002"
branch_labels = None
depends_on = None
tables = ("orders",)
# What people write when the lint is in their way. The database knows better, and the gate asks it.
lint_exceptions = {"adding-required-field": "the table is still empty"}


def upgrade() -> None:
    """Fails wherever there is an order: what should its discount be?"""
    op.execute("ALTER TABLE orders ADD COLUMN discount_cents bigint NOT NULL")
