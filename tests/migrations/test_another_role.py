"""A login that `ALTER ROLE ... SET role` makes the owner at once, so that session_user is not current_user."""

import pytest

from migrations.locking.one_runner import LOCK
from tests.support.trees_on_disk import migrate, result_of

pytestmark = pytest.mark.slow
TASK = "0123456789abcdef0123456789abcdef"
ENDLESS = "SELECT pg_sleep(0.2) FROM generate_series(1, 1000)"


@pytest.fixture
def deployer(schema_server, schema, plain_owner):
    """The environment of such a login."""
    name = f"login_{schema}"
    with schema_server.connect("postgres") as admin:
        admin.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'p' IN ROLE {plain_owner['DB_USER']}")
        admin.execute(f"ALTER ROLE {name} SET role = {plain_owner['DB_USER']}")
        yield {**plain_owner, "DB_USER": name, "DB_PASSWORD": "p"}
        admin.execute(f"DROP ROLE {name}")


def test_its_tables_are_the_owners_and_its_tries_are_ended_in_time(
    own_tree, deployer, plain_owner, schema_server, schema
):
    tree = own_tree(ENDLESS, settings='statement_timeout = "5min"')
    found = migrate(tree, {**deployer, "MIGRATION_TASK_SECONDS": "8"}, "expand", "v2")
    assert found.returncode == 8, found.stderr
    assert "expand e0002: the time of the whole phase is over" in found.stderr
    with schema_server.connect(schema) as connection:
        owners = "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'"
        assert connection.execute(owners).fetchall() == [(plain_owner["DB_USER"],)]
        assert connection.execute("SELECT revision FROM schema_history").fetchall() == [("e0001",)]


def test_twin_a_watch_as_the_owner_may_not_cancel_and_the_sessions_own_key_does(own_tree, deployer):
    """Both are needed for the bad end: the try then lasts until the run hangs up."""
    tree = own_tree(ENDLESS, settings='statement_timeout = "5min"')
    file = tree / "migrations/locking/watch.py"
    text, role, key = file.read_text(), '"SET ROLE NONE"', "self.watched.cancel_safe(timeout=_JOIN_SECONDS)"
    assert (text.count(role), text.count(key)) == (1, 1)
    short = {**deployer, "MIGRATION_TASK_SECONDS": "8"}
    file.write_text(text.replace(role, '"SELECT 1"'))
    found = migrate(tree, short, "expand", "v2")
    assert (found.returncode, "expand e0002: the time of the whole phase is over" in found.stderr) == (8, True)
    file.write_text(text.replace(role, '"SELECT 1"').replace(key, "pass"))
    found = migrate(tree, short, "expand", "v2")
    assert (found.returncode, "e0002: the time of the whole" in found.stderr) == (8, False), found.stderr
    assert "and what ran then was ended" in found.stderr


def test_it_ends_the_session_that_its_own_dead_task_left(schema_trees, deployer, schema_server, schema):
    told = {"MIGRATION_STOPPED_TASKS": TASK, "MIGRATION_RUNNER_WAIT_SECONDS": "2"}
    with schema_server.connect(schema, deployer["DB_USER"], "p") as dead:
        dead.execute(f"SET application_name = 'bluegreen-migrations {TASK} v1'")
        dead.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
        found = migrate(schema_trees["v1"], {**deployer, **told}, "expand", "v1")
    assert result_of(found)["applied"] == ["e0001"]
    assert f"its task {TASK} is STOPPED and it held the runner's lock" in found.stdout
