"""What may be said of an error of PostgreSQL: never what a row holds.

The server quotes values in its messages (`invalid input syntax for type integer: "..."`), and a trigger or a DO block
says whatever it likes under any SQLSTATE. So its sentence is shown only where its code cannot put a value there: the
state is one of those below, and the file of the server's source that raised it is one of the core. Of all else the
type, the SQLSTATE, and the names that the server gives apart from its message. Never its detail, hint or context.
"""

from __future__ import annotations

import re
import traceback
from itertools import pairwise
from pathlib import Path

import psycopg

NOT_SHOWN = "its sentence may hold a row's value and is in the server's own log alone"

# Sentences of these states are fixed, or hold names of relations, columns and constraints only; in a function too.
_FIXED = frozenset({
    "23502", "23503", "23505", "23514", "23P01",  # constraints; the row is in the detail
    "25001", "25006", "25P02", "25P03", "25P04",  # what a transaction may not, or for how long
    "40001", "40P01", "55P03", "57014", "57P01", "57P02", "57P03", "57P05", "53100", "53200", "53300",
})  # fmt: skip
# Sentences of these states hold names and words of the statement. But a name can be made of a value: by the server,
# such as in a cast to regclass, and by the revision, where it composes a statement of what it has read. So each must
# be in a text of ours, which is the file and never the statement that was sent.
_OF_NAMES = ("0A", "2B", "3F", "42", "54", "55")
_CORE = frozenset({
    # waits, ends and space
    "postgres.c", "lock.c", "lmgr.c", "deadlock.c", "proc.c", "predicate.c", "xact.c", "utility.c", "md.c", "fd.c",
    "mcxt.c", "aset.c",
    # rows
    "execMain.c", "execIndexing.c", "execPartition.c", "execExprInterp.c", "domains.c", "ri_triggers.c", "nbtinsert.c",
    "tuplesort.c", "tuplesortvariants.c", "heapam.c", "heapam_handler.c", "nodeModifyTable.c", "nodeLockRows.c",
    # statements
    "scan.l", "gram.y", "analyze.c", "parse_agg.c", "parse_clause.c", "parse_coerce.c", "parse_collate.c",
    "parse_cte.c", "parse_expr.c", "parse_func.c", "parse_node.c", "parse_oper.c", "parse_relation.c",
    "parse_target.c", "parse_type.c", "parse_utilcmd.c", "rewriteDefine.c", "rewriteHandler.c",
    # objects
    "aclchk.c", "alter.c", "cluster.c", "createas.c", "dependency.c", "dropcmds.c", "extension.c", "functioncmds.c",
    "heap.c", "index.c", "indexcmds.c", "namespace.c", "objectaddress.c", "partbounds.c", "pg_constraint.c",
    "pg_enum.c", "pg_proc.c", "pg_type.c", "policy.c", "relation.c", "schemacmds.c", "sequence.c", "statscmds.c",
    "tablecmds.c", "trigger.c", "typecmds.c", "user.c", "view.c",
})  # fmt: skip
_MARKS = '"«„“»”'  # of other languages of the server too
_QUOTED = re.compile(rf"(?<![^\s(])[{_MARKS}](.+?)[{_MARKS}](?![^\s,;:.)])")
_ONE_QUOTED = re.compile(f"[{_MARKS}](.+)[{_MARKS}]")  # "at or near" may quote a string that has marks in it
# What may stand between two names: else a name with marks in it would be taken for two, and a word of it for no name.
_JOINTS = re.compile(
    r"(?:\s(?:|a|an|and|as|at|be|because|belong|by|cannot|child|column|conflicts|constraint|database|does|domain|exist|for|from"
    r"|function|in|index|inherited|is|key|not|of|on|or|overlap|parent|partition|policy|references|relation|role|rule"
    r"|schema|sequence|table|the|to|trigger|type|view|with|would))*"
)
# Where the server writes names without marks: a column with its table, a function before its types.
_UNQUOTED = re.compile(r"\S\.|\.\S|\S\(")
_NAMED = re.compile(
    r"column (.+) does not exist|(?:function|procedure) ([^(]+)\([^()]*\) (?:does not exist|is not unique)"
)


def told(error: BaseException, own: str = "") -> str:
    """Type and sentence, or type, SQLSTATE and names, on one line.

    own: text of ours that the statement was made with, such as the revision's file; what is in it is no row's value.
    """
    cause = cause_of(error)
    shown = sentence(error, own)
    return f"{named(cause)}; {NOT_SHOWN}" if shown is None else f"{type(cause).__name__}: {shown}"


def first_line(error: BaseException, own: str = "") -> str:
    """The sentence alone where it may be shown, else what `told` says."""
    return sentence(error, own) or told(error, own)


def without_rows(error: BaseException) -> str:
    """The first line of any error, of a server that never held a row."""
    cause = cause_of(error)
    primary = cause.diag.message_primary if isinstance(cause, psycopg.Error) else None
    return _line(primary or str(cause)) or type(cause).__name__


def line_in(file: Path, error: BaseException) -> str:
    """`, line 18`: the place in a file that an error came through, where it did."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if Path(frame.filename) == file and frame.lineno]
    return f", line {lines[-1]}" if lines else ""


def named(error: BaseException) -> str:
    """The type, with SQLSTATE and names where PostgreSQL gives them; of no other error more than the type."""
    if not isinstance(error, psycopg.Error):
        return type(error).__name__
    parts = [f"SQLSTATE {error.sqlstate}" if error.sqlstate else "of the driver"]
    if _is_of_the_core(error):  # RAISE ... USING TABLE = ... gives any text as a name
        diag = error.diag
        names = {
            "table": diag.table_name,
            "column": diag.column_name,
            "constraint": diag.constraint_name,
            "type": diag.datatype_name,
        }
        parts += [f"{what} {name}" for what, name in names.items() if name]
    return f"{type(error).__name__} ({', '.join(parts)})"


def sentence(error: BaseException, own: str = "") -> str | None:
    """The server's own sentence; None where it may hold a row's value."""
    cause = cause_of(error)
    if not isinstance(cause, psycopg.Error):
        return None
    if cause.sqlstate is None:
        # No connection, or no more. Other errors of the driver quote what it could not read or write.
        return _line(str(cause)) if isinstance(cause, psycopg.OperationalError) else None
    said = _line(cause.diag.message_primary or "")
    if not said or not _is_of_the_core(cause):
        return None
    return said if cause.sqlstate in _FIXED or _holds_only_names(cause, said, own) else None


def cause_of(error: BaseException) -> BaseException:
    """The server's error, where SQLAlchemy wrapped it."""
    inner = getattr(error, "orig", None)
    return inner if isinstance(inner, psycopg.Error) else error


def _holds_only_names(error: psycopg.Error, said: str, own: str) -> bool:
    diag, state = error.diag, error.sqlstate or ""
    if not state.startswith(_OF_NAMES) or diag.internal_query or diag.context:
        return False
    cut = "\n" in (diag.message_primary or "") or sum(map(said.count, _MARKS)) % 2  # what is quoted has lines, or marks
    if cut or (state == "42601" and not diag.statement_position):
        return False
    marked = list((_ONE_QUOTED if state == "42601" else _QUOTED).finditer(said))
    joints = [said[one.end() : other.start()] for one, other in pairwise(marked)]
    names = [found.group(1) for found in marked] + _without_marks(said)
    return all(_JOINTS.fullmatch(joint) for joint in joints) and all(_has_word(own, name) for name in names)


def _without_marks(said: str) -> list[str]:
    """Names that are not marked as such; all of the sentence where it is none that we know."""
    found = _NAMED.fullmatch(said)
    column, function = found.groups() if found else ("", "")
    if function or (column and column[0] not in _MARKS):
        return [function or column]
    return [said] if _UNQUOTED.search(_QUOTED.sub("", said)) else []


def _is_of_the_core(error: psycopg.Error) -> bool:
    return error.diag.source_file in _CORE


def _has_word(text: str, word: str) -> bool:
    if not any(letter.isalnum() for letter in word):
        return True  # a bracket or a comma
    before = r"(?<!\w)" if word[0].isalnum() else ""
    after = r"(?!\w)" if word[-1].isalnum() else ""
    return re.search(before + re.escape(word) + after, text, re.IGNORECASE) is not None


def _line(text: str) -> str:
    return (text.strip().splitlines() or [""])[0]
