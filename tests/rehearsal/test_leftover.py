import json
import subprocess
import sys

import psutil

from rehearsal import leftover


def sleeper():
    code = (
        "import subprocess, sys; child = subprocess.Popen([sys.executable, '-c', 'input()'], stdin=0)\n"
        "print(child.pid, flush=True); child.wait()"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    )


def test_what_was_noted_is_ended_with_its_children(tmp_path):
    file = tmp_path / "pulumi.json"
    with sleeper() as process:
        process.stdout.readline()
        leftover.remember(file, process.pid)
        leftover.end(file)
        assert not psutil.pid_exists(process.pid)
    assert not file.exists()


def test_another_process_with_the_same_pid_is_left_alone(tmp_path):
    file = tmp_path / "pulumi.json"
    with sleeper() as process:
        process.stdout.readline()
        leftover.remember(file, process.pid)
        noted = json.loads(file.read_text())
        file.write_text(json.dumps({**noted, "created": noted["created"] - 60}))
        leftover.end(file)
        assert process.poll() is None
        assert not file.exists()
        process.communicate("\n", timeout=10)


def test_nothing_noted_or_something_unreadable_is_no_error(tmp_path):
    file = tmp_path / "pulumi.json"
    leftover.end(file)
    for text in ("", "{", "[]", '{"pid": 99999999, "created": 1}'):
        file.write_text(text)
        leftover.end(file)
        assert not file.exists()
