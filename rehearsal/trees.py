"""The versions of the service that the rehearsal releases: this checkout, and overlays laid over it.

A tree is what an image is built from: the checkout's `app/`, `migrations/` and `.dockerignore`, with the files of each
overlay on top. v1 is the checkout itself.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
OVERLAYS = Path(__file__).resolve().parent / "overlays"
PARTS = ("app", "migrations")

TREES: Mapping[str, tuple[str, ...]] = {
    "v1": (),
    "v2": ("v2",),
    "broken-migration": ("v2", "broken-migration"),
    "never-healthy": ("v2", "never-healthy"),
    "v3": ("v2", "v3"),
}

# Those of them that a team would release, in that order. Tests take every revision of theirs from here.
RELEASES = ("v1", "v2", "v3")


def lay(name: str, into: Path, project: Path = PROJECT) -> Path:
    """Make the tree `name` as the folder `into/name`, replacing one that is there. Raises KeyError, OSError."""
    target = into / name
    overlays = TREES[name]
    if target.exists():
        shutil.rmtree(target)
    target.mkdir(parents=True)
    shutil.copy2(project / ".dockerignore", target / ".dockerignore")
    for part in PARTS:
        shutil.copytree(project / part, target / part, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
    for overlay in overlays:
        shutil.copytree(
            OVERLAYS / overlay, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__", "*.pyc")
        )
    return target


def lay_all(into: Path) -> dict[str, Path]:
    """Make every tree; answers its folder by name."""
    return {name: lay(name, into) for name in TREES}
