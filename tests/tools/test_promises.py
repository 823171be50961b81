"""Every promise of `docs/promises.md` names what shows it, and that is there."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tools.project import ROOT

PAGE = ROOT / "docs/promises.md"
STEP = "rehearsal: "


@dataclass(frozen=True)
class Row:
    line: int
    promise: str
    shown: tuple[str, ...]


def rows(text: str) -> Iterator[Row]:
    """Of all tables; a row begins with a bar, and the two before the first one of a table are its head."""
    head = 0
    for number, line in enumerate(text.splitlines(), 1):
        if not line.startswith("|"):
            head = 0
            continue
        head += 1
        if head > 2:
            promise, _, shown = line.strip("| ").rpartition(" | ")
            yield Row(number, promise, tuple(re.findall(r"`([^`]+)`", shown)))


def named_in(path: Path) -> set[str]:
    """The tests that pytest finds in a file: functions of the module."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    }


def read_steps(source: str) -> set[str]:
    """The names that the story yields."""
    return {
        str(node.value.elts[0].value)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Yield)
        and isinstance(node.value, ast.Tuple)
        and isinstance(node.value.elts[0], ast.Constant)
    }


def missing(text: str, root: Path, steps: set[str]) -> list[str]:
    """What is wrong with the page, a line each."""
    found = []
    for row in rows(text):
        where = f"line {row.line}"
        if not row.promise or not row.shown:
            found.append(f"{where}: names nothing that shows it")
        for name in row.shown:
            file, _, test = name.partition("::")
            if name.startswith(STEP):
                if name.removeprefix(STEP) not in steps:
                    found.append(f"{where}: the rehearsal has no step {name.removeprefix(STEP)!r}")
            elif not re.fullmatch(r"tests/[\w/]+/test_\w+\.py", file) or not (root / file).is_file():
                found.append(f"{where}: no file of tests {file}")
            elif test not in named_in(root / file):
                found.append(f"{where}: no test {test!r} in {file}")
    return found


@pytest.fixture(scope="module")
def steps() -> set[str]:
    return read_steps((ROOT / "rehearsal/story.py").read_text(encoding="utf-8"))


def test_each_promise_is_shown_by_what_is_there(steps):
    assert missing(PAGE.read_text(encoding="utf-8"), ROOT, steps) == []


def test_every_topic_has_its_table_and_no_row_is_overlooked():
    text = PAGE.read_text(encoding="utf-8")
    topics = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert topics == ["Migrations", "Locks", "Backfills", "Contract", "Lint and preview", "Going back"]
    bars = [line for line in text.splitlines() if line.startswith("|")]
    assert len(list(rows(text))) == len(bars) - 2 * len(topics)
    assert len({row.promise for row in rows(text)}) == len(list(rows(text)))


HEAD = "| promise | shown by |\n|---|---|\n"


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("| it holds | |", "line 3: names nothing that shows it"),
        ("| it holds | a person who looked |", "line 3: names nothing that shows it"),
        ("| it holds | `tests/tools/test_promises.py::test_of_nothing` |", "no test 'test_of_nothing' in"),
        ("| it holds | `tests/tools/test_promises.py` |", "no test '' in tests/tools/test_promises.py"),
        ("| it holds | `tests/tools/test_promises.py::read_steps` |", "no test 'read_steps' in"),
        ("| it holds | `tests/tools/test_nowhere.py::test_it` |", "no file of tests tests/tools/test_nowhere.py"),
        ("| it holds | `tools/project.py::test_it` |", "no file of tests tools/project.py"),
        ("| it holds | `rehearsal: release v9` |", "the rehearsal has no step 'release v9'"),
    ],
)
def test_what_is_not_shown_is_found(row, says, steps):
    found = missing(HEAD + row + "\n", ROOT, steps)
    assert len(found) == 1
    assert says in found[0]


def test_what_is_shown_passes(steps):
    row = "| it `holds` | `rehearsal: release v3`, `tests/tools/test_promises.py::test_what_is_shown_passes` |"
    assert missing(HEAD + row + "\n", ROOT, steps) == []
