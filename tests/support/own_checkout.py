"""A copy of the checkout to which somebody adds revisions of their own, as README says."""

import shutil
import subprocess
import sys
from pathlib import Path

from rehearsal.trees import PROJECT, lay
from tests.support.trees_on_disk import BASE

_LEFT = shutil.ignore_patterns(
    ".git", ".local", ".hypothesis", ".*_cache", "__pycache__", "*.pyc", "venv", ".venv", "*.egg-info"
)
PLACEHOLDER = 'op.execute("WRITE THE STATEMENT HERE")'
BACKFILL = '''"""Give every order a note."""

revision = "b0001"
down_revision = None
needs = "e0002"
table = "orders"
key = "id"
assign = "note = ''"
todo = "note IS NULL"
'''


def copy_checkout(folder: Path) -> Path:
    """This checkout as it was before anybody added a revision."""
    shutil.copytree(PROJECT, folder, ignore=_LEFT)
    shutil.rmtree(folder / "migrations")
    shutil.copytree(lay("v1", folder.parent / "before") / "migrations", folder / "migrations")
    return folder


def alembic(project: Path, *arguments: str) -> Path:
    """`alembic revision` as README says; answers the file."""
    before = set((project / "migrations").rglob("*.py"))
    subprocess.run(
        [sys.executable, "-m", "alembic", "-c", "migrations/alembic.ini", "revision", *arguments],
        cwd=project, env=BASE, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    (made,) = set((project / "migrations").rglob("*.py")) - before
    return made


def write(file: Path, statement: str, more: str = "") -> None:
    """Say what it does, what it locks, and that it is the newest of its folder."""
    text = file.read_text()
    assert text.count(PLACEHOLDER) == text.count("tables = ()") == 1
    file.write_text(
        text.replace(PLACEHOLDER, f'op.execute("{statement}")').replace("tables = ()", f'tables = ("orders",){more}')
    )
    (file.parent / "HEAD").write_text(f"{file.stem}\n")


def add_own(project: Path) -> None:
    """A revision of each phase, numbered as the example's next ones are."""
    write(
        alembic(project, "--rev-id", "e0002", "--head", "expand@head", "-m", "add a note"),
        "ALTER TABLE orders ADD COLUMN note text DEFAULT ''",
    )
    (project / "migrations/backfills/b0001_note.py").write_text(BACKFILL)
    (project / "migrations/backfills/HEAD").write_text("b0001_note\n")
    first = ("--head", "base", "--branch-label", "contract", "--version-path", "migrations/contract")
    write(
        alembic(project, "--rev-id", "c0001", *first, "--depends-on", "e0002", "-m", "and no note"),
        "ALTER TABLE orders DROP COLUMN note",
        '\nneeds_backfills = ("b0001",)',
    )
