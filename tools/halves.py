"""A pytest plugin: run one half of the tests, so that both cores work. ``pytest -p tools.halves --half 1``

The halves are made of whole files, as files share expensive fixtures, and even out by the seconds each file took the
last time; a file that is new counts by the number of its tests, quick and slow. Both processes come to the same halves
by themselves.
"""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from .project import STATE

if TYPE_CHECKING:  # this module is loaded also where only the set-up runs, with nothing installed yet
    import pytest

TIMES = STATE / "reports" / "times.json"
SECONDS_PER_TEST, SECONDS_PER_SLOW_TEST = 0.1, 2.0  # guesses for what has never run


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option that chooses."""
    parser.addoption("--half", type=int, choices=(1, 2), help="run only this half of the test files")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the other half."""
    half = config.getoption("--half")
    if half is None:
        return
    guessed: dict[str, float] = defaultdict(float)
    for item in items:
        guessed[_file(item)] += SECONDS_PER_SLOW_TEST if item.get_closest_marker("slow") else SECONDS_PER_TEST
    chosen = halves(guessed, read_times())[half - 1]
    others = [item for item in items if _file(item) not in chosen]
    items[:] = [item for item in items if _file(item) in chosen]
    config.hook.pytest_deselected(items=others)


def halves(guessed: Mapping[str, float], times: Mapping[str, float]) -> tuple[set[str], set[str]]:
    """Deal the files out, the longest first, always to the half that has less so far. `guessed`: seconds of each."""
    weights = {name: times.get(name, seconds) for name, seconds in guessed.items()}
    parts: tuple[set[str], set[str]] = (set(), set())
    loads = [0.0, 0.0]
    for name in sorted(weights, key=lambda name: (-weights[name], name)):
        lesser = 0 if loads[0] <= loads[1] else 1
        parts[lesser].add(name)
        loads[lesser] += weights[name]
    return parts


def read_times() -> dict[str, float]:
    """Seconds by file of the last runs; empty when there was none."""
    try:
        found: dict[str, float] = json.loads(TIMES.read_text())
    except (OSError, ValueError):
        return {}
    return found


def save_times(reports: Iterable[Path]) -> None:
    """Keep what each file took, from the JUnit reports of a run."""
    taken: dict[str, float] = {}
    for report in reports:
        try:
            root = ET.parse(report).getroot()  # noqa: S314 - written by our own pytest a moment ago
        except (OSError, ET.ParseError):
            continue
        for case in root.iter("testcase"):
            name = case.get("classname", "")
            taken[name] = taken.get(name, 0.0) + float(case.get("time", "0"))
    TIMES.write_text(json.dumps({**read_times(), **taken}, indent=1))


def _file(item: pytest.Item) -> str:
    """The file of a test, in the words of a JUnit report: ``tests.tools.test_cli``."""
    return item.nodeid.split("::")[0].removesuffix(".py").replace("/", ".")
