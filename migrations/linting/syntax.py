"""PostgreSQL's syntax as squawk's parser sees it: a tree of nodes, each with its kind and its text.

Squawk prints a line for each node, indented by depth: `KIND@FROM..TO`, byte offsets into what it was given. The text of
a token follows, quoted as Rust quotes it; it is not read, as the offsets say the same without quoting.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_NODE = re.compile(r"(?P<indent> *)(?P<kind>[A-Z][A-Z0-9_]*)@(?P<start>\d+)\.\.(?P<end>\d+)(?: \".*\")?")
_ERROR = re.compile(r"ERROR@[0-9:]+ \"(?P<message>.*)\"")
_TREE_ENDS = "---"
_TRIVIA = frozenset({"WHITESPACE", "COMMENT"})
_QUOTED_FOR_NOTHING = re.compile(r'"([a-z_][a-z0-9_$]*)"')


class SyntaxFormError(ValueError):
    """Squawk printed something else than a tree."""


@dataclass(frozen=True)
class Node:
    """A part of a statement."""

    kind: str
    start: int
    end: int
    source: bytes = field(repr=False)
    children: list[Node] = field(default_factory=list)

    @property
    def text(self) -> str:
        """As it was written."""
        return self.source[self.start : self.end].decode()

    def walk(self) -> Iterator[Node]:
        """This node and all below it, in the order of the text."""
        yield self
        for child in self.children:
            yield from child.walk()

    def all(self, *kinds: str) -> Iterator[Node]:
        """The nodes of these kinds, this one included."""
        return (node for node in self.walk() if node.kind in kinds)

    def has(self, *kinds: str) -> bool:
        """Is there a node of one of these kinds?"""
        return next(self.all(*kinds), None) is not None

    def child(self, *kinds: str) -> Node | None:
        """The first node of these kinds right below."""
        return next((node for node in self.children if node.kind in kinds), None)

    @property
    def name(self) -> str:
        """The text as a name: as PostgreSQL would write it, without schema `public`."""
        parts = [_folded(node.text) for node in self.all("IDENT")] or [_folded(self.text.strip())]
        return ".".join(parts[1:] if parts[0] == "public" and len(parts) > 1 else parts)


def _folded(word: str) -> str:
    """As the catalog has it: PostgreSQL folds a name to lower case, unless it is quoted."""
    if plain := _QUOTED_FOR_NOTHING.fullmatch(word):
        return plain[1]
    return word if word.startswith('"') else word.lower()


@dataclass(frozen=True)
class Parsed:
    """Statements, and what is wrong with them."""

    statements: tuple[Node, ...]
    errors: tuple[str, ...]


def read(sql: str, printed: str) -> Parsed:
    """What squawk printed for this SQL. Raises SyntaxFormError."""
    source = sql.encode()
    tree, _, rest = printed.partition(f"\n{_TREE_ENDS}\n")
    root = _tree(source, tree)
    errors = tuple(match["message"] for line in rest.splitlines() if (match := _ERROR.match(line)))
    if _TREE_ENDS in rest.splitlines() or (rest.strip() and not errors):
        raise SyntaxFormError("its list of errors has another form")
    if root.has("ERROR") and not errors:
        raise SyntaxFormError("a tree with an error and no list of errors")
    statements = tuple(node for node in root.children if node.kind not in {*_TRIVIA, "EMPTY_STMT"})
    return Parsed(statements=statements, errors=errors)


def _tree(source: bytes, printed: str) -> Node:
    path: list[Node] = []
    for line in printed.splitlines():
        if not line:
            continue
        match = _NODE.fullmatch(line)
        if match is None:
            raise SyntaxFormError("a line that names no node")
        depth = len(match["indent"]) // 2
        node = Node(match["kind"], int(match["start"]), int(match["end"]), source)
        _require_fits(path, depth, node)
        del path[depth:]
        if path:
            path[-1].children.append(node)
        path.append(node)
    if not path or path[0].kind != "SOURCE_FILE" or path[0].end != len(source):
        raise SyntaxFormError("the tree does not cover what was given")
    return path[0]


def _require_fits(path: list[Node], depth: int, node: Node) -> None:
    if depth > len(path) or (depth == 0 and path):
        raise SyntaxFormError("a node without one above it")
    if depth and not path[depth - 1].start <= node.start <= node.end <= path[depth - 1].end:
        raise SyntaxFormError("a node that lies outside of the one above it")
