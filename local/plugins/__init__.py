"""The plugins that stand for Pulumi's `aws` and `docker` providers on the embedded AWS.

The engine finds a plugin by folder and version in the plugin cache. They lie in a `PULUMI_HOME` of their own, so the
official ones of the same version are never shadowed anywhere else.
"""

import shlex
import stat
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Plugin name to the package whose version a program asks the engine for.
PLUGINS = {"aws": "pulumi-aws", "docker": "pulumi-docker"}


def install(home: Path) -> None:
    """Lay the launchers into a plugin cache; those of the right version are left as they are.

    Args:
        home: the `PULUMI_HOME` of the embedded AWS.

    Raises:
        PackageNotFoundError: pulumi-aws or pulumi-docker is not installed beside the running interpreter.
        OSError: the folder cannot be written.
    """
    from importlib.metadata import PackageNotFoundError, version  # slow, and every plugin imports this package

    for name, package in PLUGINS.items():
        try:
            wanted = version(package)
        except PackageNotFoundError:
            raise PackageNotFoundError(f"{package} is not installed for {sys.executable}; run `make tools`") from None
        folder = home / "plugins" / f"resource-{name}-v{wanted}"
        folder.mkdir(parents=True, exist_ok=True)
        launcher = folder / f"pulumi-resource-{name}"
        draft = launcher.with_suffix(".draft")
        draft.write_text(_launcher(name))
        draft.chmod(draft.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
        draft.replace(launcher)  # a plugin that is running keeps the file it was started from


def _launcher(name: str) -> str:
    main = ROOT / "local" / "plugins" / name / "main.py"
    # -I: neither PYTHONPATH nor the folder of the program may put other modules in front of ours.
    return f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -I {shlex.quote(str(main))} "$@"\n'
