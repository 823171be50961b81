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


# `python -m rehearsal`, whole or with fewer steps, in which each resource is told however short it took. Interrupts
# come through also where the tests themselves run in the background of a shell, which ignores them.
PROGRAM = """
import signal
import sys
from rehearsal import __main__, engine
from rehearsal.story import Story

signal.signal(signal.SIGINT, signal.default_int_handler)
if names := set(filter(None, sys.argv[1].split("|"))):
    engine._LONG_SECONDS = 0.0
    whole = Story.steps
    Story.steps = lambda story: (step for step in whole(story) if step[0] in names)
sys.exit(__main__.main(sys.argv[2:]))
"""
BEGIN = ("start the embedded AWS", "first release: v1 on an empty database")


@contextlib.contextmanager
def playing(folder, *steps):
    process = subprocess.Popen(
        [sys.executable, "-u", "-c", PROGRAM, "|".join(steps), "--rps", "50", "--folder", str(folder)],
        cwd=PROJECT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.communicate(timeout=120)
        finally:
            process.kill()


def read_until(process, words):
    for line in process.stdout:
        if words in line:
            return
    raise AssertionError(f"the rehearsal ended before it said {words!r}")


def interrupt(process, folder, how=signal.SIGINT):
    """Now; and nothing may be left of it."""
    process.send_signal(how)
    rest = process.communicate(timeout=120)[0]
    assert process.returncode == 130, rest
    assert "interrupted, stopping everything" in rest
    assert processes_of(folder) == []
    found = json.loads((folder / "latest.json").read_text())
    assert found["ok"] is False
    assert [step["ok"] for step in found["steps"]] == [*[True] * (len(found["steps"]) - 1), False]
    assert not any(Path(folder / "aws").glob("*"))


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
    with playing(folder, *BEGIN, "load on", "release v2 while a transaction holds the table") as process:
        read_until(process, words)
        interrupt(process, folder, how)


def test_an_interrupt_in_a_failing_migration_then_one_in_the_destroy_of_the_next_run(tmp_path):
    folder = tmp_path / "rehearsal"
    with playing(folder, *BEGIN, "load on", "a release whose migration fails") as process:
        read_until(process, "a release whose migration fails")
        read_until(process, "python -m migrations expand")
        interrupt(process, folder)
    with playing(folder, *BEGIN, "destroy") as process:
        read_until(process, ": delete in ")
        interrupt(process, folder)


def test_a_run_after_a_kill_begins_afresh(tmp_path):
    """Killed, it can stop nothing: the next run ends what is left before it begins."""
    folder = tmp_path / "rehearsal"
    with playing(folder) as killed:
        read_until(killed, "first release")
        killed.kill()
    assert processes_of(folder)
    with playing(folder, *BEGIN, "load on") as process:
        read_until(process, "first release")
        read_until(process, "load on")
    assert process.returncode == 130
    assert processes_of(folder) == []
