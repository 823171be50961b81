from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap

import pytest

from tools import console
from tools.project import ROOT, ToolError

pytestmark = pytest.mark.usefixtures("cache_home")


def test_the_lines_are_returned_and_kept():
    lines = console.run("Saying two things", ["/bin/sh", "-c", "echo one; echo two >&2"])
    assert lines == ["one", "two"]
    assert (console.LOG / "saying-two-things.log").read_text() == "one\ntwo\n"


def test_a_failure_names_the_last_line_and_the_log():
    with pytest.raises(ToolError) as caught:
        console.run("trying", ["/bin/sh", "-c", "echo reason; echo; exit 7"])
    assert str(caught.value) == f"trying: failed with exit code 7: reason (all of it: {console.LOG}/trying.log)"


def test_a_silent_failure_says_so():
    with pytest.raises(ToolError, match="failed with exit code 1: it printed nothing"):
        console.run("trying", ["/bin/false"])


def test_a_missing_program_is_named():
    with pytest.raises(ToolError, match=r"trying: /nowhere/x does not start \(No such file or directory\)"):
        console.run("trying", ["/nowhere/x"])


def test_a_long_command_shows_that_it_still_runs(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(console, "PROGRESS_SECONDS", 0.01)
    seen = tmp_path / "seen"
    os.mkfifo(seen)
    said = console.say

    def say(text: str) -> None:  # the command ends when the first line of progress was written
        said(text)
        if not (tmp_path / "once").exists():
            (tmp_path / "once").touch()
            seen.write_text("go on\n")

    monkeypatch.setattr(console, "say", say)
    console.run("waiting", ["/bin/sh", "-c", f"read line < {seen}"], progress=lambda lines: f"{lines} of 2 steps, ")
    assert "tools: waiting: 0 of 2 steps, 0 s\n" in capsys.readouterr().out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_what_was_started(tmp_path, number):
    script = textwrap.dedent(f"""
        import signal
        from pathlib import Path
        from tools import __main__, console, setup

        console.LOG = Path({str(tmp_path)!r})
        setup.set_up = lambda *_, **__: console.run("waiting", ["/bin/sh", "-c", "echo $$ > {tmp_path}/pid; sleep 99"])
        raise SystemExit(__main__.main(["setup"]))
    """)
    fifo = tmp_path / "pid"
    os.mkfifo(fifo)
    process = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stderr=subprocess.PIPE, text=True)
    pid = int(fifo.read_text())
    process.send_signal(number)
    _, errors = process.communicate()
    assert process.returncode == 130
    assert errors == "tools: interrupted; nothing half-made is left\n"
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_who_stops_reading_stops_nothing():
    """As `make freeze | head -1` does."""
    program = "import sys; from tools.console import say; [say('line') for _ in range(3)]; sys.exit(7)"
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, stdout=write, stderr=subprocess.PIPE, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (7, b"")
