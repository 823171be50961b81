"""Ways the command can end. Each reason has its own exit code, so that a gate can tell them apart."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of `python -m migrations`. Nothing to do is DONE."""

    DONE = 0
    UNEXPECTED = 1  # a defect of the command itself
    USAGE = 2  # arguments, or a setting of the environment
    NOT_SERVABLE = 3  # this image cannot serve this database
    LOCK_NOT_OBTAINED = 4  # a table was in use for the whole budget
    ANOTHER_RUNNER = 5  # another runner held the session lock for the whole wait
    STATEMENT_FAILED = 6  # a revision failed; what it did in its transaction was rolled back
    UNREACHABLE = 7  # no connection to the database
    OUT_OF_TIME = 8  # a statement ran into its time limit
    BAD_TREE = 9  # the revisions in this image make no sense together
    PENDING = 10  # check: revisions this image needs are not applied


class MigrationError(Exception):
    """One line for the person at the terminal, and the exit code."""

    exit = Exit.UNEXPECTED


class SettingError(MigrationError):
    """A setting is missing or wrong."""

    exit = Exit.USAGE


class NotServableError(MigrationError):
    """The database holds a contract revision that this image does not know."""

    exit = Exit.NOT_SERVABLE


class PendingError(MigrationError):
    """The database lacks an expand revision that this image needs."""

    exit = Exit.PENDING


class LockNotObtainedError(MigrationError):
    """A table was in use for the whole budget."""

    exit = Exit.LOCK_NOT_OBTAINED


class AnotherRunnerError(MigrationError):
    """Another runner held the session lock for the whole wait."""

    exit = Exit.ANOTHER_RUNNER


class StatementFailedError(MigrationError):
    """A revision failed."""

    exit = Exit.STATEMENT_FAILED


class OutOfTimeError(MigrationError):
    """A statement ran into its time limit."""

    exit = Exit.OUT_OF_TIME


class UnreachableError(MigrationError):
    """No connection to the database."""

    exit = Exit.UNREACHABLE


class BadTreeError(MigrationError):
    """The revisions in this image make no sense together."""

    exit = Exit.BAD_TREE
