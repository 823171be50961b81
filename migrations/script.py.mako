"""${message}"""

from alembic import op

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}
# The tables this locks: the runner does not queue while a long transaction holds one of them.
tables = ()


def upgrade() -> None:
    """Say what it does and which lock it takes."""
    ${upgrades if upgrades else "raise NotImplementedError"}
