"""The stand-in language host under the real CLI. Skipped where the official host is in use."""

from __future__ import annotations

import os
import select
import signal
import subprocess
from pathlib import Path

import pytest

from tools import cli, standin
from tools.env import environment
from tools.project import VENV, ToolError

pytestmark = pytest.mark.slow


class Project:
    """A Pulumi project of one program, with a backend of its own."""

    def __init__(self, folder: Path, virtualenv: str = str(VENV)) -> None:
        self.folder = folder / "project"
        (folder / "state").mkdir()
        self.folder.mkdir()
        (self.folder / "Pulumi.yaml").write_text(
            f"name: trial\nruntime:\n  name: python\n  options:\n    toolchain: pip\n    virtualenv: {virtualenv}\n"
        )
        self.env = {
            **environment(local=False),
            "PULUMI_HOME": str(folder / "home"),
            "PULUMI_BACKEND_URL": f"file://{folder}/state",
            "PULUMI_CONFIG_PASSPHRASE": "",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "NO_COLOR": "1",
        }
        self.write("__main__.py", "")
        self.pulumi("stack", "init", "test")

    def write(self, name: str, source: str) -> None:
        (self.folder / name).write_text(source)

    def pulumi(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(cli.path()), *arguments, "--non-interactive"]
        return subprocess.run(command, cwd=self.folder, env=self.env, capture_output=True, text=True, check=False)

    def up(self) -> subprocess.CompletedProcess[str]:
        return self.pulumi("up", "--yes", "--skip-preview")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    try:
        host = cli.path().resolve().parent / cli.HOST
    except ToolError as error:
        pytest.skip(str(error))
    if not host.exists() or standin.MARK.encode() not in host.read_bytes()[:4096]:
        pytest.skip("the official language host is in use here")
    return Project(tmp_path)


def test_a_program_runs_with_its_modules_settings_and_output(project):
    project.write("helper.py", "def name():\n    return 'helper'\n")
    project.write(
        "__main__.py",
        "import os, pulumi, helper\n"
        "print('printed in', os.getcwd())\n"
        "pulumi.log.info('logged')\n"
        "pulumi.export('said', f\"{helper.name()} {pulumi.Config().require('word')} {pulumi.get_stack()}\")\n",
    )
    project.pulumi("config", "set", "word", "hello")
    done = project.up()
    assert done.returncode == 0, done.stderr
    assert f"printed in {project.folder}" in done.stdout
    assert "logged" in done.stdout
    assert project.pulumi("stack", "output", "said").stdout == "helper hello test\n"


def test_the_second_run_of_one_command_sees_the_program_anew(project):
    """Preview and update of one `up` may share a host: nothing of the first may be left in the second."""
    project.write("state.py", "seen = []\n")
    project.write("__main__.py", "import pulumi, state\nstate.seen.append(1)\npulumi.export('n', len(state.seen))\n")
    done = project.pulumi("up", "--yes")
    assert done.returncode == 0, done.stderr
    assert project.pulumi("stack", "output", "n").stdout == "1\n"


def test_an_exception_is_shown_once_with_the_frames_of_the_program(project):
    project.write("helper.py", "def fail():\n    raise ValueError('the reason')\n")
    project.write("__main__.py", "import helper\nhelper.fail()\n")
    done = project.up()
    assert done.returncode != 0
    details = done.stdout.split("Diagnostics:")[1]
    assert details.count("ValueError: the reason") == 1
    assert details.count('File "') == 2
    assert f'File "{project.folder}/__main__.py", line 2' in details
    assert f'File "{project.folder}/helper.py", line 2, in fail' in details


def test_an_exception_inside_apply_too(project):
    project.write(
        "__main__.py",
        "import pulumi\ndef fail(_):\n    raise ValueError('the reason')\n"
        "pulumi.export('x', pulumi.Output.from_input(1).apply(fail))\n",
    )
    details = project.up().stdout.split("Diagnostics:")[1]
    assert details.count("ValueError: the reason") == 1
    assert "language_host" not in details


def test_a_run_error_is_one_line(project):
    project.write("__main__.py", "import pulumi\nraise pulumi.RunError('steps: found 5, expected a list')\n")
    details = project.up().stdout.split("Diagnostics:")[1]
    assert "error: steps: found 5, expected a list\n" in details
    assert "Traceback" not in details


def test_sys_exit_is_an_error_unless_it_is_0(project):
    project.write("__main__.py", "import sys\nsys.exit(4)\n")
    done = project.up()
    assert done.returncode != 0
    assert "the program called sys.exit(4)" in done.stdout
    project.write("__main__.py", "import sys\nsys.exit(0)\n")
    assert project.up().returncode == 0


def test_a_syntax_error_names_its_line(project):
    project.write("__main__.py", "x = 1\ny = (\n")
    done = project.up()
    assert done.returncode != 0
    assert f'File "{project.folder}/__main__.py", line 2' in done.stdout
    assert "SyntaxError" in done.stdout


def test_a_declared_environment_that_is_missing_is_named(project):
    project.write("Pulumi.yaml", "name: trial\nruntime: {name: python, options: {virtualenv: absent}}\n")
    project.env["VIRTUAL_ENV"] = str(VENV)
    done = project.up()
    assert done.returncode != 0
    assert "runtime.options.virtualenv is absent, found no such folder" in done.stdout + done.stderr


def test_what_the_cli_asks_about_is_answered(project):
    about = project.pulumi("about")
    assert about.returncode == 0, about.stderr
    assert "This project is written in python" in about.stdout
    assert project.pulumi("install").returncode == 0


def test_a_killed_engine_leaves_no_host(project, tmp_path):
    os.mkfifo(tmp_path / "pid")
    project.write(
        "__main__.py",
        f"import os, signal\nopen({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\n"
        "import threading\nthreading.Event().wait()\n",
    )
    command = [str(cli.path()), "up", "--yes", "--skip-preview", "--non-interactive"]
    with subprocess.Popen(command, cwd=project.folder, env=project.env, stdout=subprocess.DEVNULL) as engine:
        watched = os.pidfd_open(int((tmp_path / "pid").read_text()))
        engine.send_signal(signal.SIGKILL)
    assert select.select([watched], [], [], 30)[0]
    os.close(watched)
