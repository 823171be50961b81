from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tools import standin


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the host's source that a test may change."""
    folder = tmp_path / "source"
    shutil.copytree(standin.SOURCE, folder)
    monkeypatch.setattr(standin, "SOURCE", folder)
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "cli with space"
    found.mkdir()
    return found


def test_a_cli_without_host_gets_one_once(folder):
    assert standin.outdated(folder)
    standin.install(folder)
    assert not standin.outdated(folder)
    launcher = folder / standin.LAUNCHER
    assert launcher.stat().st_mode & 0o111
    (package,) = [path for path in folder.iterdir() if path.is_dir()]
    assert package.name in launcher.read_text()
    assert {path.name for path in package.iterdir()} == {path.name for path in standin.SOURCE.glob("*.py")}


def test_the_official_host_is_left_alone(folder):
    (folder / standin.LAUNCHER).write_bytes(b"\x7fELF...")
    assert not standin.outdated(folder)


def test_a_changed_host_replaces_the_launcher_and_keeps_the_old_code_for_those_that_run_it(folder, source):
    standin.install(folder)
    before = (folder / standin.LAUNCHER).read_text()
    (source / "server.py").write_text("changed = True\n")
    assert standin.outdated(folder)
    standin.install(folder)
    assert (folder / standin.LAUNCHER).read_text() != before
    assert len([path for path in folder.iterdir() if path.is_dir()]) == 2
    assert [path for path in folder.iterdir() if path.name.endswith(".partial")] == []


def test_the_host_imports_nothing_of_this_project():
    for file in standin.SOURCE.glob("*.py"):
        text = file.read_text()
        for package in ("tools", "provider", "infra", "local"):
            assert f"import {package}" not in text
            assert f"from {package}" not in text


class Launcher:
    """The launcher beside a CLI, and a project folder it is started in."""

    def __init__(self, folder: Path, project: Path) -> None:
        standin.install(folder)
        self.launcher = folder / standin.LAUNCHER
        self.project = project
        project.mkdir()

    def venv(self, place: Path) -> Path:
        """An environment whose interpreter says where it lies."""
        (place / "bin").mkdir(parents=True)
        (place / "bin" / "python").write_text(f'#!/bin/sh\necho "{place.name}" "$5"\n')
        (place / "bin" / "python").chmod(0o755)
        return place

    def start(self, cwd: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
        command = [str(self.launcher), "--logflow", "127.0.0.1:5"]
        env = {"PATH": "/usr/bin:/bin", **env}
        return subprocess.run(
            command, cwd=cwd or self.project, env=env, capture_output=True, text=True, check=False, timeout=60
        )


@pytest.fixture
def launcher(folder: Path, tmp_path: Path) -> Launcher:
    return Launcher(folder, tmp_path / "my project")


@pytest.mark.parametrize(
    "options",
    [
        "    toolchain: pip\n    virtualenv: envs/a\n",
        "    virtualenv: 'envs/a' # the one\n",
        '    virtualenv: "envs/a"\n',
        "    {toolchain: pip, virtualenv: envs/a}\n",
        "    {virtualenv: envs/a, toolchain: pip}\n",
    ],
)
def test_the_environment_is_the_declared_one(launcher, options):
    launcher.venv(launcher.project / "envs" / "a")
    (launcher.project / "Pulumi.yaml").write_text(f"name: x\nruntime:\n  name: python\n  options:\n{options}")
    (launcher.project / "deeper").mkdir()
    for cwd in (launcher.project, launcher.project / "deeper"):
        assert launcher.start(cwd).stdout == "a 127.0.0.1:5\n"


def test_an_absolute_one_too(launcher, tmp_path):
    place = launcher.venv(tmp_path / "else where")
    (launcher.project / "Pulumi.yaml").write_text(f"runtime: {{name: python, options: {{virtualenv: {place}}}}}\n")
    assert launcher.start().stdout == "else where 127.0.0.1:5\n"


def test_without_declaration_the_environment_variables_then_the_default(launcher, tmp_path):
    launcher.venv(launcher.project / ".local" / "venv")
    assert launcher.start().stdout == "venv 127.0.0.1:5\n"
    active = launcher.venv(tmp_path / "active")
    assert launcher.start(VIRTUAL_ENV=str(active)).stdout == "active 127.0.0.1:5\n"
    engine = launcher.venv(tmp_path / "engine")
    found = launcher.start(VIRTUAL_ENV=str(active), PULUMI_RUNTIME_VIRTUALENV=str(engine))
    assert found.stdout == "engine 127.0.0.1:5\n"


def test_without_any_one_line_says_what_to_do(launcher):
    (launcher.project / "Pulumi.yaml").write_text("runtime: {name: python, options: {virtualenv: absent}}\n")
    done = launcher.start(PATH="/bin")
    assert done.returncode == 1
    assert done.stderr == (
        f"pulumi-language-python: no virtual environment found for {launcher.project} "
        "(Pulumi.yaml says 'absent'): run 'make tools' there\n"
    )
