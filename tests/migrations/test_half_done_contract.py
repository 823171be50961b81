"""A contract revision outside a transaction that was broken off: what it removed is gone, and only its mark is left."""

import contextlib
import shutil
import subprocess
import sys

import pytest

from tests.support.allowed import allow_all
from tests.support.trees_on_disk import BASE, migrate, result_of, service

pytestmark = pytest.mark.slow
CONTRACT = '''"""Remove price, and then something that does not work."""

from migrations import concurrently

revision = "c0001"
down_revision = None
branch_labels = ("contract",)
depends_on = "e0001"
tables = ("orders",)
outside_transaction = True


def upgrade() -> None:
    """Two statements, each committed by itself."""
    gone = "NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'orders'::regclass AND attname = 'price')"
    concurrently.once("ALTER TABLE orders DROP COLUMN price", done=gone)
    concurrently.once("SELECT 1 / 0", done="false")
'''


@pytest.fixture
def half_done(schema_trees, tmp_path, owner_environment):
    """The tree whose contract is half done in the database."""
    v1, tree = schema_trees["v1"], tmp_path / "v2"
    shutil.copytree(v1, tree)
    (tree / "migrations/contract/c0001_test.py").write_text(CONTRACT)
    (tree / "migrations/contract/HEAD").write_text("c0001\n")
    allow_all(tree)
    for command in ("roles", "expand"):
        result_of(migrate(v1, owner_environment, command, "v1"))
    result_of(migrate(tree, owner_environment, "expand", "v2"))
    failed = migrate(tree, owner_environment, "contract", "v2")
    assert (failed.returncode, "DivisionByZero" in failed.stderr) == (6, True), failed.stderr
    return tree


def start(tree, environment):
    return subprocess.run(
        [sys.executable, "-m", "app"], cwd=tree, capture_output=True, text=True, timeout=60,
        env={**BASE, "HOST": "127.0.0.1", "PORT": "8080", "APP_VERSION": "v1", **environment},
    )  # fmt: skip


def test_what_was_begun_counts_and_the_twin_without_its_mark_serves_errors(
    half_done, schema_trees, owner_environment, app_environment, schema_server, schema
):
    v1 = schema_trees["v1"]
    refusal = "contract c0001 (begun, not completed) removed what it needs; the oldest version that can serve is v2"
    for command in ("check", "expand", "backfill"):
        refused = migrate(v1, owner_environment, command, "v1")
        assert (refused.returncode, refusal in refused.stderr) == (3, True), refused.stderr
    ended = start(v1, app_environment)
    assert (ended.returncode, refusal in ended.stderr) == (3, True)
    # The image that brings it goes on with it.
    assert result_of(migrate(half_done, owner_environment, "check", "v2"))["pendingContracts"] == ["c0001"]
    with schema_server.connect(schema) as connection:
        (mark,) = connection.execute("DELETE FROM schema_marks RETURNING revision, version, runner, phase").fetchall()
        assert mark[0::3] == ("c0001", "contract")
        # The twin: the history alone.
        assert migrate(v1, owner_environment, "check", "v1").returncode == 0
        with service(v1, app_environment, "v1") as running:
            assert running.request("GET", "/readyz")[0] == 200
            assert running.request("GET", "/orders/1")[0] == 500
            put = "INSERT INTO schema_marks (revision, version, runner, phase) VALUES (%s, %s, %s, %s)"
            connection.execute(put, mark)
            status, answer, _ = running.request("GET", "/readyz")
            assert (status, "c0001 (begun, not completed)" in answer["reason"]) == (503, True)
            # Marks of an earlier shape have no phase: nobody knows it, so it may have removed something.
            connection.execute("ALTER TABLE schema_marks DROP COLUMN phase")
            assert running.request("GET", "/readyz")[0] == 503
    assert migrate(v1, owner_environment, "check", "v1").returncode == 3
    # And the next run brings the table into shape.
    result_of(migrate(half_done, owner_environment, "expand", "v2"))
    again = migrate(half_done, owner_environment, "contract", "v2")
    assert (again.returncode, "was begun by" in again.stdout) == (6, True)


@pytest.fixture
def before_v3(schema_trees, owner_environment):
    """All that comes before v3's contract, whose first revision runs outside a transaction."""
    for version, command in (("v2", "roles"), ("v2", "expand"), ("v2", "backfill"), ("v3", "expand")):
        result_of(migrate(schema_trees[version], owner_environment, command, version))
    return schema_trees["v3"]


@contextlib.contextmanager
def held(server, name):
    """Somebody reads the table for some time."""
    with server.connect(name) as holder, holder.transaction():
        holder.execute("LOCK TABLE orders IN ACCESS SHARE MODE")
        holder.execute("SELECT pg_sleep(0.4)")
        yield


def marked(server, name):
    with server.connect(name) as connection:
        return connection.execute("SELECT revision FROM schema_marks").fetchall()


IMPATIENT = {"MIGRATION_LOCK_BUDGET_SECONDS": "1"}


def test_a_contract_that_never_began_leaves_the_way_back_open(
    before_v3, schema_trees, owner_environment, schema_server, schema
):
    with held(schema_server, schema):
        refused = migrate(before_v3, {**owner_environment, **IMPATIENT}, "contract", "v3")
    assert refused.returncode == 4, refused.stderr
    assert marked(schema_server, schema) == []
    result_of(migrate(schema_trees["v2"], owner_environment, "check", "v2"))


def test_twin_a_mark_before_the_look_closes_it_for_nothing(
    before_v3, schema_trees, tmp_path, owner_environment, schema_server, schema
):
    tree = tmp_path / "early"
    shutil.copytree(before_v3, tree)
    file = tree / "migrations/runner.py"
    try_it = "        tries.run(connection, what, limits, attempt)\n"
    text = file.read_text()
    assert try_it in text
    early = "        outside.begin(connection, revision, settings, tries.say)\n"
    file.write_text(text.replace(try_it, early + try_it))
    with held(schema_server, schema):
        assert migrate(tree, {**owner_environment, **IMPATIENT}, "contract", "v3").returncode == 4
    assert marked(schema_server, schema) == [("c0001",)]
    refused = migrate(schema_trees["v2"], owner_environment, "check", "v2")
    assert (refused.returncode, "c0001 (begun, not completed)" in refused.stderr) == (3, True)


def test_a_contract_that_is_held_back_right_before_its_try_has_not_begun(
    before_v3, owner_environment, schema_server, schema
):
    with schema_server.connect(schema) as old:
        with held(schema_server, schema):
            runner = subprocess.Popen(
                [sys.executable, "-m", "migrations", "contract"], cwd=before_v3, text=True, stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, env={**BASE, **owner_environment, "APP_VERSION": "v3"},
            )  # fmt: skip
            while "not queueing" not in (line := runner.stdout.readline()):
                assert line, runner.communicate()
            # A version that does not know it begins while it waits.
            old.execute("SET application_name = 'app blue v1'")
        errors = runner.communicate(timeout=60)[1]
        assert (runner.returncode, "app blue v1" in errors) == (15, True), errors
    assert marked(schema_server, schema) == []


def test_an_expand_that_was_begun_is_in_nobodys_way(schema_trees, owner_environment, schema_server, schema):
    v1 = schema_trees["v1"]
    result_of(migrate(v1, owner_environment, "expand", "v1"))
    with schema_server.connect(schema) as connection:
        connection.execute(
            "INSERT INTO schema_marks (revision, version, runner, phase) VALUES ('e0002', 'v2', 'r', 'expand')"
        )
        result_of(migrate(v1, owner_environment, "check", "v1"))
        # Without its phase, whoever knows it as an expand may serve, and nobody else.
        connection.execute("UPDATE schema_marks SET phase = NULL")
        assert migrate(v1, owner_environment, "check", "v1").returncode == 3
        result_of(migrate(schema_trees["v2"], owner_environment, "expand", "v2"))
