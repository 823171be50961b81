"""The scratch PostgreSQL: whose it is, where it listens, and that nothing of it is left."""

import errno
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg
import pytest

from preview import scratch
from rehearsal.trees import PROJECT
from tests.support.scratch_postgres import scratch_server

pytestmark = pytest.mark.slow

HELD = (
    "import sys\n"
    "from preview.scratch import scratch_server\n"
    "with scratch_server() as server:\n"
    "    with server.connect('postgres') as connection:\n"
    "        print(server.port, connection.execute('SHOW data_directory').fetchone()[0], flush=True)\n"
    "    sys.stdin.read()\n"
)


def postmaster(data):
    return int((Path(data) / "postmaster.pid").read_text().split()[0])


def test_it_runs_as_nobody_special_on_loopback_and_is_gone_afterwards():
    with scratch_server() as server, server.connect("postgres") as connection:
        data = connection.execute("SHOW data_directory").fetchone()[0]
        pid = postmaster(data)
        assert Path(f"/proc/{pid}").stat().st_uid != 0
        assert connection.execute("SHOW listen_addresses").fetchone()[0] == "127.0.0.1"
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            server.connect("postgres", password="wrong")
    assert not Path(data).exists()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_it_ends_with_an_error_of_the_block_too():
    with pytest.raises(RuntimeError, match="of the test"), scratch_server() as server:
        raise RuntimeError("of the test")
    with pytest.raises(psycopg.OperationalError):
        server.connect("postgres")


def test_it_does_not_outlive_a_process_that_is_killed():
    with subprocess.Popen(
        [sys.executable, "-c", HELD], cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        port, data = process.stdout.readline().split()
        process.send_signal(signal.SIGKILL)
        process.wait(20)
    for _ in range(400):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", int(port))):
                break
        time.sleep(0.05)
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", int(port))) == errno.ECONNREFUSED
    shutil.rmtree(Path(data).parent)  # nobody was left to do it


def test_where_it_does_not_start_the_reason_is_told_and_nothing_is_left(monkeypatch):
    made = []

    def mkdtemp(**options):
        made.append(Path(original(**options)))
        return str(made[-1])

    original = tempfile.mkdtemp
    monkeypatch.setattr(scratch.tempfile, "mkdtemp", mkdtemp)
    monkeypatch.setitem(scratch._SETTINGS, "shared_buffers", "'nonsense'")
    with pytest.raises(scratch.NoScratchError, match=r"did not start within 20 s: .*configuration file"):
        scratch_server().__enter__()
    assert made
    assert not any(folder.exists() for folder in made)
