"""What a revision reads beside its own file: files that it opens, and modules of the project that it imports.

The checksum that tells an edited revision is of its own file. What it takes from elsewhere could change after it was
applied, and nobody would be told; so the lint refuses it. The files are seen as Python opens them, whatever opens them.
"""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from importlib.machinery import all_suffixes
from pathlib import Path

_opened: ContextVar[list[str] | None] = ContextVar("opened", default=None)
_hooked: list[bool] = []
_INSTALLED = tuple({sys.prefix, sys.base_prefix, sys.exec_prefix})
_SPECIAL = ("/dev/", "/proc/", "/sys/")
_PROJECT = Path(__file__).parents[2]
_ALLOWED = ("migrations.concurrently",)


@contextmanager
def opened() -> Iterator[list[str]]:
    """The files that are opened while this is open, without Python's own and those of installed packages."""
    if not _hooked:  # such a hook stays for as long as the process lives
        _hooked.append(True)
        sys.addaudithook(_hook)
    found: list[str] = []
    token = _opened.set(found)
    try:
        yield found
    finally:
        _opened.reset(token)


def _hook(event: str, arguments: tuple[object, ...]) -> None:
    if event != "open" or (found := _opened.get()) is None or isinstance(arguments[0], int | None):
        return
    path = os.path.abspath(os.fsdecode(arguments[0]))  # type: ignore[arg-type]  # noqa: PTH100  (no Path in a hook)
    # A module that is imported is looked at by its name.
    if not path.startswith((*_INSTALLED, *_SPECIAL)) and not path.endswith(tuple(all_suffixes())):
        found.append(os.path.basename(path))  # noqa: PTH119


def imported(module: ast.Module) -> Iterator[str]:
    """Modules of this project that the file imports; the operations that it is meant to use are none of it."""
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            names = [one.name for one in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{'.' * node.level}{node.module or ''}.{one.name}" for one in node.names]
        else:
            continue
        yield from (name for name in names if _is_of_the_project(name))


def _is_of_the_project(name: str) -> bool:
    if any(name == one or name.startswith(f"{one}.") for one in _ALLOWED):
        return False
    top = name.partition(".")[0]
    return not top or (_PROJECT / top).is_dir() or (_PROJECT / f"{top}.py").is_file()
