"""Tables that are in use, and a database that is not there yet. Each on a real PostgreSQL."""

import json
import subprocess
import sys

import pytest

from tests.support.trees_on_disk import BASE, migrate, result_of

pytestmark = pytest.mark.slow


def test_a_table_in_use_is_not_queued_for_and_its_holder_is_named(
    own_tree, schema_trees, owner_environment, schema_server, schema
):
    result_of(migrate(schema_trees["v1"], owner_environment, "expand", "v1"))
    tree = own_tree("ALTER TABLE orders ADD COLUMN note text", settings='tables = ("orders",)')
    with schema_server.connect(schema) as holder, schema_server.connect(schema) as reader:
        holder.execute("SET application_name = 'nightly dump'")
        pid = holder.info.backend_pid
        with holder.transaction():
            holder.execute("SELECT 'a literal of a person' FROM orders")
            reader.execute("SELECT pg_sleep(0.3)")  # older than what counts as passing by
            found = migrate(tree, {**owner_environment, "MIGRATION_LOCK_BUDGET_SECONDS": "1"}, "expand", "v2")
            # Never queued: the log of waiting locks would show it, and so would a reader that waits.
            reader.execute("SET lock_timeout = '50ms'")
            reader.execute("SELECT 1 FROM orders")
    assert found.returncode == 4
    assert "nightly dump" in found.stderr
    assert str(pid) in found.stderr
    assert "a literal of a person" not in found.stderr + found.stdout
    assert "not queueing for orders" in found.stdout


def test_a_blocker_that_leaves_is_waited_for(own_tree, schema_trees, owner_environment, schema_server, schema):
    result_of(migrate(schema_trees["v1"], owner_environment, "expand", "v1"))
    tree = own_tree("ALTER TABLE orders ADD COLUMN note text", settings='tables = ("orders",)')
    runner = None
    with schema_server.connect(schema) as holder:
        with holder.transaction():
            holder.execute("LOCK TABLE orders IN ACCESS SHARE MODE")
            holder.execute("SELECT pg_sleep(0.3)")
            runner = subprocess.Popen(
                [sys.executable, "-m", "migrations", "expand"], cwd=tree, text=True, stdout=subprocess.PIPE,
                env={**BASE, **owner_environment, "APP_VERSION": "v2"},
            )  # fmt: skip
            while "not queueing" not in (line := runner.stdout.readline()):
                assert line, "the runner ended before it said that it does not queue"
        rest = runner.communicate(timeout=60)[0]
    assert runner.returncode == 0
    assert json.loads(rest.splitlines()[-1])["result"]["applied"] == ["e0002"]


def test_a_prepared_transaction_is_named_too(own_tree, schema_trees, owner_environment, schema_server, schema):
    result_of(migrate(schema_trees["v1"], owner_environment, "expand", "v1"))
    tree = own_tree("ALTER TABLE orders ADD COLUMN note text", settings='tables = ("orders",)')
    with schema_server.connect(schema) as holder:
        holder.execute("BEGIN")
        holder.execute("LOCK TABLE orders IN ACCESS SHARE MODE")
        holder.execute(f"PREPARE TRANSACTION '{schema}'")
        try:
            holder.execute("SELECT pg_sleep(0.3)")
            found = migrate(tree, {**owner_environment, "MIGRATION_LOCK_BUDGET_SECONDS": "1"}, "expand", "v2")
        finally:
            holder.execute(f"ROLLBACK PREPARED '{schema}'")
    assert found.returncode == 4
    assert "a prepared transaction" in found.stderr


def test_a_table_that_a_revision_does_not_name_is_learned_from_the_first_try(
    own_tree, schema_trees, owner_environment, schema_server, schema
):
    result_of(migrate(schema_trees["v1"], owner_environment, "expand", "v1"))
    tree = own_tree("ALTER TABLE orders ADD COLUMN note text")
    with schema_server.connect(schema) as holder, holder.transaction():
        holder.execute("LOCK TABLE orders IN ACCESS SHARE MODE")
        found = migrate(tree, {**owner_environment, "MIGRATION_LOCK_BUDGET_SECONDS": "1"}, "expand", "v2")
    assert found.returncode == 4
    assert found.stdout.count("try 1 withdrawn so that nobody waits behind it") == 1
    assert "try 2" not in found.stdout
    assert "not queueing for orders" in found.stdout
    assert " and 1 tries: process" in found.stderr


def test_a_database_that_is_still_starting_is_waited_for(schema_trees, schema_server, schema):
    """Connections are refused at first, as by a database that is not there yet."""
    with schema_server.connect("postgres") as admin:
        admin.execute(f'ALTER DATABASE "{schema}" CONNECTION LIMIT 0')
        admin.execute("CREATE ROLE starter LOGIN PASSWORD 'p'")
        try:
            environment = {**schema_server.environment(schema, "starter", "p")}
            runner = subprocess.Popen(
                [sys.executable, "-m", "migrations", "check"], cwd=schema_trees["v1"], text=True,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**BASE, **environment, "APP_VERSION": "v1"},
            )  # fmt: skip
            assert "waiting for the database" in runner.stdout.readline()
            admin.execute(f'ALTER DATABASE "{schema}" CONNECTION LIMIT -1')
            runner.communicate(timeout=60)
            assert runner.returncode == 10
        finally:
            admin.execute("DROP ROLE starter")
