"""Starts and stops the load's own process, and knows how it goes."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rehearsal import interrupts

_STOP_SECONDS = 20


class LoadError(Exception):
    """The load did not run to its end; one line."""


@dataclass(kw_only=True)
class Generator:
    """One run of `rehearsal.load`. It ends when its stdin does, so also when this process dies."""

    project: Path
    folder: Path
    url: str
    rps: float
    run: str
    latest: dict[str, Any] = field(default_factory=dict)
    _process: subprocess.Popen[str] | None = None
    _reader: threading.Thread | None = None

    def start(self) -> None:
        """Start sending."""
        command = [sys.executable, "-m", "rehearsal.load", "--url", self.url, "--rps", str(self.rps)]
        command += ["--run", self.run, "--folder", str(self.folder)]
        with (self.folder / "load.stderr").open("w", encoding="utf-8") as errors, interrupts.held():
            self._process = subprocess.Popen(  # noqa: S603  this interpreter, words of our own
                command,
                cwd=self.project,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,  # an interrupt is ours to handle: the load ends when we say so
            )
        self._reader = threading.Thread(target=self._read, args=(self._process,), name="load", daemon=True)
        self._reader.start()

    def _read(self, process: subprocess.Popen[str]) -> None:
        for line in process.stdout or ():
            self.latest = json.loads(line)

    def running(self) -> bool:
        """True while it sends."""
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """Send no more, wait for what is in flight and for the ledger. Raises LoadError."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin:
            process.stdin.close()
        try:
            code = process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired as error:
            process.kill()
            process.wait()
            raise LoadError(f"load: did not end within {_STOP_SECONDS} s of being told to") from error
        if self._reader:
            self._reader.join(5)
        if process.stdout:
            process.stdout.close()
        if code:
            lines = (self.folder / "load.stderr").read_text(encoding="utf-8").strip().splitlines()
            raise LoadError(f"load: exit code {code}: {lines[-1] if lines else 'no message'}")

    def __str__(self) -> str:
        if not self.latest:
            return "no request yet"
        return (
            f"{self.latest['sent']} requests, {self.latest['lost']} lost, p50 {self.latest['p50']} ms, "
            f"p99 {self.latest['p99']} ms"
        )
