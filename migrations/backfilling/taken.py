"""Backfills on record as complete whose rows can't be looked for any more, as a contract took away what they name.

A contract may drop what another backfill's `todo` reads, and a later contract may need that backfill. Its query can't
run then, and there is nothing to run it for. It was recorded when a count found no row left, with what it names still
there, so before the contract; the contract ran when nothing lived that did not know it; and a row that somebody wrote
since could be told from no other, and be filled from nothing. So it counts as complete. Should a row be wrong all the
same, the contract that is next has its own say: a NOT NULL or a CHECK refuses it, in its transaction.

Whatever else took the name away (another hand, an expand) is no such proof, and holds the contract back.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import psycopg

from migrations import server_errors
from migrations.backfilling.declaration import Declaration
from migrations.backfilling.wellformed import place
from migrations.rule import Applied
from migrations.told import told as in_words
from migrations.tree import Revision, Tree

# A column, a table, a function, a type or a schema that is not there.
_NOT_THERE = frozenset({"42703", "42P01", "42883", "42704", "3F000"})


def by_contract(tree: Tree, applied: Applied, revision: Revision, error: BaseException | None) -> str | None:
    """The applied or begun contract that explains the error; None where none does, or it was never complete."""
    if revision.revision not in applied.backfill or not isinstance(error, psycopg.Error):
        return None
    if not is_not_there(error):
        return None
    declared = Declaration.of(revision)
    return next((name for name, gone in _removed(tree, applied) if _names(declared, gone)), None)


def is_not_there(error: BaseException | None) -> bool:
    """Does the server miss something that is named?"""
    return isinstance(error, psycopg.Error) and error.sqlstate in _NOT_THERE


def told(revision: Revision, contract: str) -> str:
    """For people."""
    return (
        f"backfill {revision.revision} is complete: what its `todo` names was removed by contract {contract}, after "
        "its last row was filled; there is nothing to look for any more"
    )


def unasked(revision: Revision, error: psycopg.Error) -> str:
    """Of a query that fails, and no contract explains it."""
    if (advice := server_errors.refusal(error)) is not None:
        return f"whether rows are left can't be asked: {server_errors.named(error)}; {advice}"
    words = in_words(error, revision.file.read_text())
    return (
        f"whether rows are left can't be asked: {words}; expected that the `todo` of {place(revision)} runs as it did "
        "when it was recorded as complete, or that an applied contract removed what it names; put back what is missing"
    )


def _removed(tree: Tree, applied: Applied) -> Iterator[tuple[str, tuple[str, str, str]]]:
    """Contract, and kind, name and table of each thing that it removed."""
    # Alembic takes a while to load: only where a query failed.
    from migrations.contracting.removals import removals
    from migrations.linting import sql

    for contract in tree.contract:
        if contract.revision in applied.removing:
            for statement in sql.render(contract).statements:
                for one in removals(statement.node):
                    yield contract.revision, (one.kind, _plain(one.name), _plain(one.table))


def _names(declared: Declaration, gone: tuple[str, str, str]) -> bool:
    """Does the query name it? Of a column, its table too."""
    kind, name, table = gone
    own = _plain(declared.table)
    if kind.endswith("column"):
        return _has(declared.todo, name) and (table == own or _has(declared.todo, table))
    return kind != "rows" and (name == own or _has(declared.todo, name))


def _plain(name: str) -> str:
    return name.replace('"', "").partition("(")[0].strip().removeprefix("public.")


def _has(text: str, name: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text.replace('"', ""), re.IGNORECASE) is not None
