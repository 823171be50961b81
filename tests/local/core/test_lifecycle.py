"""Start and stop, through the command line, from every state that a folder can be left in."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from local import lifecycle
from local.folder import PROJECT
from local.processes import Process, Records, gone
from tests.support.until import BOUND_SECONDS

pytestmark = pytest.mark.slow


def test_a_second_start_finds_the_first_one(fresh):
    first = fresh.start()
    second = fresh.run("start")
    assert second.returncode == 0
    assert "runs already" in second.stdout
    assert fresh.control == first


def test_the_environment_points_clients_and_pulumi_at_it(fresh):
    control = fresh.start()
    shell = subprocess.run(
        ["/bin/sh", "-ec", fresh.run("env").stdout + "\nenv"], capture_output=True, text=True, check=True, env={}
    )
    environment = dict(line.split("=", 1) for line in shell.stdout.splitlines())
    root = fresh.folder.root
    assert (
        environment.items()
        >= {
            "AWS_ENDPOINT_URL": control["endpoint"],
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_REGION": "eu-west-1",
            "BLUEGREEN_LOCAL_DIR": str(root),
            "PULUMI_HOME": f"{root}/pulumi-home",
            "PULUMI_BACKEND_URL": f"file://{root}/state",
            "PULUMI_CONFIG_PASSPHRASE": "",
        }.items()
    )
    assert (root / "env").read_text() == fresh.run("env").stdout
    assert os.access(root / "pulumi-home/plugins/resource-aws-v7.51.1/pulumi-resource-aws", os.X_OK)


def test_stop_leaves_no_process_no_port_and_no_state(fresh):
    control = fresh.start()
    make_database(fresh, "gone")
    processes = [psutil.Process(control["pid"]), *psutil.Process(control["pid"]).children(recursive=True)]
    assert len(processes) > 1
    done = fresh.run("stop")
    assert done.returncode == 0
    assert "its state is gone" in done.stdout
    assert psutil.wait_procs(processes, timeout=BOUND_SECONDS)[1] == []
    assert not listens(control["endpoint"])
    assert list(fresh.folder.root.iterdir()) == []


def test_stop_of_what_does_not_run_says_so(fresh):
    done = fresh.run("stop")
    assert (done.returncode, done.stdout) == (0, "the embedded AWS does not run\n")
    assert fresh.run("status").returncode == 3
    missing = fresh.run("env")
    assert missing.returncode == 1
    assert "start it with `make local`" in missing.stderr


def test_a_killed_daemon_takes_its_servers_along_and_the_next_start_is_clean(fresh):
    control = fresh.start()
    make_database(fresh, "orphan")
    servers = [Process.of(child.pid) for child in psutil.Process(control["pid"]).children()]
    os.kill(control["pid"], signal.SIGKILL)
    assert gone(servers, BOUND_SECONDS)  # each asked the kernel for it
    (fresh.folder.root / "state" / "old").touch()
    again = fresh.run("start")
    assert again.returncode == 0, again.stderr
    assert "ended without being stopped" in again.stdout
    assert fresh.control["pid"] != control["pid"]
    assert fresh.client("rds").describe_db_instances()["DBInstances"] == []
    assert not (fresh.folder.root / "state" / "old").exists()


def test_signals_that_a_build_server_ignores_are_not_ignored_in_it(fresh):
    """Else a server that is asked to end by SIGQUIT would outlive it."""
    ignoring = 'trap "" HUP INT QUIT; exec "$@"'
    done = fresh.run("start", through=("/bin/sh", "-c", ignoring, "sh"))
    assert done.returncode == 0, done.stderr
    make_database(fresh, "obedient")
    daemon = psutil.Process(fresh.control["pid"])
    family = [daemon, *daemon.children()]
    assert len(family) > 1
    assert not any(ignored(one.pid) & {signal.SIGHUP, signal.SIGINT, signal.SIGQUIT} for one in family)


def ignored(pid):
    (mask,) = re.findall(r"^SigIgn:\s*([0-9a-f]+)$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return {number for number in range(1, 65) if int(mask, 16) >> (number - 1) & 1}


def test_what_outlived_a_killed_daemon_is_ended_by_the_next_start(fresh):
    control = fresh.start()
    # Whoever runs this may have it ignored, and it is inherited.
    code = "import signal; signal.signal(signal.SIGQUIT, signal.SIG_DFL); print(flush=True); input()"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", code], **pipes, start_new_session=True) as stray:
        stray.stdout.readline()
        fresh.folder.records.note(Process.of(stray.pid, "a stray server"))
        os.kill(control["pid"], signal.SIGKILL)
        assert gone([Process.of(control["pid"])], BOUND_SECONDS)
        again = fresh.run("start")
        assert f"ending a stray server (pid {stray.pid})" in again.stdout
        assert stray.wait(10) == -signal.SIGQUIT


def test_a_record_of_a_number_given_to_another_process_ends_nobody(fresh):
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True) as innocent:
        now = Process.of(innocent.pid)
        boot, ticks = now.started.split(":")
        stale = Process(pid=innocent.pid, started=f"{boot}:{int(ticks) - 1}", what="embedded AWS")
        Records(fresh.folder.daemon).note(stale)
        fresh.folder.records.note(stale)
        fresh.folder.control.write_text(json.dumps({"pid": innocent.pid, "endpoint": "http://127.0.0.1:1"}))
        assert fresh.run("status").returncode == 3
        started = fresh.run("start")
        assert started.returncode == 0, started.stderr
        assert innocent.poll() is None
        innocent.communicate(b"\n")


def test_a_half_started_one_is_replaced(fresh):
    """A daemon that lives, is on record, and never becomes ready."""
    fresh.folder.root.mkdir(parents=True)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True) as stuck:
        Records(fresh.folder.daemon).note(Process.of(stuck.pid, "embedded AWS"))
        assert json.loads(fresh.run("status", "--json").stdout)["starting"] is True
        started = fresh.run("start")
        assert started.returncode == 0, started.stderr
        assert f"stopping the embedded AWS (pid {stuck.pid})" in started.stdout
        assert stuck.wait(10) == -signal.SIGTERM


@pytest.mark.filterwarnings("ignore:subprocess:ResourceWarning")  # the daemon outlives the call that starts it
def test_one_that_hangs_is_killed_and_replaced(fresh, monkeypatch):
    monkeypatch.setattr(lifecycle, "ASK_SECONDS", 1.0)
    monkeypatch.setattr(lifecycle, "HUNG_SECONDS", 0.2)
    control, said = fresh.start(), []
    os.kill(control["pid"], signal.SIGSTOP)
    again = lifecycle.start(fresh.folder, None, said.append)
    assert again["pid"] != control["pid"]
    assert not Process.of(control["pid"]).alive
    assert len([line for line in said if "does not answer (timed out)" in line]) == lifecycle.ASK_TIMES


def test_a_port_in_use_is_refused_by_name_and_nothing_is_left(fresh):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = fresh.run("start", "--port", str(port))
    assert done.returncode == 1
    assert f"port {port} on 127.0.0.1 is in use by pid {os.getpid()}" in done.stderr
    assert "--port" in done.stderr
    assert fresh.run("status").returncode == 3
    assert fresh.run("start").returncode == 0


def test_another_port_than_it_runs_with_is_refused(fresh):
    fresh.start()
    done = fresh.run("start", "--port", "1024")
    assert done.returncode == 1
    assert "it runs already" in done.stderr


def test_two_run_side_by_side(fresh, tmp_path):
    other = type(fresh)(type(fresh.folder)(tmp_path / "other"))
    try:
        mine, theirs = fresh.start(), other.start()
        assert mine["endpoint"] != theirs["endpoint"]
        addresses = [make_database(one, "same")["Endpoint"]["Address"] for one in (fresh, other)]
        assert len(set(addresses)) == 2
    finally:
        assert other.run("stop").returncode == 0
    assert listens(mine["endpoint"])
    assert len(fresh.client("rds").describe_db_instances()["DBInstances"]) == 1


def test_starts_at_the_same_time_make_one(fresh):
    environment = {**os.environ, "BLUEGREEN_LOCAL_DIR": str(fresh.folder.root)}
    starts = [
        subprocess.Popen([sys.executable, "-m", "local", "start"], cwd=PROJECT, env=environment, stdout=subprocess.PIPE)
        for _ in range(3)
    ]
    told = [start.communicate(timeout=60)[0].decode() for start in starts]
    assert [start.returncode for start in starts] == [0, 0, 0]
    assert sum("runs already" in one for one in told) == 2


def test_an_interrupted_start_leaves_nothing(fresh):
    environment = {**os.environ, "BLUEGREEN_LOCAL_DIR": str(fresh.folder.root)}
    with subprocess.Popen(
        [sys.executable, "-m", "local", "start"],
        cwd=PROJECT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as start:
        assert start.stdout
        assert b"starting" in start.stdout.readline()
        start.send_signal(signal.SIGINT)
        start.communicate(timeout=30)
    assert start.returncode == 1
    assert [one for one in Records(fresh.folder.daemon).all() if one.alive] == []
    assert fresh.run("status").returncode == 3


def make_database(embedded, identifier):
    """A database that is available; as DescribeDBInstances answers it."""
    rds = embedded.client("rds")
    rds.create_db_instance(
        DBInstanceIdentifier=identifier,
        Engine="postgres",
        DBInstanceClass="db.t4g.micro",
        AllocatedStorage=20,
        MasterUsername="owner",
        ManageMasterUserPassword=True,
    )
    return embedded.database(identifier)


def listens(endpoint):
    where = urlsplit(endpoint)
    with socket.socket() as probe:
        return probe.connect_ex((where.hostname, where.port)) == 0
