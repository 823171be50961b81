"""A revision that passes on an empty table and fails on one with orders: a required column without a default."""

from alembic import op

revision = "e0004"
down_revision = "e0002"
branch_labels = None
depends_on = None
tables = ("orders",)


def upgrade() -> None:
    """Fails wherever there is an order: what should its discount be?"""
    op.execute("ALTER TABLE orders ADD COLUMN discount_cents bigint NOT NULL")
