"""Laying the stand-in language host beside a CLI that has no official one."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from .project import ROOT

SOURCE = ROOT / "tools" / "host"
LAUNCHER = "pulumi-language-python"
MARK = "stand-in"  # a word of our launcher that the official program, a binary, does not have in its first lines


def outdated(folder: Path) -> bool:
    """Whether the folder of a CLI needs the stand-in, or has another one than this project's."""
    launcher = folder / LAUNCHER
    try:
        head = launcher.read_bytes()[:4096]
    except OSError:
        return True
    return MARK.encode() in head and head != _launcher().encode()


def install(folder: Path) -> None:
    """Copy the host and put its launcher in place.

    The copy carries a hash of its content in its name and the launcher is replaced by a rename, so a host that starts
    in this moment, for this clone or for another one, finds either version whole.
    """
    package = folder / _package()
    if not package.exists():
        scratch = folder / f".{_package()}.partial"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
        for file in _files():
            shutil.copyfile(file, scratch / file.name)
        scratch.rename(package)
    launcher = folder / f".{LAUNCHER}.partial"
    launcher.write_text(_launcher())
    launcher.chmod(0o755)
    launcher.rename(folder / LAUNCHER)


def _files() -> list[Path]:
    return sorted(SOURCE.glob("*.py"))


def _package() -> str:
    digest = hashlib.sha256()
    for file in _files():
        digest.update(f"{file.name}\0".encode() + file.read_bytes())
    return f"language_host_{digest.hexdigest()[:12]}"


def _launcher() -> str:
    return (SOURCE / "launcher.sh").read_text().replace("@PACKAGE@", _package())
