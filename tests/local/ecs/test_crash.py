"""Nothing outlives the daemon, however it ends."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from local.addresses import Addresses
from local.ecs.scheduler import Scheduler
from local.processes import Process, Records
from tests.local.ecs.stand_ins import runs
from tests.support.until import until

pytestmark = pytest.mark.slow

DAEMON = """
import json, os, sys, threading
from pathlib import Path
from local.ecs.spawner import Launch, Spawner
from local.ecs.watcher import Watcher
from local.ecs.logs import Discard
from local.processes import Records

spawner, watcher = Spawner(), Watcher(Records(Path(sys.argv[1])))
spawner.start()
watcher.start()
sleep = "import time; time.sleep(600)"
child = f"import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', {sleep!r}]).pid, flush=True); {sleep}"
for name in ("one", "two"):
    read, write = os.pipe()
    command = [sys.executable, "-c", child]
    launch = Launch(program=sys.executable, argv=command, environment={}, directory=Path("/"), output=write)
    popen = spawner.spawn(launch)
    os.close(write)
    grandchild = int(os.read(read, 100))
    watcher.watch(name, popen, read, Discard(), lambda: None)
    print(json.dumps([popen.pid, grandchild]), flush=True)
print("ready", flush=True)
threading.Event().wait()
"""


@pytest.fixture
def killed(tmp_path):
    """A daemon with two containers, each with a child, that was ended by SIGKILL: all the numbers."""
    daemon = subprocess.Popen(
        [sys.executable, "-c", DAEMON, str(tmp_path)], stdout=subprocess.PIPE, cwd=Path(__file__).parents[3]
    )
    pairs = []
    with daemon:
        for line in daemon.stdout:
            if line == b"ready\n":
                break
            pairs.append(json.loads(line))
        assert all(runs(pid) for pair in pairs for pid in pair)
        daemon.send_signal(signal.SIGKILL)
        daemon.wait()
    yield pairs
    for pair in pairs:
        for pid in pair:
            if runs(pid):
                os.kill(pid, signal.SIGKILL)


def test_containers_die_with_a_killed_daemon_and_the_next_one_ends_the_rest(killed, tmp_path):
    until(lambda: not any(runs(leader) for leader, _ in killed))
    assert len(Records(tmp_path).all()) == 2
    scheduler = Scheduler(tmp_path, None, None, Addresses())
    scheduler.start()
    scheduler.stop()
    until(lambda: not any(runs(child) for _, child in killed))
    assert Records(tmp_path).all() == []


def test_a_record_of_another_process_is_dropped_and_its_namesake_lives(tmp_path):
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    try:
        Records(tmp_path).note(Process(pid=other.pid, started="another-boot:1", what="stale"))
        scheduler = Scheduler(tmp_path, None, None, Addresses())
        scheduler.start()
        scheduler.stop()
        assert other.poll() is None
        assert Records(tmp_path).all() == []
    finally:
        other.kill()
        other.wait()


def test_stop_ends_every_task_and_gives_moto_back(aws):
    from moto.ecs.responses import EC2ContainerServiceResponse as Responses

    assert "list_service_deployments" in Responses.__dict__
    arn = aws.run(aws.define(containers=[aws.container(command=("stubborn",), stopTimeout=120)]))
    pid = aws.pid(arn)
    aws.scheduler.stop()
    assert not runs(pid)
    assert "list_service_deployments" not in Responses.__dict__
