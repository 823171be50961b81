"""An abort of the build, as Jenkins does it, reaches the engine once and its plugins not at all."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.project import ROOT

SCRIPT = ROOT / "jenkins" / "stop_once.py"
COOKIE = "JENKINS_SERVER_COOKIE"

# An engine with a plugin. It says that it is up, notes each signal, and ends when told that putting back is done.
ENGINE = """
import os, signal, subprocess, sys
plugin = subprocess.Popen([sys.executable, "plugin.py"], stdout=subprocess.PIPE)
plugin.stdout.readline()
def note(number, _):
    with open("engine.signals", "a") as file:
        file.write(signal.Signals(number).name + " ")
    with open("stopping", "w") as file:
        file.write("x")
signal.signal(signal.SIGTERM, note)
signal.signal(signal.SIGINT, note)
assert not {"JENKINS_SERVER_COOKIE", "JENKINS_NODE_COOKIE", "BUILD_ID"} & set(os.environ)
with open("up", "w") as file:
    file.write(f"{os.getpid()} {plugin.pid}")
print("engine up", flush=True)
with open("put-back") as file:
    file.read()
plugin.kill()
sys.exit(3)
"""
PLUGIN = """
import signal
def note(number, _):
    with open("plugin.signals", "a") as file:
        file.write(signal.Signals(number).name + " ")
signal.signal(signal.SIGTERM, note)
signal.signal(signal.SIGINT, note)
print("plugin up", flush=True)
while True:
    signal.pause()
"""


class Build:
    """One build step: the wrapper around a command, with the cookie by which Jenkins knows its processes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cookie = f"durable-{uuid.uuid4()}"
        self.pids: list[int] = []
        (folder / "plugin.py").write_text(PLUGIN)
        for name in ("up", "stopping", "put-back"):
            os.mkfifo(folder / name)

    def start(self, *command: str, prefix: tuple[str, ...] = ()) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*prefix, sys.executable, str(SCRIPT), *command],
            cwd=self.folder,
            env={**os.environ, COOKIE: self.cookie, "JENKINS_NODE_COOKIE": "x", "BUILD_ID": "7"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def wait_for_engine(self) -> None:
        self.pids = [int(pid) for pid in (self.folder / "up").read_text().split()]

    def marked(self) -> list[int]:
        """The processes Jenkins finds: those that carry the cookie."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                variables = (folder / "environ").read_bytes().split(b"\0")
            except OSError:
                continue
            if f"{COOKIE}={self.cookie}".encode() in variables:
                found.append(int(folder.name))
        return found

    def abort(self) -> None:
        for pid in self.marked():
            os.kill(pid, signal.SIGTERM)

    def signals(self, who: str) -> list[str]:
        file = self.folder / f"{who}.signals"
        return file.read_text().split() if file.exists() else []


@pytest.fixture
def build(tmp_path: Path) -> Iterator[Build]:
    found = Build(tmp_path)
    yield found
    for pid in found.pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def test_an_abort_is_one_interrupt_and_the_engine_has_its_time(build):
    step = build.start(sys.executable, "-c", ENGINE)
    build.wait_for_engine()
    assert build.marked() == [step.pid], "the engine and its plugin are outside the tree that Jenkins ends"
    build.abort()
    assert (build.folder / "stopping").read_text() == "x"
    build.abort()  # Jenkins asks again when the first request takes long
    assert step.poll() is None, "the step, and with it the lock, lasts as long as the engine"
    (build.folder / "put-back").write_text("done")
    out, errors = step.communicate()
    assert step.returncode == 3
    assert build.signals("engine") == ["SIGINT"]
    assert build.signals("plugin") == []
    assert out == "engine up\n"
    assert errors.count("sending one interrupt") == 1


def test_interrupts_that_the_agent_ignores_reach_the_engine_all_the_same(build):
    """A shell starts background commands, and Jenkins its steps, with SIGINT ignored."""
    step = build.start(sys.executable, "-c", ENGINE, prefix=("/bin/sh", "-c", 'trap "" INT; exec "$@"', "sh"))
    build.wait_for_engine()
    build.abort()
    assert (build.folder / "stopping").read_text() == "x"
    (build.folder / "put-back").write_text("done")
    step.communicate()
    assert build.signals("engine") == ["SIGINT"]


def test_output_and_exit_code_are_those_of_the_command(build):
    step = build.start("/bin/sh", "-c", "echo out; echo err >&2; exit 9")
    assert step.communicate() == ("out\n", "err\n")
    assert step.returncode == 9


def test_a_command_ended_by_a_signal(build):
    step = build.start("/bin/sh", "-c", "kill -KILL $$")
    step.communicate()
    assert step.returncode == 128 + signal.SIGKILL


def test_a_command_that_is_not_there(build):
    step = build.start("/nowhere/pulumi")
    assert step.communicate()[1] == "stop_once: /nowhere/pulumi does not start: No such file or directory\n"
    assert step.returncode == 127


def test_no_command():
    done = subprocess.run([sys.executable, str(SCRIPT)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "stop_once: found no command, expected stop_once.py COMMAND ...\n")


def test_an_engine_whose_step_is_killed_ends_by_itself(build):
    """Nothing can pass on what the kernel does to the step: the engine finishes what it has begun."""
    step = build.start(sys.executable, "-c", ENGINE)
    build.wait_for_engine()
    watched = os.pidfd_open(build.pids[0])
    step.kill()
    step.wait()
    (build.folder / "put-back").write_text("done")
    assert select.select([watched], [], [], 30)[0]
    os.close(watched)
    assert step.communicate() == ("engine up\n", "")
    assert build.signals("engine") == []
