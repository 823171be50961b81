"""The SQL of a revision, as Alembic writes it without a database: one entry for each statement."""

from __future__ import annotations

import ast
import importlib.util
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from psycopg import sql as compose

from migrations.linting import beside, squawk
from migrations.linting.syntax import Node
from migrations.revision_file import Revision

# What a revision asks when its statements depend on the database it runs on.
_DEPENDS = ("get_bind", "is_offline_mode", "as_sql")


@dataclass(frozen=True, kw_only=True)
class Statement:
    """One statement.

    Attributes:
        number: from 1 within the revision.
        transaction: from 1; None for a statement of an autocommit block.
        node: as the parser reads it.
    """

    number: int
    sql: str
    transaction: int | None
    node: Node = field(repr=False)

    def as_json(self) -> dict[str, Any]:
        """For a report."""
        return {"number": self.number, "sql": self.sql, "transaction": self.transaction}


@dataclass(frozen=True, kw_only=True)
class RevisionSql:
    """What a revision would run.

    Attributes:
        unseen: why it is not all of it; empty where it is.
        errors: what the parser says where the SQL is none.
        python_defaults: columns that are added with a default that only Python knows, as `table.column`.
        reads: files and modules beside its own that it takes something from.
    """

    revision: Revision
    statements: tuple[Statement, ...] = ()
    unseen: str = ""
    errors: tuple[str, ...] = ()
    python_defaults: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Piece:
    text: str
    transaction: int | None


def render(revision: Revision) -> RevisionSql:
    """The statements of a revision. Raises LintRefusedError where there is no parser."""
    if revision.phase == "backfill":
        return _backfill(revision)
    recorder = _Recorder()
    module = ast.parse(revision.file.read_text(encoding="utf-8"))
    unseen = _asks_the_database(module)
    try:
        with beside.opened() as reads:
            recorder.run(load(revision))
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a SystemExit too: it would end the lint, and with 0
        unseen = unseen or f"without a database it ends with {type(error).__name__}: {_first_line(error)}"
    statements, errors = _split(recorder.pieces)
    return RevisionSql(
        revision=revision,
        statements=statements,
        unseen=unseen,
        errors=errors,
        python_defaults=tuple(recorder.python_defaults),
        reads=tuple(dict.fromkeys((*reads, *beside.imported(module)))),
    )


def _backfill(revision: Revision) -> RevisionSql:
    """What it does to the rows, without its batches; nothing where a text is missing, which refuses it elsewhere."""
    texts = [str(revision.settings.get(name) or "").strip() for name in ("table", "assign", "todo")]
    if not all(texts):
        return RevisionSql(revision=revision)
    name, assign, todo = texts
    table = compose.Identifier(*name.split(".")).as_string()
    statements, errors = _split([_Piece(f"UPDATE {table} SET {assign} WHERE {todo};\n", 1)])  # noqa: S608  (for reading)
    return RevisionSql(revision=revision, statements=statements, errors=errors)


class _Recorder:
    """An Alembic context that writes SQL, and notes each piece of it with the transaction it is in."""

    def __init__(self) -> None:
        self.pieces: list[_Piece] = []
        self.python_defaults: list[str] = []
        self._begun = 0
        self._inside = False
        self._context = MigrationContext.configure(
            dialect_name="postgresql",
            # "named": with the driver's own style each % of a statement would be doubled.
            dialect_opts={"paramstyle": "named"},
            opts={"as_sql": True, "output_buffer": io.StringIO(), "transaction_per_migration": True},
        )
        impl = self._context.impl
        impl.static_output = self._note
        impl.emit_begin = self._begin
        impl.emit_commit = self._commit
        self._add_column = impl.add_column
        impl.add_column = self._look_at_column

    def run(self, module: ModuleType) -> None:
        with Operations.context(self._context), self._context.begin_transaction(_per_migration=True):
            module.upgrade()

    def _begin(self) -> None:
        self._begun += 1
        self._inside = True

    def _commit(self) -> None:
        self._inside = False

    def _note(self, text: str) -> None:
        self.pieces.append(_Piece(f"{text}\n", self._begun if self._inside else None))

    def _look_at_column(self, table_name: str, column: Any, **more: Any) -> None:
        if column.default is not None and column.server_default is None:
            self.python_defaults.append(f"{table_name}.{column.name}")
        self._add_column(table_name, column, **more)


def _split(pieces: list[_Piece]) -> tuple[tuple[Statement, ...], tuple[str, ...]]:
    """One entry for each statement: a call of `op.execute` may hold several."""
    parsed = squawk.parse("".join(piece.text for piece in pieces))
    ends = list(_ends(pieces))
    found = []
    for number, node in enumerate(parsed.statements, 1):
        transaction = next(piece.transaction for end, piece in ends if node.start < end)
        found.append(Statement(number=number, sql=node.text.rstrip("; \n"), transaction=transaction, node=node))
    return tuple(found), parsed.errors


def _ends(pieces: list[_Piece]) -> Iterator[tuple[int, _Piece]]:
    at = 0
    for piece in pieces:
        at += len(piece.text.encode())
        yield at, piece


def load(revision: Revision) -> ModuleType:
    """The revision's module, run anew."""
    spec = importlib.util.spec_from_file_location(f"revision_{revision.file.stem}", revision.file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{revision.file.name} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _asks_the_database(module: ast.Module) -> str:
    for node in ast.walk(module):
        word = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
        if word in _DEPENDS:
            return f"what it runs depends on the database ({word} in line {getattr(node, 'lineno', 0)})"
    return ""


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [""])[0][:200]
