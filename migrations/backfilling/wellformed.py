"""Is a backfill's declaration complete, and are its texts SQL? Seen without a database, when the tree is read.

The backfill runs behind the shift, with the image serving already: what is wrong with it must be known before. What
only the database can tell is looked at by the gate, see `fit`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

from migrations.errors import BadTreeError, LintRefusedError
from migrations.linting import rules, squawk
from migrations.linting.syntax import Node, Parsed
from migrations.revision_file import FOLDERS, Revision

TEXTS = ("table", "key", "assign", "todo")
_LONGEST_NAME = 3  # database.schema.table
_EXPECTED: Mapping[str, str] = {
    "todo": "one condition as it stands after WHERE, with no semicolon, and no comment at its end",
    "assign": "`column = expression`, several with commas, as it stands after SET, with no semicolon, and no comment "
    "at its end",
}
# What follows IS or IS NOT and has no node of its own; squawk takes any expression there.
_STATES = frozenset({"null", "true", "false", "unknown", "document"})
_TRIVIA = ("WHITESPACE", "COMMENT")


@dataclass(frozen=True, kw_only=True)
class _Form:
    """A text within a statement. What follows it must still be there: a comment at its end would hide that."""

    revision: Revision
    constant: str
    sql: str


def require(backfills: Sequence[Revision], expands: Collection[str]) -> None:
    """Raises BadTreeError. `expands`: the names of the tree's expand revisions."""
    for revision in backfills:
        _require_complete(revision, expands)
    forms = [form for revision in backfills if not _is_excepted(revision) for form in _forms(revision)]
    # As one text first, which is one process, however many there are.
    if forms and not _is_fine(_parsed("\n".join(form.sql for form in forms)), forms):
        for form in forms:
            if (found := _parsed(form.sql)) is not None and (why := _wrong(found, [form])):
                raise BadTreeError(
                    f"migrations: {place(form.revision)} has `{form.constant}` that is no SQL: {why}; expected "
                    f"{_EXPECTED[form.constant]}; mend it there, or, if PostgreSQL takes it all the same, say so in "
                    f'lint_exceptions = {{"{rules.SYNTAX}": "the reason"}}; nothing was changed'
                )


def place(revision: Revision) -> str:
    """Folder and file, for a message."""
    return f"{FOLDERS[revision.phase]}/{revision.file.name}"


def _require_complete(revision: Revision, expands: Collection[str]) -> None:
    where = f"migrations: {place(revision)}"
    for name in TEXTS:
        if name not in revision.settings:
            raise BadTreeError(f'{where} has no `{name} = "..."`, expected a text; write it there; nothing was changed')
    if not revision.depends_on:
        raise BadTreeError(
            f'{where} has no `needs = "..."`, expected the expand revision that made what it fills; write its name '
            "there; nothing was changed"
        )
    if others := [name for name in revision.depends_on if name not in expands]:
        raise BadTreeError(
            f"{where} has needs {others[0]!r}, which is no expand revision, expected the one that made what it fills; "
            "write its name there; nothing was changed"
        )
    parts = str(revision.settings["table"]).split(".")
    if len(parts) > _LONGEST_NAME or not all(part.strip() for part in parts):
        raise BadTreeError(
            f"{where} has table {revision.settings['table']!r}, expected a name, or schema and name with a dot "
            "between; write it so; nothing was changed"
        )


def _is_excepted(revision: Revision) -> bool:
    """PostgreSQL knows what squawk does not: then it is the gate's look that finds out."""
    excepted = revision.settings.get("lint_exceptions")
    return isinstance(excepted, dict) and rules.SYNTAX in excepted


def _forms(revision: Revision) -> Iterator[_Form]:
    table = ".".join('"' + part.replace('"', '""') + '"' for part in str(revision.settings["table"]).split("."))
    assign, todo = str(revision.settings["assign"]), str(revision.settings["todo"])
    forms = {
        "todo": (
            f"SELECT FROM {table} WHERE ({todo});",
            f"SELECT {todo};",  # one whole, and not `a) OR (b`
        ),
        "assign": (f"UPDATE {table} SET {assign} FROM chosen WHERE chosen.held RETURNING true;",),  # noqa: S608
    }
    for constant, statements in forms.items():
        for statement in statements:
            yield _Form(revision=revision, constant=constant, sql=statement)


@cache
def _parsed(sql: str) -> Parsed | None:
    """None where there is no parser: a service must start all the same, and the lint lets nothing run without it."""
    try:
        return squawk.parse(sql)
    except LintRefusedError:
        return None


def _is_fine(found: Parsed | None, forms: Sequence[_Form]) -> bool:
    return found is None or not _wrong(found, forms)


def _wrong(found: Parsed, forms: Sequence[_Form]) -> str:
    """Why these are not the statements that were written; empty where they are."""
    if found.errors:
        return found.errors[0]
    if [node.text for node in found.statements] != [form.sql.strip() for form in forms]:
        return "it ends its statement, or begins another"
    return next((why for node in found.statements for why in _odd(node)), "")


def _odd(statement: Node) -> Iterator[str]:
    """What squawk lets pass and PostgreSQL does not."""
    for node in statement.all("BIN_EXPR"):
        parts = [child for child in node.children if child.kind not in _TRIVIA]
        for operator, operand in pairwise(parts):
            if operator.kind in ("IS_KW", "IS_NOT") and operand.text.split()[0].lower() not in _STATES:
                yield "IS is followed by something else than NULL, TRUE, FALSE or UNKNOWN"
