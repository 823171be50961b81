"""The constants of a revision file, from its syntax. A gate depends on each: one that can't be read is refused.

They are read without running the file, so each must be a literal at the top level, assigned once. A name that nobody
knows is most likely one that is misspelt; the author's own names are upper-case or begin with an underscore.
"""

from __future__ import annotations

import ast
import difflib
from collections.abc import Callable, Iterator, Mapping

from migrations import revision_limits
from migrations.errors import BadTreeError


def _text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _names(value: object) -> bool:
    return value is None or _text(value) or (isinstance(value, tuple | list) and all(_text(one) for one in value))


_TEXT = (_text, 'a text, such as "..."')
_NAMES = (_names, 'names of revisions, such as "e0001" or ("e0001", "e0002")')
_TIME = (lambda value: revision_limits.seconds(value) is not None, revision_limits.TIME_EXPECTED)
_ANYTHING: Callable[[object], bool] = lambda _: True  # noqa: E731

_Kind = tuple[Callable[[object], bool], str]
_ALEMBICS: Mapping[str, _Kind] = {
    "revision": _TEXT,
    "down_revision": (lambda value: value is None or _text(value), "one name or None"),
    "branch_labels": _NAMES,
    "depends_on": _NAMES,
}
_OF_ALL: Mapping[str, _Kind] = {
    **_ALEMBICS,
    # What is in it is the lint's to judge, which tells more of it.
    "lint_exceptions": (_ANYTHING, '{"rule": "the reason"}'),
}
_MOVED: Mapping[str, _Kind] = {
    **_OF_ALL,
    # Found when the revision's turn comes, they would end a gate that has applied others already.
    "tables": (revision_limits.are_tables, revision_limits.TABLES_EXPECTED),
    "lock_mode": (revision_limits.is_mode, revision_limits.MODE_EXPECTED),
    "lock_timeout": _TIME,
    "statement_timeout": _TIME,
    "outside_transaction": (lambda value: isinstance(value, bool), "True or False"),
}
_BY_PHASE: Mapping[str, Mapping[str, _Kind]] = {
    "expand": _MOVED,
    "contract": {**_MOVED, "needs_backfills": _NAMES},
    "backfill": {
        **_OF_ALL, "needs": _NAMES, "table": _TEXT, "key": _TEXT, "assign": _TEXT, "todo": _TEXT,
    },
}  # fmt: skip
KNOWN = frozenset(name for names in _BY_PHASE.values() for name in names)
_UNREADABLE = (ValueError, TypeError, SyntaxError, MemoryError, RecursionError)


def read(module: ast.Module, where: str, phase: str) -> dict[str, object]:
    """All literals of the file's top level. Raises BadTreeError."""
    found: dict[str, object] = {}
    for node in module.body:
        name, value = _plain(node)
        if name and value is not None:
            try:
                found[name] = ast.literal_eval(value)
            except _UNREADABLE:
                if name in KNOWN:
                    raise BadTreeError(
                        f"migrations: {where} line {node.lineno}: {name} is not a literal, and it is read without "
                        f"running the file; expected {_expected(name, phase)}; write the value itself"
                    ) from None
    _require_plain(module, where)
    for name, literal in found.items():
        _require_fit(name, literal, where, phase)
    return found


def _plain(node: ast.stmt) -> tuple[str, ast.expr | None]:
    target = None
    if isinstance(node, ast.Assign) and len(node.targets) == 1:
        target = node.targets[0]
    elif isinstance(node, ast.AnnAssign):
        target = node.target
    return (target.id, node.value) if isinstance(target, ast.Name) else ("", None)  # type: ignore[attr-defined]


def _require_plain(module: ast.Module, where: str) -> None:
    """Each known name is bound once, and by nothing else than `name = value` at the top level."""
    plain = [node for node in module.body if _plain(node)[1] is not None]
    targets = {id(getattr(node, "target", None) or node.targets[0]) for node in plain}  # type: ignore[attr-defined]
    seen: set[str] = set()
    for name, line, node in _bindings(module):
        if name in KNOWN and (id(node) not in targets or name in seen):
            raise BadTreeError(
                f"migrations: {where} line {line} sets {name} in another way than once by `{name} = ...` at the top "
                "level, where it is read without running the file; write it so"
            )
        if name not in KNOWN and isinstance(node, ast.Name) and not _is_own(name):
            near = difflib.get_close_matches(name.lower(), sorted(KNOWN), n=1, cutoff=0)[0]
            raise BadTreeError(
                f"migrations: {where} line {line} sets {name}, which means nothing here; the nearest name that does is "
                f"{near}; write that, or make a name of your own upper-case or begin it with an underscore"
            )
        seen.add(name)


def _is_own(name: str) -> bool:
    return name.startswith("_") or (name[0].isupper() and name.lower() not in KNOWN) or name.isupper()


def _bindings(node: ast.AST) -> Iterator[tuple[str, int, ast.AST]]:
    """Names that the file's own scope is given, with line and node."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield child.name, child.lineno, child
        elif isinstance(child, ast.Import | ast.ImportFrom):
            for one in child.names:
                yield one.asname or one.name.partition(".")[0], child.lineno, child
        elif isinstance(child, ast.Name) and not isinstance(child.ctx, ast.Load):
            yield child.id, child.lineno, child
        elif not isinstance(child, ast.Lambda | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
            yield from _bindings(child)


def _require_fit(name: str, value: object, where: str, phase: str) -> None:
    if name not in KNOWN:
        return
    kind = _BY_PHASE[phase].get(name)
    if kind is None:
        having = " and ".join(each for each, names in _BY_PHASE.items() if name in names)
        raise BadTreeError(f"migrations: {where} has {name}, which means nothing in {phase}; it belongs in {having}")
    if not kind[0](value):
        raise BadTreeError(
            f"migrations: {where} has {name} {value!r}, expected {kind[1]}; write it so; nothing was changed"
        )


def _expected(name: str, phase: str) -> str:
    kind = _BY_PHASE[phase].get(name)
    return kind[1] if kind else f"no {name} in {phase}"
