"""The embedded AWS of the rehearsal: an instance of its own, in a folder of its own, always fresh.

The one that a developer has running is left alone. Whatever an interrupted rehearsal left in the folder is ended first.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from rehearsal import interrupts

_LIMIT_SECONDS = 90
# What would lead our commands to another AWS, another state or another instance than our own.
_FOREIGN = ("AWS_", "PULUMI_", "BLUEGREEN_")


class EmbeddedError(Exception):
    """The embedded AWS did not start or stop; one line."""


@dataclass(frozen=True, kw_only=True)
class Embedded:
    """One instance; `folder` is its BLUEGREEN_LOCAL_DIR."""

    project: Path
    folder: Path

    def start(self) -> dict[str, str]:
        """Start it; answers the environment for its clients. Raises EmbeddedError."""
        self._call("start")
        return self.environment()

    def stop(self) -> None:
        """Stop it and remove what it stored; nothing to do is no error. Raises EmbeddedError."""
        self._call("stop")

    def environment(self) -> dict[str, str]:
        """The environment of commands that talk to it. Raises EmbeddedError."""
        found = self._base()
        for line in self._call("env").splitlines():
            words = shlex.split(line, comments=True)
            if len(words) == 2 and words[0] == "export":
                name, _, value = words[1].partition("=")
                found[name] = value
        return found

    def _base(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
        return {**kept, "BLUEGREEN_LOCAL_DIR": str(self.folder)}

    def _call(self, command: str) -> str:
        # An interrupt must not cut a start or a stop in half: it waits, and the session is another one.
        with interrupts.held():
            process = subprocess.Popen(  # noqa: S603  this interpreter, words of our own
                [sys.executable, "-m", "local", command],
                cwd=self.project,
                env=self._base(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
            try:
                output, errors = process.communicate(timeout=_LIMIT_SECONDS)
            except subprocess.TimeoutExpired as error:
                process.kill()
                process.communicate()
                raise EmbeddedError(f"local {command}: not done within {_LIMIT_SECONDS} s") from error
        if process.returncode:
            lines = (errors.strip() or output.strip()).splitlines()
            raise EmbeddedError(f"local {command}: exit code {process.returncode}: {(lines or ['no message'])[-1]}")
        return output
