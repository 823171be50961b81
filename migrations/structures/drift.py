"""Drift: what other hands changed in the structure since the newest revision.

After a revision the structure is stored with the revisions that were applied. Before the next one the live structure
is compared with it. An index that somebody added at night is told; a column that is missing is refused, because the
next revision counts on it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import psycopg

from migrations import history, history_tables
from migrations.database import Connection, Say
from migrations.errors import DriftError, LockNotObtainedError, SettingError
from migrations.locking.blockers import Blocker, Lookout
from migrations.structures import structure
from migrations.structures.diff import Difference, compare
from migrations.structures.structure import Structure

Refuse = Literal["never", "breaking", "any"]
REFUSE: tuple[Refuse, ...] = get_args(Refuse)
SETTING = "MIGRATION_REFUSE_DRIFT"
_TOLD = 6
_PAUSE_SECONDS = 0.5
_SAY_EVERY_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True)
class Look:
    """The live structure, and how it differs from the one that was stored."""

    live: Structure | None  # None: a table was locked for somebody alone
    revision: str  # after which the stored one was taken
    comparable: bool  # False: nothing stored that belongs to the revisions applied now
    differences: tuple[Difference, ...]
    before: tuple[str, ...] = ()  # where not comparable: applied since the stored one was taken

    def notes(self) -> list[str]:
        """What the terminal is told beside the differences."""
        if not self.before:
            return []
        since = ", ".join(self.before[:_TOLD])
        return [f"drift can't be told: a run ended after {since}, and before it could store the structure it left"]

    def refused(self, refuse: Refuse) -> list[Difference]:
        """The differences that this setting does not let pass."""
        return [each for each in self.differences if refuse == "any" or (refuse == "breaking" and each.breaking)]

    def lines(self) -> list[str]:
        """For the terminal and the record."""
        return [f"drift since {self.revision}: {each}" for each in self.differences]


def refuse_of(environment: Mapping[str, str]) -> Refuse:
    """Which drift is refused: `breaking` unless set. Raises SettingError."""
    found = environment.get(SETTING) or "breaking"
    for known in REFUSE:
        if found == known:
            return known
    raise SettingError(f"migrations: {SETTING}: found {found!r}, expected {', '.join(REFUSE)}")


def look(connection: Connection, wait: float = 0, say: Say | None = None) -> Look:
    """Compare. With `wait`, a table that is locked for somebody alone is waited for. Raises LockNotObtainedError."""
    live = _read(connection, wait, say)
    stored, revisions = _stored(connection)
    applied = history.applied(connection)
    # A runner that was killed between a revision and the storing, or amid one that runs outside a transaction.
    comparable = stored is not None and frozenset(revisions) == applied.expand | applied.contract
    comparable = comparable and not history.marks(connection)
    if stored is None or live is None or not comparable:
        since = () if stored is None else tuple(sorted((applied.expand | applied.contract) - frozenset(revisions)))
        return Look(live=live, revision="", comparable=comparable, differences=(), before=since)
    found = () if stored.fingerprint == live.fingerprint else compare(expected=stored, found=live)
    return Look(live=live, revision=revisions[-1] if revisions else "", comparable=True, differences=tuple(found))


def require_none(found: Look, refuse: Refuse, command: str) -> None:
    """Raise DriftError for what must not pass."""
    refused = found.refused(refuse)
    if refused:
        told = listed([*refused, *(each for each in found.differences if each not in refused)])
        raise DriftError(
            f"{command}: the structure is not the one that {found.revision} left: {told}; expected no "
            "change by other hands. Undo it, or take the structure as it is with one run under "
            "MIGRATION_REFUSE_DRIFT=never (bluegreen:refuseDrift); nothing was changed"
        )


def store(connection: Connection, version: str) -> Structure | None:
    """Store the structure as it is now, and answer it; None where a table was locked for somebody alone."""
    live = _read(connection, 0, None)
    if live is None:
        return None
    revisions = [entry.revision for entry in history.entries(connection) if entry.phase in ("expand", "contract")]
    connection.execute(
        "INSERT INTO schema_structure (revisions, fingerprint, structure, version) VALUES (%s, %s, %s::jsonb, %s)"
        " ON CONFLICT (one) DO UPDATE SET revisions = excluded.revisions, fingerprint = excluded.fingerprint,"
        " structure = excluded.structure, version = excluded.version, taken_at = clock_timestamp()",
        (revisions, live.fingerprint, json.dumps(live.as_json()), version),
    )
    return live


def listed(differences: Sequence[Difference]) -> str:
    """The first ones on one line."""
    more = f" and {len(differences) - _TOLD} more" if len(differences) > _TOLD else ""
    return ", ".join(str(each) for each in differences[:_TOLD]) + more


def _stored(connection: Connection) -> tuple[Structure | None, list[str]]:
    if not history_tables.columns(connection, "schema_structure"):
        return None, []
    row = connection.execute("SELECT structure, revisions FROM schema_structure").fetchone()
    return (None, []) if row is None else (Structure.of_json(row[0]), list(row[1]))


def _read(connection: Connection, wait: float, say: Say | None) -> Structure | None:
    deadline = time.monotonic() + wait
    said = float("-inf")
    while True:
        try:
            return structure.read(connection)
        except psycopg.errors.LockNotAvailable as error:
            if not wait:
                return None
            who = _holder(connection)
            left = deadline - time.monotonic()
            if left <= 0:
                raise LockNotObtainedError(
                    f"migrations: the structure could not be read within {wait:.0f} s"
                    f"{f': {who.in_full()}' if who else ''}; nothing was changed; run again when that transaction has "
                    "ended, or end it"
                ) from error
            if say and time.monotonic() - said >= _SAY_EVERY_SECONDS:
                said = time.monotonic()
                say(f"waiting to read the structure: {who or 'a table is locked'}; {left:.0f} s left")
            time.sleep(_PAUSE_SECONDS)


def _holder(connection: Connection) -> Blocker | None:
    """Who has a table for himself alone, or waits for it before us."""
    found = Lookout(tables=structure.relations(connection), mode="ACCESS SHARE").find(connection, 0)
    return found[0] if found else None
