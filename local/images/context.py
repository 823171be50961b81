"""The build context: the files under one folder that `.dockerignore` lets through."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile
from pathlib import Path

_WILDCARD = re.compile(r"[*?\[]")


@dataclass(frozen=True)
class Pattern:
    """One line of `.dockerignore`."""

    text: str
    included: bool

    @cached_property
    def expression(self) -> re.Pattern[str]:
        """The pattern for a whole path."""
        return re.compile(expression(self.text))

    def matches(self, path: str) -> bool:
        """True when the pattern names the path or a folder above it."""
        parts = path.split("/")
        return any(self.expression.fullmatch("/".join(parts[: n + 1])) for n in range(len(parts)))

    def may_match_below(self, folder: str) -> bool:
        """True when a path under the folder might match: the parts before the first wildcard agree."""
        literal = takewhile(lambda part: not _WILDCARD.search(part), self.text.split("/"))
        return all(one == other for one, other in zip(literal, folder.split("/"), strict=False))


class Context:
    """A folder, and the rules of what in it belongs to the build.

    Args:
        root: the folder.
        dockerfile: the Dockerfile; `<dockerfile>.dockerignore` beside it wins over `.dockerignore` of the context.
    """

    def __init__(self, root: Path, dockerfile: Path) -> None:
        self.root = root
        own = dockerfile.with_name(dockerfile.name + ".dockerignore")
        rules = own if own.is_file() else root / ".dockerignore"
        self.patterns = ignore_patterns(rules.read_text()) if rules.is_file() else []

    @cached_property
    def files(self) -> tuple[str, ...]:
        """All files and symbolic links of the context, relative, with `/`, sorted."""
        return tuple(sorted(self._walk("")))

    def _walk(self, folder: str) -> Iterator[str]:
        with os.scandir(self.root / folder) as entries:
            for entry in entries:
                path = f"{folder}/{entry.name}" if folder else entry.name
                ignored = self.ignored(path)
                if entry.is_dir(follow_symlinks=False):
                    if not ignored or self._may_include_below(path):
                        yield from self._walk(path)
                elif not ignored:
                    yield path

    def ignored(self, path: str) -> bool:
        """The last pattern that matches decides."""
        verdict = False
        for pattern in self.patterns:
            if verdict != (not pattern.included) and pattern.matches(path):
                verdict = not pattern.included
        return verdict

    def _may_include_below(self, folder: str) -> bool:
        # Never goes into an ignored .git or virtual environment unless some "!" pattern could reach inside.
        return any(p.included and p.may_match_below(folder) for p in self.patterns)


def ignore_patterns(text: str) -> list[Pattern]:
    """Read a `.dockerignore`; the rules are those of the Docker reference (Go's path matching and `**`)."""
    found = []
    for raw in text.splitlines():
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        included = line.startswith("!")
        body = line.removeprefix("!").strip().strip("/")
        body = "/".join(part for part in body.split("/") if part not in ("", "."))
        if body:
            found.append(Pattern(body, included))
    return found


def expression(pattern: str) -> str:
    """A path pattern (`*`, `?`, `[a-z]`, `**`) as a regular expression for the whole path."""
    out, at = [], 0
    while at < len(pattern):
        if pattern.startswith("**/", at):
            out.append("(?:.*/)?")
            at += 3
        elif pattern.startswith("**", at):
            out.append(".*")
            at += 2
        elif pattern[at] == "[" and "]" in pattern[at + 1 :]:
            end = pattern.index("]", at + 1)
            out.append("[" + pattern[at + 1 : end].replace("\\", "\\\\") + "]")
            at = end + 1
        else:
            out.append({"*": "[^/]*", "?": "[^/]"}.get(pattern[at], re.escape(pattern[at])))
            at += 1
    return "".join(out)
