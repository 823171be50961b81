"""The three files that are compiled from pyproject.toml: compiling them, and finding out offline that they disagree."""

from __future__ import annotations

import importlib.metadata
import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from . import console, venv
from .project import ROOT, VENV

COMPILE = ["--universal", "--generate-hashes", "--no-header", "--no-annotate", "--no-emit-index-url", "--quiet"]
LOCK = "requirements.lock"  # everything: what this project is developed and rehearsed with
SUBSETS = {  # exported from the lock, so the same versions; with what each is compiled from
    "requirements.txt": ["pyproject.toml"],
    "app/requirements.txt": ["--group", "app"],
}


def compile_all(*, upgrade: bool = False) -> None:
    """Write the lock and its subsets anew. Keeps the versions of the lock unless told to upgrade."""
    _compile(LOCK, ["pyproject.toml", "--group", "dev", *(["--upgrade"] if upgrade else [])])
    for file, source in SUBSETS.items():
        _compile(file, [*source, "-c", LOCK])


def _compile(output: str, source: list[str]) -> None:
    command: console.Command = [VENV / "bin" / "uv", "pip", "compile", *source, *COMPILE, "-o", output]
    console.run(f"compiling {output}", command, cwd=ROOT, env=venv.uv_environment(dict(os.environ)))
    console.say(f"tools: wrote {output}")


class Pins:
    """A compiled file: for each package its line (version and marker) and its hashes."""

    def __init__(self, text: str) -> None:
        self.requirements: dict[str, Requirement] = {}
        self.entries: dict[str, tuple[str, frozenset[str]]] = {}
        for entry in text.replace("\\\n", " ").splitlines():
            words, *hashes = re.split(r"\s+--hash=", entry.strip())
            if words and not words.startswith("#"):
                requirement = Requirement(words)
                name = canonicalize_name(requirement.name)
                self.requirements[name] = requirement
                self.entries[name] = (str(requirement.specifier), frozenset(hashes))


def disagreements(root: Path = ROOT) -> list[str]:
    """What is wrong between pyproject.toml, the lock and its subsets, a sentence each.

    Needs no network: the versions come from the files, and what a package itself requires from the packages installed
    here (so a package for another platform is not followed further).
    """
    project = tomllib.loads((root / "pyproject.toml").read_text())
    lock = Pins((root / LOCK).read_text())
    own = project["project"]["dependencies"]
    groups = project["dependency-groups"]
    wanted = {
        LOCK: [*own, *_group(groups, "dev")],
        "requirements.txt": own,
        "app/requirements.txt": _group(groups, "app"),
    }
    found: list[str] = []
    for file, requirements in wanted.items():
        pins = lock if file == LOCK else Pins((root / file).read_text())
        found += [f"{file}: {problem}" for problem in _missing(requirements, pins)]
        found += [f"{file}: {problem}" for problem in _superfluous(requirements, pins)]
        if pins is not lock:
            found += [f"{file}: {problem}" for problem in _not_as_locked(pins, lock)]
    return found


def _group(groups: Mapping[str, list[str | dict[str, str]]], name: str) -> list[str]:
    """The requirements of a dependency group, with the groups it includes."""
    result: list[str] = []
    for item in groups[name]:
        result += [item] if isinstance(item, str) else _group(groups, item["include-group"])
    return result


def _missing(requirements: Iterable[str], pins: Pins) -> Iterator[str]:
    for requirement in _closure(requirements):
        name = canonicalize_name(requirement.name)
        pin = pins.entries.get(name)
        if pin is None:
            yield f"{requirement} is not pinned"
        elif not requirement.specifier.contains(pin[0].removeprefix("=="), prereleases=True):
            yield f"{name} is pinned {pin[0]}, expected {requirement.specifier}"
        elif not pin[1]:
            yield f"{name} has no hash"


def _superfluous(requirements: Iterable[str], pins: Pins) -> Iterator[str]:
    """Pins that apply here and that nothing asks for."""
    needed = {canonicalize_name(requirement.name) for requirement in _closure(requirements)}
    for name, pin in pins.requirements.items():
        if name not in needed and (pin.marker is None or pin.marker.evaluate()):
            yield f"{name} is pinned and nothing requires it"


def _not_as_locked(pins: Pins, lock: Pins) -> Iterator[str]:
    for name, entry in pins.entries.items():
        if entry != lock.entries.get(name):
            there = lock.entries.get(name, ("nothing", frozenset()))[0]
            yield f"{name} is {entry[0]} here and {there} in {LOCK}, or its hashes differ"


def _closure(requirements: Iterable[str]) -> list[Requirement]:
    """The requirements and, as far as installed here, what they require in turn."""
    waiting = [Requirement(text) for text in requirements]
    seen: dict[tuple[str, str], Requirement] = {}
    while waiting:
        requirement = waiting.pop()
        key = (canonicalize_name(requirement.name), str(requirement))
        if key in seen or (requirement.marker is not None and not _applies(requirement, "")):
            continue
        seen[key] = requirement
        waiting += _requires(requirement)
    return list(seen.values())


def _requires(requirement: Requirement) -> Iterator[Requirement]:
    try:
        texts = importlib.metadata.requires(requirement.name) or []
    except importlib.metadata.PackageNotFoundError:
        return
    for text in texts:
        inner = Requirement(text)
        if inner.marker is None or any(_applies(inner, extra) for extra in ("", *requirement.extras)):
            inner.marker = None  # it applies; evaluated without the extra it would not
            yield inner


def _applies(requirement: Requirement, extra: str) -> bool:
    environment = {name: str(value) for name, value in default_environment().items()}
    return requirement.marker is not None and requirement.marker.evaluate({**environment, "extra": extra})
