"""One runner at a time, and what becomes of its lock when it dies, hangs or is cut off. On a real PostgreSQL."""

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest

from migrations.locking import one_runner
from migrations.locking.one_runner import LOCK
from tests.support.task_metadata import metadata_of
from tests.support.trees_on_disk import BASE, migrate, result_of
from tests.support.until import BOUND_SECONDS, until

pytestmark = pytest.mark.slow
HUNG, OTHER = "0123456789abcdef0123456789abcdef", "f" * 32
SLOW = 'statement_timeout = "5min"'


def start(tree, environment, command="expand", version="v1"):
    return subprocess.Popen(
        [sys.executable, "-m", "migrations", command], cwd=tree, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, env={**BASE, "APP_VERSION": version, **environment},
    )  # fmt: skip


def end(runner):
    """Whatever state it is in."""
    runner.kill()
    runner.send_signal(signal.SIGCONT)
    return runner.communicate(timeout=BOUND_SECONDS)


def sleeping(looker, runner):
    """Wait until the runner's statement runs; its session's pid and application_name."""
    query = (
        "SELECT pid, application_name FROM pg_stat_activity WHERE datname = current_database() AND state = 'active'"
        " AND pid <> pg_backend_pid() AND query LIKE '%pg_sleep%'"
    )

    def look():
        assert runner.poll() is None, runner.communicate()
        return looker.execute(query).fetchone()

    return until(look)


def lock_is_free(looker):
    free = looker.execute("SELECT pg_try_advisory_lock(%s)", (LOCK,)).fetchone()[0]
    if free:
        looker.execute("SELECT pg_advisory_unlock(%s)", (LOCK,))
    return free


def revisions(looker):
    return [row[0] for row in looker.execute("SELECT revision FROM schema_history ORDER BY applied_at")]


@pytest.fixture
def looker(schema_server, schema):
    with schema_server.connect(schema) as connection:
        yield connection


@pytest.fixture
def hung(own_tree, owner_environment, looker):
    """A runner of task HUNG that stands still in a statement: the kernel still answers for it. Its process and pid."""
    tree = own_tree("SELECT pg_sleep(600)", settings=SLOW)
    with metadata_of(HUNG) as uri:
        runner = start(tree, {**owner_environment, "ECS_CONTAINER_METADATA_URI_V4": uri})
        try:
            pid, name = sleeping(looker, runner)
            assert name == f"bluegreen-migrations {HUNG} v1"
            runner.send_signal(signal.SIGSTOP)
            yield runner, pid
        finally:
            end(runner)


def test_five_runners_at_once_apply_each_revision_once(schema_trees, owner_environment, looker):
    runners = [start(schema_trees["v2"], owner_environment, version="v2") for _ in range(5)]
    outputs = [runner.communicate(timeout=120) for runner in runners]
    assert [runner.returncode for runner in runners] == [0] * 5, outputs
    applied = [json.loads(out.splitlines()[-1])["result"]["applied"] for out, _ in outputs]
    assert [len(one) for one in sorted(applied)][:4] == [0] * 4
    assert sorted(applied)[4] == revisions(looker)
    assert looker.execute("SELECT count(*) = count(DISTINCT revision) FROM schema_history").fetchone() == (True,)


def test_a_runner_at_work_is_waited_for_and_then_named(own_tree, schema_trees, owner_environment, looker):
    tree = own_tree("SELECT pg_sleep(600)", settings=SLOW)
    runner = start(tree, owner_environment)
    try:
        pid, name = sleeping(looker, runner)
        assert name == "bluegreen-migrations - v1"
        # The tasks that AWS says are STOPPED are others.
        impatient = {"MIGRATION_RUNNER_WAIT_SECONDS": "1", "MIGRATION_STOPPED_TASKS": f"{HUNG},{OTHER}"}
        found = migrate(schema_trees["v1"], {**owner_environment, **impatient}, "expand", "v1")
        assert found.returncode == 5
        assert f"another runner is at work, waiting up to 1 s more: process {pid} ({name})" in found.stdout
        (line,) = found.stderr.strip().splitlines()
        assert f"process {pid} ({name})" in line
        assert "Nothing was changed" in line
        assert runner.poll() is None
    finally:
        end(runner)
    assert result_of(migrate(schema_trees["v1"], owner_environment, "expand", "v1"))["applied"] == []


def test_a_hung_runner_whose_task_is_stopped_is_ended(hung, own_tree, owner_environment, looker):
    runner, pid = hung
    good = own_tree("CREATE TABLE good (id int)")
    told = {**owner_environment, "MIGRATION_STOPPED_TASKS": f"arn:aws:ecs:eu-west-1:123456789012:task/c/{HUNG}"}
    found = migrate(good, told, "expand", "v2")
    assert result_of(found)["applied"] == ["e0002"]
    assert f"ended process {pid} (bluegreen-migrations {HUNG} v1)" in found.stdout
    assert f"its task {HUNG} is STOPPED" in found.stdout
    # It wakes up after all: its session is gone, and it can do no harm.
    runner.send_signal(signal.SIGCONT)
    _, errors = runner.communicate(timeout=BOUND_SECONDS)
    assert runner.returncode == 7, errors
    assert "the session ended while it was in use: terminating connection" in errors
    assert revisions(looker) == ["e0001", "e0002"]


def test_twin_without_evidence_a_hung_runner_is_not_ended(hung, own_tree, owner_environment, looker):
    _, pid = hung
    good = own_tree("CREATE TABLE good (id int)")
    told = {**owner_environment, "MIGRATION_STOPPED_TASKS": OTHER, "MIGRATION_RUNNER_WAIT_SECONDS": "2"}
    found = migrate(good, told, "expand", "v2")
    assert found.returncode == 5
    assert HUNG in found.stderr
    assert looker.execute("SELECT 1 FROM pg_stat_activity WHERE pid = %s", (pid,)).fetchone()


def own_rights(looker, name):
    """A role as the owner of a schema is on RDS: no superuser, may make tables."""
    looker.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'p'")
    looker.execute(f"GRANT ALL ON SCHEMA public TO {name}")
    return {"DB_USER": name, "DB_PASSWORD": "p"}


def test_an_owner_without_other_rights_ends_sessions_of_its_own_role(
    schema_server, schema_trees, schema, owner_environment, looker
):
    own, other = f"o{schema}", f"x{schema}"
    environment = {**owner_environment, **own_rights(looker, own), "MIGRATION_STOPPED_TASKS": HUNG}
    own_rights(looker, other)
    try:
        for user, code in ((own, 0), (other, 5)):
            with schema_server.connect(schema, user, "p") as dead:
                dead.execute(f"SET application_name = 'bluegreen-migrations {HUNG} v0'")
                dead.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
                given = {**environment, "MIGRATION_RUNNER_WAIT_SECONDS": "1"}
                found = migrate(schema_trees["v1"], given, "expand", "v1")
            assert found.returncode == code, found.stderr
            assert (f"{own} may not end it" in found.stdout) == (code == 5)
    finally:
        for role in (own, other):
            looker.execute(f"DROP OWNED BY {role}")
            looker.execute(f"DROP ROLE {role}")


def test_a_session_that_was_given_the_number_of_a_dead_one_is_let_be(schema_server, schema, looker):
    told = []
    with schema_server.connect(schema) as other:
        pid = other.info.backend_pid
        since = "SELECT backend_start FROM pg_stat_activity WHERE pid = %s"
        (started,) = looker.execute(since, (pid,)).fetchone()
        mine = one_runner.Session(pid=pid, started=started, application=f"bluegreen-migrations {HUNG} v1", age=1)
        dead = replace(mine, started=started - timedelta(seconds=1))
        one_runner.end_session(looker, dead, "it was still there", told.append)
        assert other.execute("SELECT 1").fetchone() == (1,)
        one_runner.end_session(looker, mine, "it was still there", told.append)
        with pytest.raises(psycopg.OperationalError):
            other.execute("SELECT 1")
    assert [line.split(" process ")[0] for line in told] == ["gone already:", "ended"]


def test_an_endpoint_that_does_not_answer_keeps_nobody_from_working(schema_trees, owner_environment):
    environment = {**owner_environment, "ECS_CONTAINER_METADATA_URI_V4": "http://127.0.0.1:1/v4/x"}
    found = migrate(schema_trees["v1"], environment, "expand", "v1")
    assert result_of(found)["applied"] == ["e0001"]
    assert "did not say which task this is" in found.stdout


def without_the_check(tree, into):
    """A copy whose runner does not ask the server to look after its client."""
    shutil.copytree(tree, into)
    file = into / "migrations" / "database.py"
    text = file.read_text()
    assert '"client_connection_check_interval": "1s"' in text
    file.write_text(text.replace('"client_connection_check_interval": "1s"', '"client_connection_check_interval": "0"'))
    return into


def test_a_runner_killed_in_a_statement_loses_its_lock_and_the_twin_without_the_check_keeps_it(
    own_tree, tmp_path, owner_environment, schema_server, looker
):
    tree = own_tree("CREATE TABLE half AS SELECT 1 AS one FROM pg_sleep(120)", settings=SLOW)
    with schema_server.database() as name, schema_server.connect(name) as beside:
        twin = start(without_the_check(tree, tmp_path / "twin"), {**owner_environment, "DB_NAME": name})
        runner = start(tree, owner_environment)
        twin_pid, _ = sleeping(beside, twin)
        sleeping(looker, runner)
        # The twin dies first, so it has had all the time the other one had.
        for one in (twin, runner):
            os.kill(one.pid, signal.SIGKILL)
            one.communicate(timeout=BOUND_SECONDS)
        until(lambda: lock_is_free(looker))
        assert not lock_is_free(beside)
        beside.execute("SELECT pg_terminate_backend(%s)", (twin_pid,))
        until(lambda: lock_is_free(beside))
    good = own_tree("CREATE TABLE half (id int)")
    assert result_of(migrate(good, owner_environment, "expand", "v3"))["applied"] == ["e0002"]
