"""What PostgreSQL refuses to the runner's own statements, as errors of ours: none of it is a defect of the command."""

from __future__ import annotations

import psycopg
from psycopg import errors

from migrations.database import is_lock_refusal, is_timeout
from migrations.errors import (
    LockNotObtainedError,
    MigrationError,
    OutOfTimeError,
    StatementFailedError,
    UnreachableError,
)

_KEPT = "what was open is rolled back"
_REFUSALS: tuple[tuple[type[psycopg.Error], str], ...] = (
    (
        errors.ReadOnlySqlTransaction,
        "the database takes no writes: a replica, or default_transaction_read_only; connect to the primary, or set it",
    ),
    (
        errors.InsufficientPrivilege,
        "expected the owner of the schema and of the runner's tables, with CREATEROLE for `roles`; connect as that",
    ),
    (errors.DiskFull, "the server's disk is full; make room or enlarge its storage"),
    (errors.OutOfMemory, "the server has no memory left; end what uses it, or enlarge the instance"),
    (errors.IoError, "the server could not read or write its files; look at its log and its storage"),
    (errors.ConfigurationLimitExceeded, "a limit of the server is reached; raise it"),
)
_HIDES_ROWS = (
    "row security is forced on a table and would hide rows from this role, so that they were taken for done; connect "
    "as a role with BYPASSRLS, or ALTER TABLE ... NO FORCE ROW LEVEL SECURITY"
)
_ROW_SECURITY_FILE = "rls.c"  # of the server's source, which raises it for nothing else
_GONE = (
    errors.AdminShutdown,
    errors.CrashShutdown,
    errors.CannotConnectNow,
    errors.TooManyConnections,
    errors.IdleSessionTimeout,
)
# Limits of a transaction, which end the session with it.
TRANSACTION_ENDED = (errors.IdleInTransactionSessionTimeout, errors.TransactionTimeout)
_CONNECTION = "08"  # the class of SQLSTATEs for connections


def named(error: psycopg.Error) -> str:
    """Type and state. Not its sentence: that of a trigger may hold a row's value."""
    return f"{type(error).__name__} (SQLSTATE {error.sqlstate or 'none'})"


def refusal(error: psycopg.Error) -> str | None:
    """What the server lacks or forbids, and what to do; None where the error is of another kind."""
    if hides_rows(error):
        return _HIDES_ROWS
    return next((advice for kind, advice in _REFUSALS if isinstance(error, kind)), None)


def hides_rows(error: psycopg.Error) -> bool:
    """Whether it was refused because row security would have left rows out (`row_security = off`)."""
    return isinstance(error, errors.InsufficientPrivilege) and error.diag.source_file == _ROW_SECURITY_FILE


def lost(error: psycopg.Error) -> bool:
    """Whether the session is gone, or was never there."""
    if isinstance(error, _GONE) or (error.sqlstate or "").startswith(_CONNECTION):
        return True
    return isinstance(error, psycopg.OperationalError) and error.sqlstate is None


def as_ours(error: BaseException, command: str) -> MigrationError | None:
    """None for what only a defect explains."""
    if not isinstance(error, psycopg.Error):
        return None
    said = f"migrations: {command}: {named(error)}"
    if is_lock_refusal(error):
        return LockNotObtainedError(
            f"{said}; somebody holds a table of the runner's own, or of the service, for himself; {_KEPT}; see "
            "pg_locks for who it is, and run again when that transaction has ended"
        )
    if is_timeout(error) or isinstance(error, TRANSACTION_ENDED):
        return OutOfTimeError(f"{said}; {_KEPT}; run again when the database has less to do, or nobody cancels it")
    if (advice := refusal(error)) is not None:
        return StatementFailedError(f"{said}; {advice}, and run again; {_KEPT}")
    if lost(error):
        return UnreachableError(f"{said}; expected the session to last; {_KEPT}; run again")
    return None
