"""One embedded AWS for the tests that go through its public door, and helpers to have others."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from local.folder import PROJECT, Folder
from tests.support.embedded_rds import Rds
from tests.support.until import until

COMMAND_SECONDS = 90


@dataclass(frozen=True)
class Embedded:
    """An embedded AWS in a folder of its own."""

    folder: Folder

    def run(self, *arguments: str, through: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
        """A command of `python -m local`; `through`: what runs it."""
        environment = {**os.environ, "BLUEGREEN_LOCAL_DIR": str(self.folder.root)}
        return subprocess.run(
            [*through, sys.executable, "-m", "local", *arguments],
            cwd=PROJECT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=COMMAND_SECONDS,
        )

    def start(self, *arguments: str) -> dict[str, Any]:
        """Start it; what `control.json` says."""
        done = self.run("start", *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return self.control

    def database(self, identifier: str, status: str = "available") -> dict[str, Any] | None:
        """A database once it has this status; None once it is gone, for the status `deleted`."""
        rds = self.client("rds")

        def look() -> list[dict[str, Any]]:
            found = rds.describe_db_instances()["DBInstances"]
            return [one for one in found if one["DBInstanceIdentifier"] == identifier]

        if status == "deleted":
            until(lambda: not look())
            return None
        until(lambda: look()[0]["DBInstanceStatus"] == status)
        return look()[0]

    @property
    def control(self) -> dict[str, Any]:
        return json.loads(self.folder.control.read_text())

    def client(self, service: str, attempts: int = 1, region: str = "eu-west-1") -> Any:
        return boto3.client(
            service,
            endpoint_url=self.control["endpoint"],
            region_name=region,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": attempts, "mode": "standard"}, read_timeout=30),
        )


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Embedded]:
    """A folder in which nothing runs; whatever does at the end is stopped."""
    embedded = Embedded(Folder(tmp_path / "aws"))
    yield embedded
    embedded.run("stop")


@pytest.fixture(scope="session")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    """One that runs, shared by the tests: each uses names of its own and leaves no fault behind."""
    one = Embedded(Folder(tmp_path_factory.mktemp("embedded") / "aws"))
    one.start()
    yield one
    done = one.run("stop")
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def rds(embedded):
    return Rds(embedded)


@pytest.fixture(scope="module")
def database(rds):
    """One that is available, for tests that leave it so."""
    rds.create("shared")
    rds.available("shared")
    yield "shared"
    rds.delete("shared")
