"""The state folder of one embedded AWS: what lies where, and who may change it."""

from __future__ import annotations

import fcntl
import json
import os
import shlex
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.errors import LocalError
from local.processes import Records

PROJECT = Path(__file__).resolve().parents[1]
VARIABLE = "BLUEGREEN_LOCAL_DIR"
REGION = "eu-west-1"
ACCOUNT = "123456789012"
CREDENTIAL = "test"
MARKER = ".embedded-aws"
LOCK_SECONDS = 60.0

Say = Callable[[str], None]


@dataclass(frozen=True)
class Folder:
    """Where one embedded AWS keeps everything.

    Attributes:
        root: the folder, absolute.
    """

    root: Path

    @classmethod
    def from_environment(cls) -> Folder:
        """The one that BLUEGREEN_LOCAL_DIR names, else `.local/aws` of this project.

        Raises:
            LocalError: the variable is not an absolute path.
        """
        given = os.environ.get(VARIABLE, "")
        if given and not Path(given).is_absolute():
            raise LocalError(f"{VARIABLE} is {given!r}: give an absolute path")
        return cls(Path(given) if given else PROJECT / ".local" / "aws")

    @property
    def control(self) -> Path:
        """Says how to reach the embedded AWS; there while it is ready."""
        return self.root / "control.json"

    @property
    def daemon(self) -> Path:
        """Where the daemon's process is on record, from its first moment on."""
        return self.root / "daemon"

    @property
    def phase(self) -> Path:
        """What a daemon that is not ready yet is doing."""
        return self.root / "phase"

    @property
    def failure(self) -> Path:
        """Why a daemon gave up."""
        return self.root / "failure"

    @property
    def log(self) -> Path:
        """What the daemon says."""
        return self.root / "log" / "daemon.log"

    @property
    def records(self) -> Records:
        """The processes that the daemon started itself."""
        return Records(self.root / "processes")

    def read_control(self) -> dict[str, Any] | None:
        """What `control.json` says, or None while there is none."""
        try:
            control: dict[str, Any] = json.loads(self.control.read_text())
        except (FileNotFoundError, ValueError):
            return None
        return control

    def write_ready(self, control: Mapping[str, Any]) -> None:
        """Tell everybody how to reach the embedded AWS: it is ready."""
        self.write(self.root / "env", self.exports(control["endpoint"]))
        self.write(self.control, json.dumps(control, indent=2) + "\n")
        self.phase.unlink(missing_ok=True)

    def write(self, file: Path, text: str) -> None:
        """Replace a file whole."""
        file.parent.mkdir(parents=True, exist_ok=True)
        draft = file.with_name(f".{file.name}.draft")
        draft.write_text(text)
        draft.replace(file)

    def environment(self, endpoint: str) -> dict[str, str]:
        """What points AWS clients and Pulumi at the embedded AWS.

        Args:
            endpoint: the address of its API.
        """
        return {
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ACCESS_KEY_ID": CREDENTIAL,
            "AWS_SECRET_ACCESS_KEY": CREDENTIAL,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            VARIABLE: str(self.root),
            "PULUMI_HOME": str(self.root / "pulumi-home"),
            "PULUMI_BACKEND_URL": f"file://{self.root / 'state'}",
            "PULUMI_CONFIG_PASSPHRASE": "",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        }

    def exports(self, endpoint: str) -> str:
        """The environment as a shell reads it."""
        lines = (f"export {name}={shlex.quote(value)}\n" for name, value in self.environment(endpoint).items())
        return "".join(lines)

    @contextmanager
    def locked(self, say: Say) -> Iterator[None]:
        """Be the only one to start or stop the embedded AWS of this folder.

        The folder itself is locked: it is never removed, so nobody can wait for a lock on something that is gone.

        Raises:
            LocalError: somebody else holds it for LOCK_SECONDS.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            _lock(descriptor, self.root, say)
            yield
        finally:
            os.close(descriptor)

    def claim(self) -> None:
        """Mark an empty folder as one of an embedded AWS: from then on everything in it is ours to remove.

        Raises:
            LocalError: something else is in it.
        """
        marker = self.root / MARKER
        if not marker.exists() and not self.daemon.is_dir():
            strange = sorted(entry.name for entry in self.root.iterdir())
            if strange:
                raise LocalError(
                    f"{self.root} is not the folder of an embedded AWS: there is {strange[0]} in it. "
                    f"Give {VARIABLE} a new or an empty folder, because everything in it is removed at a stop"
                )
            marker.touch()

    def empty(self) -> None:
        """Remove everything in the folder, which is a claimed one."""
        for entry in self.root.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()


def _lock(descriptor: int, root: Path, say: Say) -> None:
    begin = time.monotonic()
    told = 0.0
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waited = time.monotonic() - begin
        else:
            return
        if waited > LOCK_SECONDS:
            raise LocalError(f"{root} is locked by another start or stop for {LOCK_SECONDS:.0f} s; end that one first")
        if waited >= told:
            say(f"waiting for another start or stop of {root} ({waited:.0f} s)")
            told += 5.0
        time.sleep(0.05)
