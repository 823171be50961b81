"""A pooler in between: the real PgBouncer in each of its modes, in front of a real PostgreSQL."""

import socket
import threading

import psycopg
import pytest

from tests.support.pgbouncer import Unavailable, bouncer
from tests.support.trees_on_disk import migrate, result_of

pytestmark = pytest.mark.slow


@pytest.fixture
def pooled(schema_server, owner_environment):
    """`with pooled(mode, **settings) as environment`: the owner's, with a PgBouncer in front."""
    stack = []

    def start(mode, **settings):
        running = bouncer(schema_server, mode, **settings)
        try:
            port = running.__enter__()
        except Unavailable as reason:
            pytest.skip(f"PgBouncer: {reason}")
        stack.append(running)
        return {**owner_environment, "DB_PORT": str(port)}

    yield start
    for running in stack:
        running.__exit__(None, None, None)


def untouched(server, name):
    with server.connect(name) as connection:
        return connection.execute(
            "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        ).fetchone()


@pytest.mark.parametrize(
    "settings",
    [{}, {"default_pool_size": "1"}, {"server_round_robin": "1"}],
    ids=["plain", "a pool of one", "round robin"],
)
def test_a_pooler_in_transaction_mode_is_refused_before_anything_is_changed(
    pooled, schema_trees, schema_server, schema, settings
):
    environment = pooled("transaction", **settings)
    for command in ("roles", "expand", "check"):
        refused = migrate(schema_trees["v1"], environment, command, "v1")
        assert refused.returncode == 16, refused.stdout + refused.stderr
        (line,) = refused.stderr.strip().splitlines()
        assert "a transaction pooler is in between" in line
        assert "the database's own address" in line
    assert untouched(schema_server, schema) == (0,)
    with schema_server.connect(schema) as connection:
        # No session of the pool was given a setting that a stranger would find there.
        assert connection.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'").fetchone() == (0,)


def test_a_pool_that_others_use_up_is_refused_in_bounded_time(pooled, schema_trees, schema_server, schema):
    environment = pooled("transaction", default_pool_size="1")
    with psycopg.connect(
        host="127.0.0.1", port=environment["DB_PORT"], dbname=schema, user="postgres", password=schema_server.password
    ) as other:
        other.execute("SELECT 1")  # its transaction stays open, and with it the only server process is taken
        found = migrate(schema_trees["v1"], environment, "expand", "v1")
    # Nobody can tell a pool that is used up from a server that stands still.
    assert (found.returncode, "no answer within" in found.stderr) == (7, True)
    assert untouched(schema_server, schema) == (0,)


def test_a_pooler_in_statement_mode_is_refused(pooled, schema_trees, schema_server, schema):
    refused = migrate(schema_trees["v1"], pooled("statement"), "expand", "v1")
    assert refused.returncode == 16, refused.stderr
    assert untouched(schema_server, schema) == (0,)


def test_a_pooler_in_session_mode_is_as_good_as_none(pooled, schema_trees, schema_server, schema):
    environment = pooled("session")
    assert result_of(migrate(schema_trees["v1"], environment, "expand", "v1"))["applied"] == ["e0001"]
    with schema_server.connect(schema) as connection:
        assert connection.execute("SELECT revision FROM schema_history").fetchall() == [("e0001",)]


def test_a_pool_of_one_in_session_mode_has_no_second_session_and_is_not_refused(pooled, schema_trees):
    found = migrate(schema_trees["v1"], pooled("session", default_pool_size="1"), "check", "v1")
    assert found.returncode == 10, found.stderr


def test_a_startup_parameter_that_a_pooler_does_not_take_is_told_as_that(pooled, schema_trees):
    environment = {**pooled("session"), "PGOPTIONS": "-c geqo=off"}
    refused = migrate(schema_trees["v1"], environment, "expand", "v1")
    assert refused.returncode == 16, refused.stderr
    assert "unsupported startup parameter" in refused.stderr
    assert "the database's own address" in refused.stderr


def test_twin_without_the_look_a_transaction_pooler_hands_out_the_lock_twice(pooled, schema_server, schema):
    """What the refusal is for: two sessions hold the one lock."""
    environment = pooled("transaction", default_pool_size="1")
    where = {"host": "127.0.0.1", "port": environment["DB_PORT"], "dbname": schema, "user": "postgres"}
    with (
        psycopg.connect(**where, password=schema_server.password, autocommit=True) as one,
        psycopg.connect(**where, password=schema_server.password, autocommit=True) as other,
    ):
        taken = [each.execute("SELECT pg_try_advisory_lock(7)").fetchone() for each in (one, other)]
        assert taken == [(True,), (True,)]


@pytest.fixture
def relay(schema_server, owner_environment):
    """The owner's environment behind a proxy that knows nothing of PostgreSQL, as a network load balancer."""
    door = socket.create_server(("127.0.0.1", 0))
    open_ones = [door]

    def pump(source, target):
        try:
            while data := source.recv(65536):
                target.sendall(data)
        except OSError:
            pass
        for one in (source, target):
            one.close()

    def accept():
        while True:
            try:
                client, _ = door.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", schema_server.port))
            open_ones.extend((client, server))
            for pair in ((client, server), (server, client)):
                threading.Thread(target=pump, args=pair, daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    yield {**owner_environment, "DB_PORT": str(door.getsockname()[1])}
    door.shutdown(socket.SHUT_RDWR)
    for one in open_ones:
        one.close()
    thread.join(10)


def test_a_proxy_that_hands_bytes_on_is_not_refused(relay, schema_trees):
    assert result_of(migrate(schema_trees["v1"], relay, "expand", "v1"))["applied"] == ["e0001"]


def test_one_connection_is_enough_where_the_server_itself_greets(schema_trees, schema_server, owner_environment):
    with schema_server.connect("postgres") as admin:
        admin.execute("CREATE ROLE only_one LOGIN PASSWORD 'p' CONNECTION LIMIT 1")
        try:
            environment = {**owner_environment, "DB_USER": "only_one", "DB_PASSWORD": "p"}
            found = migrate(schema_trees["v1"], environment, "check", "v1")
        finally:
            admin.execute("DROP ROLE only_one")
    assert found.returncode == 10, found.stderr
