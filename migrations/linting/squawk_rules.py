"""Squawk's findings, by revision and statement.

It reads the SQL of the whole tree in one go, as it knows from one transaction what an earlier one has proved: a CHECK
that was validated spares SET NOT NULL its scan. But it also takes whatever that SQL makes for new, and lets it be
shaped freely, while an earlier revision made it long ago and a version that is live uses it. So each revision is read
alone once more, and the proof is all that the others count for.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from migrations.linting import rules, squawk
from migrations.linting.own import Hit
from migrations.linting.sql import RevisionSql, Statement

_PROVED = "adding-not-nullable-field"


@dataclass(frozen=True)
class _Place:
    """What a line of the file belongs to."""

    revision: str
    statement: Statement | None  # None: the begin or end of a transaction
    line: int  # within the statement, from 0


def findings(whole: Sequence[RevisionSql], asked: Collection[str]) -> Mapping[str, list[Hit]]:
    """What squawk says of the asked ones of these revisions, which follow each other. Raises LintRefusedError."""
    readable = [sql for sql in whole if not sql.errors]  # what is no SQL would hide what there is to say of the others
    found: dict[str, list[Hit]] = {}
    for name, hit in _read(readable):
        found.setdefault(name, []).append(hit)
    for sql in readable:
        name = sql.revision.revision
        if name in asked:
            alone = [hit for _, hit in _read([sql], alone=True) if hit.rule != _PROVED]
            found[name] = list(dict.fromkeys((*found.get(name, []), *alone)))
    return found


def _read(whole: Sequence[RevisionSql], *, alone: bool = False) -> Iterator[tuple[str, Hit]]:
    """alone: without what is made only where it is not there: it may be there, and is no new thing then."""
    lines: list[str] = []
    places: list[_Place] = []
    for sql in whole:
        for text, statement in _texts(
            [one for one in sql.statements if not (alone and one.node.child("IF_NOT_EXISTS"))]
        ):
            added = text.split("\n")
            lines += added
            places += [_Place(sql.revision.revision, statement, number) for number in range(len(added))]
    raws = squawk.find("\n".join(lines) + "\n", include=rules.SQUAWKS, exclude=rules.LEFT_OUT, server=rules.SERVER)
    for raw in raws:
        place = places[raw.line]
        if not _old_writers_unharmed(raw, place):
            number = place.statement.number if place.statement else None
            yield place.revision, Hit(rule=raw.rule, statement=number, message=raw.message)


def _texts(statements: Sequence[Statement]) -> list[tuple[str, Statement | None]]:
    """The statements, with the begin and end of each transaction as squawk must see them."""
    texts: list[tuple[str, Statement | None]] = []
    at: int | None = None
    for statement in statements:
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
