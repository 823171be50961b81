"""What a release would do to the schema: statements, the locks they were seen to take, estimates, the lint's word."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from migrations.linting.verdict import Finding, Waived
from migrations.revision_file import Phase


@dataclass(frozen=True, kw_only=True)
class Lock:
    """A lock that a statement was seen to take on a table that was there before its revision."""

    table: str
    mode: str  # in the words of PostgreSQL's manual: `ACCESS EXCLUSIVE`


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """How long a statement takes on the live table."""

    low: float  # seconds
    high: float
    basis: str  # in words: what was measured and what it was multiplied with


@dataclass(frozen=True, kw_only=True)
class Statement:
    """One statement of a revision.

    Attributes:
        number: from 1, as the lint counts.
        transaction: from 1; None for one that runs outside of a transaction.
        locks: None where it was not measured.
        rewrites: tables that get a new file (relfilenode).
        scans: tables that are read whole.
        estimate: None where the live size is not known or nothing was measured.
    """

    number: int
    sql: str
    transaction: int | None
    locks: tuple[Lock, ...] | None = None
    rewrites: tuple[str, ...] = ()
    scans: tuple[str, ...] = ()
    estimate: Estimate | None = None

    def as_json(self) -> dict[str, Any]:
        """As the report has it."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class RevisionExamination:
    """One revision that is pending.

    Attributes:
        reason: why its SQL or its locks are not (all) known; empty where they are.
        undeclared: tables it was seen to lock and does not name in `tables`.
        fails: it did not run on the structure on record, which alone decides that.
    """

    revision: str
    phase: Phase
    file: str
    statements: tuple[Statement, ...]
    findings: tuple[Finding, ...]
    waived: tuple[Waived, ...]
    undeclared: tuple[str, ...] = ()
    reason: str = ""
    fails: bool = False

    def as_json(self) -> dict[str, Any]:
        """As the report has it."""
        return {
            "revision": self.revision,
            "phase": self.phase,
            "file": self.file,
            "statements": [statement.as_json() for statement in self.statements],
            "findings": [finding.as_json() for finding in self.findings],
            "exceptions": [waived.as_json() for waived in self.waived],
            "undeclared": list(self.undeclared),
            "reason": self.reason,
            "fails": self.fails,
        }


@dataclass(frozen=True, kw_only=True)
class SchemaExamination:
    """All revisions that a release would apply, in order: expand, backfills, contract.

    Attributes:
        measured: True where the locks are what a PostgreSQL did.
        reason: why nothing was measured, with what to do; empty where it was.
        notes: what a reader should know: another major version, a structure that was built from the revisions ...
        server: the version that was measured on, such as `18.4`.
        seconds: how long the examination took.
    """

    revisions: tuple[RevisionExamination, ...]
    measured: bool
    reason: str = ""
    notes: tuple[str, ...] = ()
    server: str = ""
    seconds: float = 0.0

    @property
    def refused(self) -> bool:
        """Would the gate's lint refuse it?"""
        return any(finding.level == "error" for revision in self.revisions for finding in revision.findings)

    def as_json(self) -> dict[str, Any]:
        """As the report has it."""
        return {
            "revisions": [revision.as_json() for revision in self.revisions],
            "refused": self.refused,
            "measured": {"done": self.measured, "reason": self.reason, "server": self.server},
            "notes": list(self.notes),
            "seconds": round(self.seconds, 3),
        }


def examine(folder: Path, facts: Mapping[str, Any] | None) -> SchemaExamination:
    """What the revisions that are not in the facts would do. `folder` is the `migrations` of a version.

    `facts` are those of the last release's result; None or empty for a database that is taken to be empty. Where the
    image's packages or PostgreSQL's programs are not installed, the answer says what is not known and what to do.

    Raises:
        MigrationError: the tree makes no sense, or squawk does not run.
    """
    try:
        from preview import examine as examination
    except ImportError as error:
        package = (error.name or "").partition(".")[0]
        return SchemaExamination(
            revisions=(),
            measured=False,
            reason=f"the package {package} of app/requirements.txt is not installed here: neither linted nor measured; "
            "run `make tools`",
        )
    return examination.examine(folder, facts)
