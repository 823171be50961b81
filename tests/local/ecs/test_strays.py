"""Processes that left their group are ended whatever they are just doing."""

import contextlib
import os
import subprocess

import pytest

from local.ecs import strays
from tests.support.until import until

MANY, ROUNDS = 12, 60


@pytest.fixture
def start(tmp_path):
    """Starts a process of the task whose folder is `tmp_path`, or of none; killed at the end of the test."""
    with contextlib.ExitStack() as stack:

        def start_one(*command, environment=None):
            given = {"TMPDIR": str(tmp_path)} if environment is None else environment
            process = stack.enter_context(subprocess.Popen(command, env=given, start_new_session=True))
            stack.callback(process.kill)
            return process

        yield start_one


def restless(start, folder, many=MANY):
    """Processes that give themselves another program all the time, until whoever started them is gone."""
    script = folder / "again"
    script.write_text(f'[ "$PPID" = {os.getpid()} ] || exit\nexec /bin/sh {script}\n')
    return [start("/bin/sh", str(script)) for _ in range(many)]


def test_who_gives_itself_another_program_all_the_time_is_ended(start, tmp_path):
    """Between two programs a process has no environment, so that one look misses some of them."""
    processes = restless(start, tmp_path)
    assert set(strays.end(tmp_path)) == {process.pid for process in processes}
    for process in processes:
        assert process.wait(20) == -9


def test_one_that_has_no_environment_just_now_is_looked_at_again(start, tmp_path):
    for _ in range(ROUNDS):
        (process,) = restless(start, tmp_path, 1)
        assert strays.end(tmp_path) == [process.pid]


def test_a_process_of_another_task_or_without_an_environment_is_left_and_not_waited_for(start, tmp_path, monkeypatch):
    others = [start("/bin/sleep", "60", environment=given) for given in ({"TMPDIR": "/elsewhere"}, {})]
    monkeypatch.setattr(strays, "LOOK_SECONDS", float("inf"))
    assert strays.end(tmp_path) == []
    assert [process.poll() for process in others] == [None, None]


def test_twin_a_single_look_misses_some(start, tmp_path):
    pids = {process.pid for process in restless(start, tmp_path)}
    until(lambda: pids - set(strays._look(bytes(tmp_path))[0]))
