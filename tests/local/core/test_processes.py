"""What is known of a process, and how it and all it started are ended."""

import dataclasses
import signal
import subprocess
import sys

import pytest

from local.errors import LocalError
from local.processes import Process, Records, gone
from tests.support.until import BOUND_SECONDS


@pytest.fixture
def sleeper():
    """Starts processes that wait, each in a session of its own; none is left."""
    started = []

    def start(code="input()"):
        process = subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )
        started.append(process)
        return process

    yield start
    for process in started:
        with process:
            process.kill()


def test_a_process_is_itself_only_with_its_start_time(sleeper):
    process = Process.of(sleeper().pid, "sleeper")
    assert process.alive
    assert not dataclasses.replace(process, started=process.started + "0").alive
    assert not Process.of(2**22 + 1).alive
    dataclasses.replace(process, started="another:1").end(0)
    assert process.alive
    assert process.end(10)
    assert not process.alive  # although nobody has waited for it


def test_one_that_ignores_the_signal_is_killed(sleeper):
    child = sleeper("import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); input()")
    child.stdout.readline()
    process = Process.of(child.pid)
    assert process.end(0.2) is False
    assert child.wait(10) == -signal.SIGKILL


def test_what_a_process_started_is_ended_with_it(sleeper):
    parent = sleeper(
        "import subprocess, sys; child = subprocess.Popen([sys.executable, '-c', 'import signal; signal.pause()']);"
        "print(child.pid, flush=True); input()"
    )
    child = Process.of(int(parent.stdout.readline()))
    leader = Process.of(parent.pid)
    parent.kill()
    parent.wait(10)
    assert child.alive
    leader.end(0)
    assert gone([child], BOUND_SECONDS)


def test_records_survive_and_are_forgotten(tmp_path, sleeper):
    process = Process.of(sleeper().pid, "sleeper")
    Records(tmp_path / "p").note(process)
    assert Records(tmp_path / "p").all() == [process]
    Records(tmp_path / "p").forget(process)
    Records(tmp_path / "p").forget(process)
    assert Records(tmp_path / "p").all() == []
    assert Records(tmp_path / "never").all() == []


@pytest.mark.parametrize("text", ["garbage", "[]", '{"pid": 1}', ""])
def test_a_record_that_cannot_be_read_is_named(tmp_path, text):
    (tmp_path / "4711.process.json").write_text(text)
    with pytest.raises(LocalError, match=r"4711\.process\.json can't be read .* end process 4711 .* remove the file"):
        Records(tmp_path).all()
