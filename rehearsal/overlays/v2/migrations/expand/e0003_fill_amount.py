"""Fill amount_cents and currency of the rows from before e0002, in batches of their own.

One UPDATE of the whole table would make every writer of an old row wait for its commit.
"""

from alembic import op
from sqlalchemy import text

revision = "e0003"
down_revision = "e0002"
branch_labels = None
depends_on = None

_BATCH = 1000
# The trigger of e0002 does the work; a row that a version wrote meanwhile is left as it is.
_FILL = text("UPDATE orders SET updated_at = updated_at WHERE id > :after AND id <= :until AND amount_cents IS NULL")


def upgrade() -> None:
    """Locks a thousand rows at a time. Safe to run again: what is filled is not touched."""
    with op.get_context().autocommit_block():
        connection = op.get_bind()
        last = connection.scalar(text("SELECT coalesce(max(id), 0) FROM orders"))
        for after in range(0, last, _BATCH):
            connection.execute(_FILL, {"after": after, "until": after + _BATCH})
