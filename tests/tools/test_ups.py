"""`make up` in a script: its exit code, and an end that reaches Pulumi once."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tools import ups
from tools.project import ROOT

REFUSED = "migrations: task arn failed: container migrate exited with code 3. Last 1 lines: can't serve"


@pytest.mark.parametrize(
    ("errors", "code"),
    [
        ([REFUSED, "update failed"], 43),
        (["container migrate exited with code 4"], 44),
        (["Preview failed: this release would be refused: ... (exit code 12 of the migrations command)"], 52),
        (["contract c0001 was not started: ... (as with exit code 15 of the migrations command)"], 55),
        (["this run would move the weights, and the weights are frozen since 2026"], 40),
        (["step 2 failed. The weights were left as last set, blue 90, and the weights are frozen since 2026"], 40),
        (["contract: the weights are frozen since 2026 (as with exit code 15 of the migrations command)"], 40),
        (["container app exited with code 3"], 255),  # the smoke test, or the service
        (["container migrate exited with code 137"], 255),  # killed: no exit code of the command's own
        (["update failed"], 255),
        ([], 255),
    ],
)
def test_the_exit_code_says_why(errors, code):
    assert ups.told(errors, 255) == code


# Writes its events, then ends as told; notes each signal meanwhile.
PULUMI = """
import json, os, signal, sys
events = sys.argv[sys.argv.index("--event-log") + 1]
assert os.environ["PULUMI_DEBUG_COMMANDS"] == "true"
with open(events, "w") as file:
    file.write(json.dumps({"diagnosticEvent": {"severity": "error", "message": os.environ["SAYS"]}}) + "\\n")
seen = []
def note(name):
    seen.append(name)
    os.write(1, b"got\\n")
signal.signal(signal.SIGINT, lambda *_: note("INT"))
signal.signal(signal.SIGTERM, lambda *_: note("TERM"))
print("up", os.getpid(), os.getsid(0), flush=True)
with open(os.environ["FIFO"]) as file:
    file.read()
print("seen", *seen, flush=True)
sys.exit(int(os.environ["ENDS"]))
"""
CALLER = "import os, sys; from tools import ups; sys.exit(ups.run([sys.executable, sys.argv[1]], dict(os.environ)))"


@pytest.fixture
def start(tmp_path: Path):
    program, fifo = tmp_path / "pulumi.py", tmp_path / "fifo"
    program.write_text(PULUMI)
    os.mkfifo(fifo)
    running: list[subprocess.Popen[str]] = []

    def begin(ends: int, says: str = "") -> subprocess.Popen[str]:
        running.append(
            subprocess.Popen(
                [sys.executable, "-c", CALLER, str(program)],
                cwd=ROOT,
                env={**os.environ, "FIFO": str(fifo), "ENDS": str(ends), "SAYS": says},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
        )
        return running[-1]

    begin.fifo = fifo
    yield begin
    for process in running:
        if process.poll() is None:
            process.kill()
        process.communicate()


def line(process: subprocess.Popen[str]) -> list[str]:
    assert select.select([process.stdout], [], [], 30)[0], "nothing was printed"
    return process.stdout.readline().split()


@pytest.mark.parametrize(("ends", "says", "code"), [(0, REFUSED, 0), (1, "x", 1), (255, REFUSED, 43)])
def test_pulumis_own_exit_code_stays_where_there_is_no_better_one(start, ends, says, code):
    process = start(ends, says)
    assert line(process)[0] == "up"
    start.fifo.write_text("end")
    assert process.wait(30) == code


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_end_reaches_pulumi_once_and_is_waited_for(start, number):
    process = start(1)
    _, pid, session = line(process)
    assert pid == session  # a session of its own: what a terminal sends to ours does not reach it
    os.killpg(process.pid, number)
    assert line(process) == ["got"]  # it is on its way through our process: not to be overtaken by the end below
    for _ in range(2):
        os.killpg(process.pid, number)
    assert process.poll() is None
    start.fifo.write_text("end")
    assert line(process) == ["seen", "INT"]
    assert process.wait(30) == 1
