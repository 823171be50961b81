"""Ctrl-C at any point: everything stops, nothing runs on, and the next run begins as if nothing had been."""

import contextlib
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from rehearsal.gone import processes_of
from rehearsal.trees import PROJECT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@contextlib.contextmanager
def playing(folder):
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "rehearsal", "--rps", "50", "--folder", str(folder)],
        cwd=PROJECT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGINT)
        process.communicate(timeout=120)


def read_until(process, words):
    for line in process.stdout:
        if words in line:
            return
    raise AssertionError(f"the rehearsal ended before it said {words!r}")


@pytest.mark.parametrize(
    ("words", "how"),
    [
        ("start the embedded AWS", signal.SIGINT),
        ("first release", signal.SIGTERM),
        ("step 1 of 3", signal.SIGINT),
    ],
)
def test_an_interrupt_stops_everything(tmp_path, words, how):
    folder = tmp_path / "rehearsal"
    with playing(folder) as process:
        read_until(process, words)
        process.send_signal(how)
        rest = process.communicate(timeout=120)[0]
    assert process.returncode == 130, rest
    assert "interrupted, stopping everything" in rest
    assert processes_of(folder) == []
    assert json.loads((folder / "latest.json").read_text())["ok"] is False
    assert not any(Path(folder / "aws").glob("*"))


def test_a_run_after_a_kill_begins_afresh(tmp_path):
    """Killed, it can stop nothing: the next run ends what is left before it begins."""
    folder = tmp_path / "rehearsal"
    with playing(folder) as killed:
        read_until(killed, "first release")
        killed.kill()
    assert processes_of(folder)
    with playing(folder) as process:
        read_until(process, "first release")
        read_until(process, "load on")
    assert process.returncode == 130
    assert processes_of(folder) == []
