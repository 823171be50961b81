"""Where things lie, which versions are pinned, and what this machine can do."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STATE = ROOT / ".local"  # everything made here; never in version control
VENV = STATE / "venv"
LOG = STATE / "log"
LOCAL = "local"  # the stack of the embedded AWS; every other one is in an AWS account
PULUMI_VERSION = "3.274.1"
PYTHON_VERSIONS = ((3, 11), (3, 15))  # at least, below; the same as requires-python in pyproject.toml


class ToolError(Exception):
    """One line for the person at the terminal: what was found, what was expected, what to do."""


def python() -> Path:
    """The interpreter of the virtual environment."""
    return VENV / "bin" / "python"


def cache() -> Path:
    """The user's cache folder, which all clones share (XDG base directory rules)."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    home = Path(base) if base.startswith("/") else Path.home() / ".cache"
    return home / "bluegreen"


def machine() -> tuple[str, str]:
    """Operating system and processor in the words of Pulumi's releases: ``linux`` or ``darwin``, ``x64`` or ``arm64``.

    Raises:
        ToolError: on a platform nothing here runs on.
    """
    system = platform.system().lower()
    processor = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}.get(platform.machine().lower())
    if system not in ("linux", "darwin") or processor is None:
        raise ToolError(
            f"found {platform.system()} on {platform.machine()}, expected Linux or macOS on x86-64 or arm64: "
            "on Windows work inside WSL 2"
        )
    return system, processor


def runs_embedded_aws() -> bool:
    """Whether the embedded AWS runs here: it needs Linux, where all of 127.0.0.0/8 is local without set-up."""
    return sys.platform == "linux"
