"""Squawk's findings, by revision and statement.

It reads the SQL of the whole tree in one go, as it knows from one transaction what an earlier one has proved: a CHECK
that was validated spares SET NOT NULL its scan.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from migrations.linting import rules, squawk
from migrations.linting.own import Hit
from migrations.linting.sql import RevisionSql, Statement


@dataclass(frozen=True)
class _Place:
    """What a line of the file belongs to."""

    revision: str
    statement: Statement | None  # None: the begin or end of a transaction
    line: int  # within the statement, from 0


def findings(whole: Sequence[RevisionSql]) -> Mapping[str, list[Hit]]:
    """What squawk says of these revisions, which follow each other. Raises LintRefusedError."""
    lines: list[str] = []
    places: list[_Place] = []
    for sql in whole:
        if sql.errors:  # what is no SQL would hide what there is to say of the others
            continue
        for text, statement in _texts(sql):
            added = text.split("\n")
            lines += added
            places += [_Place(sql.revision.revision, statement, number) for number in range(len(added))]
    found: dict[str, list[Hit]] = {}
    raws = squawk.find("\n".join(lines) + "\n", include=rules.SQUAWKS, exclude=rules.LEFT_OUT, server=rules.SERVER)
    for raw in raws:
        place = places[raw.line]
        if not _old_writers_unharmed(raw, place):
            number = place.statement.number if place.statement else None
            found.setdefault(place.revision, []).append(Hit(rule=raw.rule, statement=number, message=raw.message))
    return found


def _texts(sql: RevisionSql) -> list[tuple[str, Statement | None]]:
    """The statements, with the begin and end of each transaction as squawk must see them."""
    texts: list[tuple[str, Statement | None]] = []
    at: int | None = None
    for statement in sql.statements:
        if statement.transaction != at:
            texts += [("COMMIT;", None)] if at is not None else []
            texts += [("BEGIN;", None)] if statement.transaction is not None else []
            at = statement.transaction
        texts.append((f"{statement.sql};", statement))
    return [*texts, ("COMMIT;", None)] if at is not None else texts


def _old_writers_unharmed(raw: squawk.Raw, place: _Place) -> bool:
    """A restriction on a column that is added with it: who does not know the column writes its default.

    Whether that default is allowed by the restriction is what other rules are about.
    """
    if raw.rule != "ban-new-write-restriction" or place.statement is None:
        return False
    before = "".join(f"{line}\n" for line in place.statement.sql.split("\n")[: place.line])
    at = place.statement.node.start + len(before.encode()) + raw.column
    return any(node.start <= at < node.end for node in place.statement.node.all("ADD_COLUMN"))
