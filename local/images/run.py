"""RUN without a container: `pip` and `python` on the host, inside the image's own interpreter.

A RUN line is read as commands joined by `&&` and executed one by one without a shell. Only `pip` and `python` are
accepted: any other program would change the machine that builds and not the image. `pip install` is done by uv where
it lies beside the running interpreter (the same result in a tenth of the time), else by pip, into the image.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from local.images.dockerfile import exec_form
from local.images.store import BIN, HOST_PATH
from local.images.words import words

RUN_SECONDS = 900  # a package index that hangs must not hold the run for ever
LAST_LINES = 15
_PYTHON = re.compile(r"python(3(\.\d+)?)?$")
_PIP = re.compile(r"pip(3(\.\d+)?)?$")
_PIECES = re.compile(r"'[^']*'|\"(?:\\.|[^\"\\])*\"|&&|\\.|.", re.DOTALL)
_SHELL = re.compile(r"[|;<>&`()*]|\$\(")
# A shell script that is Python too: the shell starts the interpreter beside the script with the script itself.
_BESIDE = b"""#!/bin/sh
'''exec' "$(dirname -- "$(realpath -- "$0")")"/'python' "$0" "$@"
' '''
"""
# What the host says about reaching a package index; nothing else of its environment enters a build.
_FROM_HOST = re.compile(r"(?i)(https?|no|all)_proxy$|(PIP|UV)_|SSL_CERT_|REQUESTS_CA_BUNDLE$|XDG_CACHE_HOME$")
# Flags of pip that concern the container or the screen. Without a container they change nothing.
_MEANINGLESS = {
    "--no-cache-dir", "--disable-pip-version-check", "--root-user-action=ignore", "--no-input", "--no-compile",
    "--no-warn-script-location", "--progress-bar=off", "--quiet", "-q",
}  # fmt: skip


class RunError(ValueError):
    """A RUN that cannot be understood, or a command of it that failed; the message is the reason alone."""


def commands(text: str, variables: Mapping[str, str]) -> tuple[tuple[str, ...], ...]:
    """The commands of a RUN line.

    Args:
        text: the line after RUN and its flags, in shell or exec form.
        variables: what ARG and ENV have set so far; replaced in the shell form only, as Docker does.

    Raises:
        RunError: a feature of the shell other than `&&`, or a program other than pip and python.
        WordsError: quotes or variables that cannot be read.
    """
    given = exec_form(text)
    found = [given] if given is not None else [words(part, variables) for part in _parts(text)]
    for command in found:
        _refuse(command)
    return tuple(tuple(command) for command in found)


def _parts(text: str) -> list[str]:
    parts = [""]
    for piece in _PIECES.findall(text):
        if piece == "&&":
            parts.append("")
            continue
        if piece[0] not in "'\"\\" and _SHELL.search(piece):
            raise RunError(f"found the shell's {piece}; only commands joined by && are understood")
        parts[-1] += piece
    if any("$(" in re.sub(r"'[^']*'", "", part) for part in parts):
        raise RunError("found the shell's $(...); only commands joined by && are understood")
    return parts


def _refuse(command: Sequence[str]) -> None:
    program = command[0] if command else ""
    if not (_PYTHON.match(program) or _PIP.match(program)):
        raise RunError(
            f"{program or 'nothing'} is not run: without a container it would act on this machine and not on the "
            "image; only pip and python are"
        )
    if (arguments := pip_arguments(command)) is not None and arguments[:1] != ("install",):
        raise RunError(f"pip {' '.join(arguments[:1])} is not understood; only pip install is")


def pip_arguments(command: Sequence[str]) -> tuple[str, ...] | None:
    """What follows `pip` or `python -m pip`, or None for another command."""
    if _PIP.match(command[0]):
        return tuple(command[1:])
    return tuple(command[3:]) if tuple(command[1:3]) == ("-m", "pip") else None


def run(command: Sequence[str], *, rootfs: Path, workdir: str, environment: Mapping[str, str]) -> None:
    """Execute one command of a RUN.

    Args:
        command: as `commands` gives it.
        rootfs: the image so far.
        workdir: the folder inside the image.
        environment: what ENV and ARG have set.

    Raises:
        RunError: a code other than 0, or RUN_SECONDS went by; with the last lines of what it printed.
    """
    python = rootfs / BIN / "python"
    arguments = pip_arguments(command)
    words_ = _installer(python, arguments) if arguments is not None else [str(python), *command[1:]]
    words_ = [_inside(rootfs, word) for word in words_]
    try:
        done = subprocess.run(  # noqa: S603  (the Dockerfile's own command, without a shell)
            words_,
            cwd=rootfs / workdir.lstrip("/"),
            env=_environment(rootfs, environment, installs=arguments is not None),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=RUN_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise RunError(f"{' '.join(command)} did not end within {RUN_SECONDS} s") from None
    if done.returncode:
        said = "\n".join(done.stdout.strip().splitlines()[-LAST_LINES:])
        raise RunError(f"{' '.join(command)} ended with code {done.returncode}\n{said}")
    if arguments is not None:
        _relocate(rootfs)


def _installer(python: Path, arguments: Sequence[str]) -> list[str]:
    wanted = [word for word in arguments[1:] if word not in _MEANINGLESS]
    uv = shutil.which("uv", path=str(Path(sys.executable).parent))
    if uv:
        # Copies, not links: a task that wrote into its image must never reach the user's package cache.
        options = ["--link-mode=copy", "--compile-bytecode", "--no-config"]
        return [uv, "pip", "install", f"--python={python}", *options, *wanted]
    quiet = ["--disable-pip-version-check", "--no-input", "--root-user-action=ignore"]
    return [sys.executable, "-m", "pip", f"--python={python}", "install", *quiet, *wanted]


def _relocate(rootfs: Path) -> None:
    """Let scripts that name their interpreter by where it lay while building find the one beside them.

    uv writes them so by itself in a relocatable environment; pip does not.
    """
    begin = f"#!{rootfs / BIN}/python".encode()
    for script in (rootfs / BIN).iterdir():
        if script.is_symlink() or not script.is_file():
            continue
        content = script.read_bytes()
        if content.startswith(begin):
            draft = script.with_name(f".{script.name}.draft")  # the file may be linked from a kept layer
            draft.write_bytes(_BESIDE + content.partition(b"\n")[2])
            draft.chmod(script.stat().st_mode)
            draft.replace(script)


def _inside(rootfs: Path, word: str) -> str:
    """An absolute path of the image as it is called on the host; any other word as it is."""
    if word.startswith("/") and not word.startswith(str(rootfs)) and (rootfs / word.lstrip("/")).exists():
        return str(rootfs / word.lstrip("/"))
    return word


def _environment(rootfs: Path, environment: Mapping[str, str], *, installs: bool) -> dict[str, str]:
    passed = {key: value for key, value in os.environ.items() if _FROM_HOST.match(key)}
    # An installer keeps its cache where the user's own uv and pip keep it; other commands get the image's home.
    home = os.environ.get("HOME", str(rootfs / "root")) if installs else str(rootfs / "root")
    return {**passed, **environment, "PATH": f"{rootfs / BIN}{os.pathsep}{HOST_PATH}", "HOME": home}
