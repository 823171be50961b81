"""Readers while a table that a transaction holds is to be changed: the runner never stands in line before them.

What is looked at is the server's own list of who waits for whom, not the time. The twin is Alembic as it comes: on the
same table, with the same readers and holder, it stands in line, and the readers behind it.
"""

import contextlib
import itertools
import json
import subprocess
import sys
import threading
import time

import psycopg
import pytest

from rehearsal.trees import PROJECT
from tests.support.trees_on_disk import BASE, migrate, result_of

pytestmark = pytest.mark.slow

READERS = 4
LOOKS = 60
BOUND_SECONDS = 60.0
CHANGE = "ALTER TABLE orders ADD COLUMN note text"
WAITING = """
SELECT session.application_name, pg_blocking_pids(held.pid), held.pid
FROM pg_locks AS held JOIN pg_stat_activity AS session USING (pid)
WHERE NOT held.granted AND held.locktype = 'relation' AND session.datname = current_database()
"""


class Readers:
    """Read by key as fast as they can, each in a session of its own."""

    def __init__(self, server, schema):
        self.server, self.schema, self.stop = server, schema, threading.Event()
        self.reads = [0] * READERS
        self.failures = []
        self.threads = [threading.Thread(target=self._read, args=(at,)) for at in range(READERS)]

    def _read(self, at):
        try:
            with self.server.connect(self.schema) as connection:
                connection.execute(f"SET application_name = 'reader {at}'")
                while not self.stop.is_set():
                    connection.execute("SELECT price FROM orders WHERE id = %s", (self.reads[at] % 1000,))
                    self.reads[at] += 1
        except psycopg.Error as error:
            self.failures.append(error)


@contextlib.contextmanager
def readers(server, schema):
    found = Readers(server, schema)
    for thread in found.threads:
        thread.start()
    try:
        yield found
    finally:
        found.stop.set()
        for thread in found.threads:
            thread.join()
    assert found.failures == []


@contextlib.contextmanager
def running(command, cwd, environment):
    process = subprocess.Popen(
        command, cwd=cwd, env={**BASE, **environment, "APP_VERSION": "v2"}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def looks():
    """One after the other, within a bound."""
    until = time.monotonic() + BOUND_SECONDS
    for at in itertools.count():
        assert time.monotonic() < until, "not seen within the bound"
        yield at


def prepare(schema_trees, owner_environment, schema_server, schema):
    result_of(migrate(schema_trees["v1"], owner_environment, "expand", "v1"))
    with schema_server.connect(schema) as connection:
        connection.execute(
            "INSERT INTO orders (reference, customer, price) SELECT 'r', 'c', '1.00 EUR' FROM generate_series(1, 1000)"
        )


@contextlib.contextmanager
def holding(server, schema, how):
    """An old transaction that holds the table, in the ways it happens to people; `let_go` ends it."""
    connection = server.connect(schema)
    connection.execute("SET application_name = 'nightly dump'")
    connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
    connection.execute("SELECT count(*) FROM orders")
    thread = threading.Thread(target=_sleep, args=(connection,))
    if how == "busy":
        thread.start()
    try:
        yield
    finally:
        let_go(server, schema)
        if how == "busy":
            thread.join()
        connection.close()


def _sleep(connection):
    with contextlib.suppress(psycopg.Error):  # until it is ended
        connection.execute("SELECT pg_sleep(600) FROM orders LIMIT 1")


def let_go(server, schema):
    with server.connect(schema) as admin:
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'nightly dump'")


@pytest.mark.parametrize("how", ["idle in transaction", "busy"])
def test_nobody_waits_behind_the_runner_and_it_succeeds_once_the_table_is_free(
    own_tree, schema_trees, owner_environment, schema_server, schema, how
):
    prepare(schema_trees, owner_environment, schema_server, schema)
    tree = own_tree(CHANGE, settings='tables = ("orders",)')
    with (
        schema_server.connect(schema) as watcher,
        readers(schema_server, schema) as load,
        holding(schema_server, schema, how),
    ):
        holder_is_old(watcher)
        command = [sys.executable, "-m", "migrations", "expand"]
        with running(command, tree, owner_environment) as runner:
            while "not queueing for orders" not in (line := runner.stdout.readline()):
                assert line, runner.stderr.read()
            assert "nightly dump" in line
            before = sum(load.reads)
            seen = [watcher.execute(WAITING).fetchall() for _ in range(LOOKS)]
            assert seen == [[]] * LOOKS
            assert runner.poll() is None
            for _ in looks():
                if sum(load.reads) > before + 100:
                    break
            let_go(schema_server, schema)
            output, errors = runner.communicate(timeout=BOUND_SECONDS)
    assert runner.returncode == 0, errors
    assert json.loads(output.splitlines()[-1])["result"]["applied"] == ["e0002"]


def holder_is_old(watcher):
    """Old enough not to be taken for one that is passing by."""
    for _ in looks():
        if watcher.execute(
            "SELECT 1 FROM pg_stat_activity WHERE application_name = 'nightly dump' AND "
            "clock_timestamp() - xact_start > interval '300 ms'"
        ).fetchone():
            return


def test_twin_plain_alembic_stands_in_line_and_the_readers_behind_it(
    own_tree, schema_trees, owner_environment, schema_server, schema
):
    prepare(schema_trees, owner_environment, schema_server, schema)
    tree = own_tree(CHANGE, settings='tables = ("orders",)')
    command = [sys.executable, "-m", "rehearsal.bench_schema.plain", "--migrations", str(tree / "migrations")]
    with (
        schema_server.connect(schema) as watcher,
        readers(schema_server, schema) as load,
        holding(schema_server, schema, "idle in transaction"),
        running(command, PROJECT, owner_environment) as alembic,
    ):
        for _ in looks():
            waiting = {name: (blocking, pid) for name, blocking, pid in watcher.execute(WAITING)}
            if len(waiting) == READERS + 1:
                break
            assert alembic.poll() is None, alembic.stderr.read()
        _, alembic_pid = waiting.pop("alembic")
        assert all(alembic_pid in blocking for blocking, _ in waiting.values())
        stuck = list(load.reads)
        assert [watcher.execute(WAITING).rowcount for _ in range(LOOKS)] == [READERS + 1] * LOOKS
        assert load.reads == stuck
        let_go(schema_server, schema)
        alembic.communicate(timeout=BOUND_SECONDS)
    assert alembic.returncode == 0
