"""A revision's own code while it runs: whatever it ends with is a failure of that revision, and never a success."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from sqlalchemy.exc import DBAPIError

from migrations.errors import MigrationError, StatementFailedError
from migrations.revision_file import FOLDERS, Revision

# Told elsewhere, by what the server says.
_OF_THE_SERVER = (DBAPIError, psycopg.Error)


@contextmanager
def blamed(revision: Revision) -> Iterator[None]:
    """Raises StatementFailedError for an error of Python's, such as a SystemExit. A signal goes through."""
    try:
        yield
    except (MigrationError, KeyboardInterrupt, *_OF_THE_SERVER):
        raise
    except BaseException as error:
        file, line = _place(revision, error)
        kept = "nothing of its transaction was kept"
        if revision.outside_transaction:
            kept = "each of its statements that came to its end was kept, and the next run goes on from there"
        # Its text is not shown: it may be made of a row.
        raise StatementFailedError(
            f"migrations: {revision.phase} {revision.revision} failed: the code of {file} ended with "
            f"{type(error).__name__}{line}, expected that it comes to its end; {kept}; "
            "mend the revision and release again"
        ) from error


def _place(revision: Revision, error: BaseException) -> tuple[str, str]:
    """The revision's file that was at work last, and its line. Alembic runs the top of each file of the tree."""
    folders = {str(revision.file.parents[1] / folder) for folder in FOLDERS.values()}
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        folder, _, name = frame.filename.rpartition("/")
        if folder in folders:
            return name, f" in line {frame.lineno}"
    return revision.file.name, ""
