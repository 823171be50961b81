"""A network that goes silent: no answer comes any more and no socket is closed. A run ends in its time all the same."""

import shutil
import socket
import subprocess
import sys
import time

import pytest

from migrations import database, settings
from tests.support.silent_relay import silent_relay
from tests.support.trees_on_disk import BASE, result_of

pytestmark = pytest.mark.slow
TASK_SECONDS = 6  # the run has 4 of them for its work
LONG_AFTER = 8
SECONDS = 30
WATCH = 3  # the runner's connections: its own, one to look for a pooler with, the watch
CLOCK = "thread = threading.Thread(target=clock.run"
JOIN = "thread.join(min(_JOIN_SECONDS, max(until - self.clock(), _JOIN_SECONDS / 10)))"


def start(tree, environment, relay):
    given = {"DB_PORT": str(relay.port), "MIGRATION_TASK_SECONDS": str(TASK_SECONDS)}
    return subprocess.Popen(
        [sys.executable, "-m", "migrations", "expand"], cwd=tree, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, env={**BASE, **environment, **given, "APP_VERSION": "v2"},
    )  # fmt: skip


def silence(relay, connection, runner):
    """From when its statement runs."""
    asleep = (
        "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND state = 'active'"
        " AND query LIKE '%%pg_sleep%%' AND pid <> pg_backend_pid()"
    )
    deadline = time.monotonic() + SECONDS
    while not connection.execute(asleep).fetchone():
        assert runner.poll() is None, runner.communicate()
        assert time.monotonic() < deadline
    relay.silent.set()


def test_a_run_that_gets_no_answer_ends_by_its_own_time(own_tree, owner_environment, schema_server, schema):
    tree = own_tree("SELECT pg_sleep(1); CREATE TABLE done (id int)")
    with silent_relay(schema_server.port) as relay, schema_server.connect(schema) as connection:
        runner = start(tree, owner_environment, relay)
        silence(relay, connection, runner)
        _, errors = runner.communicate(timeout=60)
        assert runner.returncode == 8, errors
        assert "the time of the whole phase is over, and what ran then was ended" in errors
        assert connection.execute("SELECT to_regclass('done')").fetchone() == (None,)


def test_a_watch_that_gets_no_answer_keeps_no_run_from_its_end(own_tree, owner_environment, schema_server, schema):
    tree = own_tree("SELECT pg_sleep(1); CREATE TABLE done (id int)")
    with silent_relay(schema_server.port, WATCH) as relay, schema_server.connect(schema) as connection:
        runner = start(tree, owner_environment, relay)
        silence(relay, connection, runner)
        output, errors = runner.communicate(timeout=60)
        found = subprocess.CompletedProcess(runner.args, runner.returncode, output, errors)
        assert result_of(found)["applied"] == ["e0001", "e0002"]


def test_twins_without_its_clock_or_with_an_endless_wait_for_the_watch_it_hangs(
    own_tree, owner_environment, schema_server, tmp_path
):
    tree = own_tree("SELECT pg_sleep(1)")
    broken = {
        "clock": ("migrations/hang_up.py", CLOCK, "thread = threading.Thread(target=clock.stop", ()),
        "join": ("migrations/locking/watch.py", JOIN, "thread.join()", (WATCH,)),
    }
    with schema_server.database() as first, schema_server.database() as second:
        runners = []
        for (name, (path, text, instead, numbers)), database_name in zip(broken.items(), (first, second), strict=True):
            twin = tmp_path / name
            shutil.copytree(tree, twin)
            source = (twin / path).read_text()
            assert source.count(text) == 1
            (twin / path).write_text(source.replace(text, instead))
            relay = silent_relay(schema_server.port, *numbers)
            opened = relay.__enter__()
            runner = start(twin, {**owner_environment, "DB_NAME": database_name}, opened)
            runners.append((runner, relay))
            with schema_server.connect(database_name) as connection:
                silence(opened, connection, runner)
        deadline = time.monotonic() + LONG_AFTER
        for runner, _ in runners:
            try:
                runner.wait(max(deadline - time.monotonic(), 0.1))
            except subprocess.TimeoutExpired:
                continue
            raise AssertionError(runner.communicate())
        for runner, relay in runners:
            runner.kill()
            runner.communicate()
            relay.__exit__(None, None, None)


def test_the_kernel_looks_after_each_connection(owner_environment):
    with database.connect(settings.load({**owner_environment, "APP_VERSION": "v1"}), lambda _: None) as connection:
        with socket.socket(fileno=connection.fileno()) as line:
            asked = line.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            idle = line.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE)
            unanswered = line.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
            line.detach()
        assert (asked, idle, unanswered) == (1, 15, 30_000)
