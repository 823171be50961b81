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
    return sorted(PurePosixPath(path) for path in _walk(context, "", _rules(context / ".dockerignore"), NO_RULE))


@dataclass(frozen=True)
class _Rule:
    """One line: a pattern for whole paths, the same for each of its folders, and whether it lets back in ("!")."""

    pattern: re.Pattern[str]
    parts: tuple[str, ...]
    keep: bool

    def may_match_below(self, folder: str) -> bool:
        """Whether something inside the folder could match, though the folder itself does not."""
        names = folder.split("/")
        for part, name in zip(self.parts, names, strict=False):
            if part == "**":
                return True
            if not re.fullmatch(_regex(part), name):
                return False
        return len(self.parts) > len(names)


NO_RULE: Final = -1


def _content(path: Path) -> tuple[bytes, bytes]:
    if path.is_symlink():
        return b"link", os.readlink(path).encode()  # noqa: PTH115 - the text of the link, not a path to follow
    executable = path.stat().st_mode & 0o100
    return (b"run" if executable else b"file"), path.read_bytes()


def _walk(context: Path, folder: str, rules: list[_Rule], decided: int) -> Iterator[str]:
    """The files below the folder. As Docker decides, the last rule that matches a path or one of its folders wins;
    `decided` is that rule's place for the folder.
    """
    with os.scandir(context / folder) as entries:
        for entry in entries:
            path = f"{folder}{entry.name}"
            last = _last_match(path, rules, decided)
            ignored = last != NO_RULE and not rules[last].keep
            if not entry.is_dir(follow_symlinks=False):
                if not ignored:
                    yield path
            # Most of what is ignored is large: it is opened only if a later "!" may let a part of it back in.
            elif not ignored or any(rule.keep and rule.may_match_below(path) for rule in rules[last + 1 :]):
                yield from _walk(context, f"{path}/", rules, last)


def _last_match(path: str, rules: list[_Rule], decided: int) -> int:
    for place in range(len(rules) - 1, decided, -1):
        if rules[place].pattern.fullmatch(path):
            return place
    return decided


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
            rules.append(_Rule(re.compile(_regex(cleaned)), tuple(cleaned.split("/")), keep))
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
