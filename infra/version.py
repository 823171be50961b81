"""The version of what a build context holds: a name made from the content, the same on every machine.

What counts is what `docker build` would send: the files that `.dockerignore` lets through. A change outside of it
makes no new version, and so no build and no release.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

VERSION_LENGTH: Final = 12


def content_version(context: Path) -> str:
    """The first 12 hex digits of a SHA-256 over path, executable bit and content of every file, in order of the paths.

    Raises ValueError when the context holds no file, and OSError when one can't be read.
    """
    digest = hashlib.sha256()
    files = context_files(context)
    if not files:
        raise ValueError(
            f"context {str(context)!r}: no file to build an image from; expected some that .dockerignore lets through"
        )
    for path in files:
        for part in (path.as_posix().encode(), *_content(context / path)):
            # The length before each part: without it, moving a byte from a name to its content would change nothing.
            digest.update(len(part).to_bytes(8, "big"))
            digest.update(part)
    return digest.hexdigest()[:VERSION_LENGTH]


def context_files(context: Path) -> list[PurePosixPath]:
    """The files and symbolic links that `.dockerignore` lets through, sorted by path."""
    rules = _rules(context / ".dockerignore")
    return sorted(_walk(context, PurePosixPath(), rules))


@dataclass(frozen=True)
class _Rule:
    pattern: re.Pattern[str]
    keep: bool


def _content(path: Path) -> tuple[bytes, bytes]:
    if path.is_symlink():
        return b"link", os.readlink(path).encode()  # noqa: PTH115 - the text of the link, not a path to follow
    executable = path.stat().st_mode & 0o100
    return (b"run" if executable else b"file"), path.read_bytes()


def _walk(context: Path, folder: PurePosixPath, rules: list[_Rule]) -> Iterator[PurePosixPath]:
    for entry in (context / folder).iterdir():
        path = folder / entry.name
        if entry.is_dir() and not entry.is_symlink():
            # An ignored folder may hold what a later "!" rule lets back in; with no such rule it isn't even opened.
            if not _ignored(path, rules) or any(rule.keep for rule in rules):
                yield from _walk(context, path, rules)
        elif not _ignored(path, rules):
            yield path


def _ignored(path: PurePosixPath, rules: list[_Rule]) -> bool:
    """As Docker decides: the last rule that matches the path or one of its folders wins."""
    names = [path.as_posix(), *(parent.as_posix() for parent in path.parents if parent != PurePosixPath())]
    for rule in reversed(rules):
        if any(rule.pattern.fullmatch(name) for name in names):
            return not rule.keep
    return False


def _rules(ignore_file: Path) -> list[_Rule]:
    if not ignore_file.is_file():
        return []
    rules = []
    for raw in ignore_file.read_text(encoding="utf-8-sig").splitlines():
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        keep, line = line.startswith("!"), line.removeprefix("!").strip()
        cleaned = os.path.normpath(line).lstrip("/")
        # "." matches nothing by Docker's rules: it would exclude the context itself.
        if cleaned and cleaned != ".":
            rules.append(_Rule(re.compile(_regex(cleaned)), keep))
    return rules


def _regex(pattern: str) -> str:
    """Go's filepath.Match, to which Docker adds "**" for any number of folders."""
    tokens = re.findall(r"\*\*/|\*\*|\*|\?|\[\^?[^\]]+\]|\\.|.", pattern, flags=re.DOTALL)
    return "".join(_TOKENS.get(token) or _literal(token) for token in tokens)


_TOKENS: Final = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}


def _literal(token: str) -> str:
    if len(token) > 1 and token.startswith("["):
        return token
    return re.escape(token.removeprefix("\\") if len(token) > 1 else token)
