"""The versions of the service that the rehearsal releases: this checkout, and overlays laid over it.

A tree is what an image is built from: the checkout's `app/`, `migrations/` and `.dockerignore`, with the files of each
overlay on top. v1 is the checkout itself, without the revisions that came after what the overlays build on (`base`).
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from rehearsal import base

PROJECT = Path(__file__).resolve().parent.parent
OVERLAYS = Path(__file__).resolve().parent / "overlays"
PARTS = ("app", "migrations")

# The example's first version, kept there by who makes another service of the checkout.
FIRST: Final[tuple[str, ...]] = ("v1",) if (OVERLAYS / "v1").is_dir() else ()
TREES: Mapping[str, tuple[str, ...]] = {
    "v1": FIRST,
    "v2": (*FIRST, "v2"),
    "broken-migration": (*FIRST, "v2", "broken-migration"),
    "never-healthy": (*FIRST, "v2", "never-healthy"),
    "v3": (*FIRST, "v2", "v3"),
}

# Those of them that a team would release, in that order. Tests take every revision of theirs from here.
RELEASES = ("v1", "v2", "v3")
# The checkout as it is, with every revision of its own. No part of the story: it is what `make up` releases.
CHECKOUT: Final = "checkout"
_IGNORED = shutil.ignore_patterns("__pycache__", "*.pyc")


def lay(name: str, into: Path, project: Path = PROJECT) -> Path:
    """Make the tree `name` as the folder `into/name`, replacing one that is there.

    Raises KeyError, OSError, and BadTreeError when the revision that the overlays follow is not in the checkout.
    """
    target = into / name
    overlays = () if name == CHECKOUT else TREES[name]
    if target.exists():
        shutil.rmtree(target)
    target.mkdir(parents=True)
    shutil.copy2(project / ".dockerignore", target / ".dockerignore")
    for part in PARTS:
        shutil.copytree(project / part, target / part, ignore=_IGNORED)
    if name != CHECKOUT:
        base.cut(target / "migrations", _all_overlays())
    for overlay in overlays:
        shutil.copytree(OVERLAYS / overlay, target, dirs_exist_ok=True, ignore=_IGNORED)
    return target


def lay_all(into: Path, project: Path = PROJECT) -> dict[str, Path]:
    """Make every tree; answers its folder by name."""
    return {name: lay(name, into, project) for name in TREES}


def left_out(project: Path = PROJECT) -> str:
    """A line about the checkout's revisions that no tree has; empty when there are none. Raises BadTreeError."""
    return base.read_base(project / "migrations", _all_overlays()).line()


def _all_overlays() -> Iterator[Path]:
    """Of all trees: each begins with the same revisions."""
    return (OVERLAYS / name for name in dict.fromkeys(one for names in TREES.values() for one in names))
