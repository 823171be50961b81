"""What a revision file must declare of itself, seen in its syntax: does it leave its transaction, and how?

A revision that runs outside a transaction may be left half done. It must say so, and each of its statements must be
safe to run again, which the operations of `migrations.concurrently` are and Alembic's are not.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from migrations.errors import BadTreeError

CONSTANT = "outside_transaction"
OPERATIONS = "concurrently"
# What PostgreSQL refuses in a transaction. REFRESH MATERIALIZED VIEW CONCURRENTLY is none of it.
_CONCURRENTLY = re.compile(
    r"\b(?:INDEX|TABLE|SCHEMA|DATABASE|SYSTEM)\s+CONCURRENTLY\b|\bDETACH\s+PARTITION\s+\S+\s+CONCURRENTLY\b",
    re.IGNORECASE,
)


def require_declared(module: ast.Module, where: str, *, outside: bool) -> None:
    """Raises BadTreeError where `outside_transaction` and what the code does do not go together."""
    leaves = next(_leaves_transaction(module), None)
    if leaves is not None and not outside:
        raise BadTreeError(
            f"migrations: {where} line {leaves.lineno} leaves its transaction, and {CONSTANT} is not set, so a run "
            f"that is killed there would leave no mark; set `{CONSTANT} = True` and use the operations of "
            f"migrations.{OPERATIONS}, in a revision of its own"
        )
    if outside and (used := _alembic(module)) is not None:
        raise BadTreeError(
            f"migrations: {where} line {used.lineno} uses Alembic's {used.id} outside a transaction, where a statement "
            f"is not undone when the run is killed; use the operations of migrations.{OPERATIONS}, which are safe to "
            f"run again ({OPERATIONS}.once for a statement that has none), and put the rest into a revision of its own"
        )
    if outside and leaves is None:
        raise BadTreeError(
            f"migrations: {where} has {CONSTANT} = True and no operation of migrations.{OPERATIONS}; remove the "
            "constant"
        )


def _leaves_transaction(module: ast.Module) -> Iterator[ast.expr]:
    own, texts = _names(module, f"migrations.{OPERATIONS}"), _docstrings(module)
    for node in ast.walk(module):
        if (
            (isinstance(node, ast.Attribute) and node.attr == "autocommit_block")
            or (isinstance(node, ast.Name) and node.id in own)
            or (isinstance(node, ast.Constant) and node not in texts and _CONCURRENTLY.search(str(node.value)))
        ):
            yield node
        elif isinstance(node, ast.keyword) and node.arg == "postgresql_concurrently":
            yield node.value


def _alembic(module: ast.Module) -> ast.Name | None:
    """The first use of anything of Alembic's or SQLAlchemy's."""
    names = _names(module, "alembic") | _names(module, "sqlalchemy")
    return next((node for node in ast.walk(module) if isinstance(node, ast.Name) and node.id in names), None)


def _names(module: ast.Module, package: str) -> set[str]:
    """The names under which a file knows a package, or what is in it."""
    found: set[str] = set()
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            found |= {one.asname or one.name.partition(".")[0] for one in node.names if _within(one.name, package)}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {
                one.asname or one.name
                for one in node.names
                if _within(node.module, package) or _within(f"{node.module}.{one.name}", package)
            }
    return found


def _within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def _docstrings(module: ast.Module) -> list[ast.expr]:
    """Texts that do nothing."""
    return [node.value for node in ast.walk(module) if isinstance(node, ast.Expr)]
