"""Ways the command can end. Each reason has its own exit code, so that a gate can tell them apart."""

from __future__ import annotations

from enum import IntEnum

from migrations.progress import one_line


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
    OUT_OF_TIME = 8  # a statement ran into its time limit, or the phase into its budget
    BAD_TREE = 9  # the revisions in this image make no sense together
    PENDING = 10  # check: revisions this image needs are not applied
    BACKFILL_INCOMPLETE = 11  # contract: rows are left that a backfill must fill first
    LINT_REFUSED = 12  # a pending revision does what its phase must not do
    EDITED = 13  # a revision is not the one that was applied under its name
    NOT_ADOPTED = 14  # the database has tables and no history
    OLD_VERSION_LIVES = 15  # contract: something runs that does not know the revision
    POOLER = 16  # a pooler hands each transaction another session
    DRIFT = 17  # the live structure is not the one expected
    # As a shell and ECS number a process that a signal ended, but told, and with everything open undone.
    INTERRUPTED = 130  # SIGINT: Ctrl-C
    TERMINATED = 143  # SIGTERM: the task was stopped


class MigrationError(Exception):
    """One line for the person at the terminal, and the exit code."""

    exit = Exit.UNEXPECTED

    def as_json(self) -> dict[str, object]:
        """For `--json`: exit code, its name, and the line."""
        return {"exit": int(self.exit), "name": self.exit.name, "message": one_line(str(self))}


class UsageError(MigrationError):
    """The arguments make no sense."""

    exit = Exit.USAGE


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
    """A statement ran into its time limit, or the phase into its budget."""

    exit = Exit.OUT_OF_TIME


class UnreachableError(MigrationError):
    """No connection to the database."""

    exit = Exit.UNREACHABLE


class BadTreeError(MigrationError):
    """The revisions in this image make no sense together."""

    exit = Exit.BAD_TREE


class BackfillIncompleteError(MigrationError):
    """Rows are left that a backfill must fill before the contract."""

    exit = Exit.BACKFILL_INCOMPLETE


class LintRefusedError(MigrationError):
    """A pending revision does what its phase must not do."""

    exit = Exit.LINT_REFUSED


class EditedError(MigrationError):
    """A revision is not the one that was applied under its name."""

    exit = Exit.EDITED


class NotAdoptedError(MigrationError):
    """The database has tables and no history."""

    exit = Exit.NOT_ADOPTED


class OldVersionLivesError(MigrationError):
    """Something runs that does not know the contract revision."""

    exit = Exit.OLD_VERSION_LIVES


class PoolerError(MigrationError):
    """A pooler hands each transaction another session."""

    exit = Exit.POOLER


class DriftError(MigrationError):
    """The live structure is not the one expected."""

    exit = Exit.DRIFT
