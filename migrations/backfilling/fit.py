"""Do the pending backfills of an image go with this database? The gate looks, before any traffic moves.

They run behind the shift, where a key without its index or a column that is not there would be found with the image
serving already. So the server is asked to plan the very statements of a run, by EXPLAIN without ANALYZE: no row is
read or changed, and the locks are those of any writer, for as long as the planning takes.

A rollback does not look. Its version has served, whatever its backfill was, and the way back runs none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import psycopg
from psycopg import sql

from migrations import server_errors
from migrations.backfilling.batches import counting, filling
from migrations.backfilling.declaration import Declaration, key_type
from migrations.backfilling.tries import MEND
from migrations.backfilling.wellformed import place
from migrations.database import Connection, Say, is_lock_refusal, is_timeout
from migrations.errors import BadTreeError, StatementFailedError
from migrations.told import first_line
from migrations.told import told as in_words
from migrations.tree import Revision

_LIMITS = {"statement_timeout": "2s", "lock_timeout": "200ms", "transaction_read_only": "on"}


def require(connection: Connection, backfills: Iterable[Revision], applied: Sequence[str], say: Say) -> list[str]:
    """Raises BadTreeError, StatementFailedError for the first that can't run.

    applied: what this run applied, which stays. Answers what was told of those that could not be looked at now.
    """
    kept = f"what this run applied stays ({', '.join(applied)})" if applied else "nothing was changed"
    warnings = []
    for revision in backfills:
        if reason := _look(connection, Declaration.of(revision), kept):
            warnings.append(
                f"backfill {revision.revision}: not looked at whether it can run: {reason}; its own run finds out"
            )
            say(warnings[-1])
    return warnings


def _look(connection: Connection, declared: Declaration, kept: str) -> str:
    """Why it was not looked at; empty where it was, and can run."""
    at = "table"
    try:
        with connection.transaction():
            for name, value in _LIMITS.items():
                connection.execute("SELECT set_config(%s, %s, true)", (name, value))
            kind = key_type(connection, declared)
            for at, statement in _statements(declared, kind):  # noqa: B007  (told below)
                connection.execute(sql.SQL("EXPLAIN {}").format(statement))
    except BadTreeError as error:
        raise BadTreeError(f"{error}, and release again; no traffic was moved; {kept}") from error
    except psycopg.Error as error:
        if is_lock_refusal(error) or is_timeout(error):
            return first_line(error)
        if server_errors.lost(error):
            raise
        raise _failure(declared, at, error, kept) from error
    return ""


def _statements(declared: Declaration, kind: str) -> Iterator[tuple[str, sql.Composed]]:
    """Each with the constant that it is the first to bring."""
    yield "todo", counting(declared)
    yield "assign", filling(declared, kind, None, None, rows=1, span=1)


def _failure(declared: Declaration, constant: str, error: psycopg.Error, kept: str) -> StatementFailedError:
    where, own = f"migrations: {place(declared.revision)}", declared.revision.file.read_text()
    if (advice := server_errors.refusal(error)) is not None:
        return StatementFailedError(
            f"{where} can't run: {server_errors.named(error)}; {advice}, and release again; no traffic was moved; "
            f"{kept}"
        )
    return StatementFailedError(
        f"{where} has `{constant}` that does not go with this database: {in_words(error, own)}; expected that the "
        f"server can plan it on {declared.table}; {MEND}; no traffic was moved; {kept}"
    )
