"""One revision file, read without running it: its constants and its checksum.

The service asks for the tree at its start too, so nothing here imports Alembic or SQLAlchemy.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from migrations import revision_constants, revision_rules
from migrations.errors import BadTreeError

Phase = Literal["expand", "contract", "backfill"]
FOLDERS: Mapping[Phase, str] = {"expand": "expand", "contract": "contract", "backfill": "backfills"}
CHECKSUM_LENGTH = 16
NAME_LENGTH = 32  # of the column that Alembic keeps the name in; a backfill is not Alembic's


@dataclass(frozen=True, kw_only=True)
class Revision:
    """One revision file. Its phase is the folder it lies in."""

    revision: str
    phase: Phase
    down_revision: str | None
    depends_on: tuple[str, ...]  # revisions of another phase, in Alembic's words
    needs_backfills: tuple[str, ...]  # contract: backfills that must be complete
    outside_transaction: bool  # its statements are committed one by one, so it may be left half done
    file: Path
    checksum: str
    settings: Mapping[str, object]  # all plain constants of the file


def read_revision(file: Path, phase: Phase) -> Revision:
    """Read one file. Raises BadTreeError."""
    where = f"{FOLDERS[phase]}/{file.name}"
    module = _parse(file, where)
    constants = revision_constants.read(module, where, phase)
    name, down = constants.get("revision"), constants.get("down_revision")
    if not isinstance(name, str) or not name:
        raise BadTreeError(f'migrations: {where} has no `revision = "..."`, expected one')
    if len(name) > NAME_LENGTH and phase != "backfill":
        raise BadTreeError(
            f"migrations: {where} has a revision of {len(name)} characters, {name}; expected at most {NAME_LENGTH}, "
            "which is what alembic_version holds; shorten it (the file's name may be as long as you like)"
        )
    if down is not None and not isinstance(down, str):
        raise BadTreeError(f"migrations: {where} has down_revision {down!r}, expected one name or None")
    outside = constants.get(revision_rules.CONSTANT) is True
    revision_rules.require_declared(module, where, outside=outside)
    return Revision(
        revision=name,
        phase=phase,
        down_revision=down,
        depends_on=_names(constants.get("depends_on")) + _names(constants.get("needs")),
        needs_backfills=_names(constants.get("needs_backfills")),
        outside_transaction=outside,
        file=file,
        checksum=_checksum(module),
        settings=constants,
    )


def _parse(file: Path, where: str) -> ast.Module:
    try:
        return ast.parse(file.read_text(encoding="utf-8"), str(file))
    except (SyntaxError, ValueError) as error:
        raise BadTreeError(f"migrations: {where} is not Python: {error}") from error


def _names(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    return tuple(str(name) for name in value) if isinstance(value, list | tuple) else ()


class _WithoutDocstrings(ast.NodeTransformer):
    """What a revision does, without what it says about itself."""

    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [one for one in body if not _is_text(one)]  # type: ignore[attr-defined]
        return node


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _checksum(module: ast.Module) -> str:
    """Of what the file does: comments, layout and docstrings may be mended after it was applied."""
    text = _stable(_WithoutDocstrings().visit(module))
    return hashlib.sha256(text.encode()).hexdigest()[:CHECKSUM_LENGTH]


def _stable(node: object) -> str:
    """The tree as text that is the same in every Python; `ast.dump` has changed what it says of empty fields."""
    if isinstance(node, ast.AST):
        fields = ((name, getattr(node, name, None)) for name in node._fields if name not in ("type_comment", "kind"))
        inner = ",".join(f"{name}={_stable(value)}" for name, value in fields if value not in (None, []))
        return f"{type(node).__name__}({inner})"
    if isinstance(node, list):
        return "[" + ",".join(_stable(one) for one in node) + "]"
    return repr(node)
