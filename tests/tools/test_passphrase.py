"""A wrong passphrase, with the real CLI: one message, and Pulumi does not take over."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tools import cli
from tools.project import ROOT

pytestmark = pytest.mark.slow


class Project:
    """A project of one stack, ``dev``, made with the passphrase ``right`` in a backend of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "Pulumi.yaml").write_text("name: trial\nruntime: yaml\n")
        self.settings = folder / "Pulumi.dev.yaml"
        self.settings.write_text("config: {}\n")
        (folder / "state").mkdir()
        (folder / "other").mkdir()
        assert "Created stack 'dev'" in self.up(PULUMI_CONFIG_PASSPHRASE="right").stderr
        assert "encryptionsalt:" in self.settings.read_text()

    def up(self, backend: str = "state", **env: str) -> subprocess.CompletedProcess[str]:
        """What is said, with "took over" where Pulumi's ``up`` would run."""
        script = textwrap.dedent(f"""
            import os
            from pathlib import Path
            from tools import __main__, stack, ups
            stack.ROOT = Path({str(self.folder)!r})
            ups.run = lambda *_: os._exit(print("took over", flush=True) or 0)
            raise SystemExit(__main__.main(["up", "--stack", "dev"]))
        """)
        base = {name: value for name, value in os.environ.items() if not name.startswith("PULUMI_")}
        own = {"PULUMI_HOME": f"{self.folder}/home", "PULUMI_BACKEND_URL": f"file://{self.folder}/{backend}"}
        return subprocess.run(
            [sys.executable, "-c", script],
            cwd=ROOT,
            env={**base, **own, **env},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    if cli.find() is None:
        pytest.skip("no Pulumi CLI: run `make tools`")
    return Project(tmp_path_factory.mktemp("passphrase"))


def test_the_right_one_opens_the_stack(project):
    done = project.up(PULUMI_CONFIG_PASSPHRASE="right")
    assert (done.returncode, done.stdout) == (0, "took over\n")


@pytest.mark.parametrize("backend", ["state", "other"])
def test_a_wrong_one_is_one_message(project, backend):
    """Where the stack is there already, and where its settings came from another machine."""
    before = project.settings.read_text()
    done = project.up(backend, PULUMI_CONFIG_PASSPHRASE="wrong")
    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.splitlines()) == 1
    for part in (
        "tools: PULUMI_CONFIG_PASSPHRASE is set and is not the passphrase of Pulumi.dev.yaml",
        "expected the one the stack was made with",
        "nothing was changed",
        "incorrect passphrase",
    ):
        assert part in done.stderr
    assert project.settings.read_text() == before


def test_a_wrong_file_is_named(project, tmp_path):
    (tmp_path / "word").write_text("wrong")
    done = project.up(PULUMI_CONFIG_PASSPHRASE_FILE=str(tmp_path / "word"))
    assert done.returncode == 1
    assert done.stderr.startswith("tools: PULUMI_CONFIG_PASSPHRASE_FILE is set and is not the passphrase of Pulumi.dev")


def test_none_at_all_is_said(project):
    done = project.up()
    assert done.returncode == 1
    assert done.stderr.startswith("tools: PULUMI_CONFIG_PASSPHRASE is not set, which opens Pulumi.dev.yaml")
