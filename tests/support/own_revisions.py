"""Trees of revisions that a test writes, without anything else of a version."""

from pathlib import Path

from migrations.tree import Tree, read_tree

_REVISION = '''"""A revision of a test."""

import sqlalchemy as sa
from alembic import op

revision = {name!r}
down_revision = {down!r}
branch_labels = None
depends_on = None
{constants}


def upgrade() -> None:
    """Run it."""
{body}
'''


class OwnRevisions:
    """A folder as `migrations/` is one."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._last = {"expand": None, "contract": None}
        for name in ("expand", "contract", "backfills"):
            (folder / name).mkdir(parents=True)

    def add(self, *statements: str, phase: str = "expand", constants: str = 'tables = ("orders",)', body: str = ""):
        """The next revision of a phase: these statements, or the lines of its function; answers its name."""
        number = len(list((self.folder / phase).glob("*.py"))) + 1
        name = f"{phase[0]}{number:04d}"
        lines = body or "\n".join(f"op.execute({statement!r})" for statement in statements)
        text = _REVISION.format(
            name=name, down=self._last[phase], constants=constants,
            body="\n".join(f"    {line}" for line in lines.splitlines()),
        )  # fmt: skip
        (self.folder / phase / f"{name}_test.py").write_text(text)
        (self.folder / phase / "HEAD").write_text(f"{name}\n")
        self._last[phase] = name
        return name

    def tree(self) -> Tree:
        """As the command reads it."""
        return read_tree(self.folder)
