"""Every way the command can end, through the command itself: its code, one line, and with --json one object."""

import json
import shutil
import socket

import pytest

from migrations.errors import Exit
from migrations.locking.one_runner import LOCK
from tests.support.trees_on_disk import migrate, result_of

pytestmark = pytest.mark.slow


class Case:
    """A database, its environment, the trees, and what a case does to them before the command runs."""

    def __init__(self, trees, own_tree, environment, server, name, tmp_path):
        self.trees, self.own_tree, self.server, self.name = trees, own_tree, server, name
        self.environment = dict(environment)
        self.tmp_path = tmp_path

    def run(self, version, command, *arguments, tree=None):
        return migrate(tree or self.trees[version], self.environment, command, version, *arguments)

    def sql(self, statement):
        with self.server.connect(self.name) as connection:
            connection.execute(statement)

    def changed(self, version, file, old, new):
        """A tree with one change."""
        tree = self.tmp_path / "changed"
        shutil.copytree(self.trees[version], tree)
        path = tree / "migrations" / file
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))
        return tree


def done(case):
    return case.run("v1", "expand", "--json")


def nothing_to_do(case):
    result_of(case.run("v1", "expand"))
    return case.run("v1", "expand", "--json")


def usage(case):
    case.environment["DB_PORT"] = "x"
    return case.run("v1", "check", "--json")


def not_servable(case):
    result_of(case.run("v1", "expand"))
    case.sql("INSERT INTO schema_history (revision, phase, version, seconds) VALUES ('c9', 'contract', 'v9', 1)")
    return case.run("v1", "check", "--json")


def another_runner(case):
    case.environment["MIGRATION_RUNNER_WAIT_SECONDS"] = "1"
    with case.server.connect(case.name) as other:
        other.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
        return case.run("v1", "expand", "--json")


def lock_not_obtained(case):
    result_of(case.run("v1", "expand"))
    case.environment["MIGRATION_LOCK_BUDGET_SECONDS"] = "1"
    with case.server.connect(case.name) as blocker, blocker.transaction():
        blocker.execute("SELECT 1 FROM orders")
        return case.run("v2", "expand", "--json")


def statement_failed(case):
    return case.run("v1", "expand", "--json", tree=case.own_tree("ALTER TABLE orders ADD COLUMN price text"))


def unreachable(case):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        case.environment.update(DB_PORT=str(free.getsockname()[1]), MIGRATION_CONNECT_WAIT_SECONDS="1")
    return case.run("v1", "check", "--json")


def out_of_time(case):
    tree = case.own_tree("SELECT pg_sleep(20)", settings='statement_timeout = "200ms"')
    return case.run("v1", "expand", "--json", tree=tree)


def bad_tree(case):
    return case.run("v1", "expand", "--json", tree=case.changed("v1", "expand/HEAD", "e0001_orders", "e0009"))


def pending(case):
    return case.run("v1", "check", "--json")


def backfill_incomplete(case):
    result_of(case.run("v2", "expand"))
    case.sql("ALTER TABLE orders DISABLE TRIGGER ALL")
    case.sql("INSERT INTO orders (reference, customer, price) VALUES ('r', 'c', '1.00 EUR')")
    case.sql("ALTER TABLE orders ENABLE TRIGGER ALL")
    return case.run("v3", "contract", "--json")


def lint_refused(case):
    result_of(case.run("v1", "expand"))
    return case.run(
        "v2",
        "expand",
        "--json",
        tree=case.changed(
            "v2",
            "expand/e0002_amount_columns.py",
            "ADD COLUMN amount_cents bigint",
            "DROP COLUMN price, ADD amount_cents bigint",
        ),
    )


def edited(case):
    result_of(case.run("v1", "expand"))
    return case.run(
        "v1", "expand", "--json", tree=case.changed("v1", "expand/e0001_orders.py", "price text", "price  text")
    )


def not_adopted(case):
    case.sql("CREATE TABLE legacy (id int)")
    return case.run("v1", "expand", "--json")


def old_version_lives(case):
    for version, command in [("v2", "expand"), ("v2", "backfill")]:
        result_of(case.run(version, command))
    case.environment["MIGRATION_RUNNING_VERSIONS"] = "v2@task/1"
    return case.run("v3", "contract", "--json")


def drifted(case):
    result_of(case.run("v1", "expand"))
    case.sql("ALTER TABLE orders DROP COLUMN customer")
    return case.run("v2", "expand", "--json")


def unexpected(case):
    """A table of the runner's own that has another shape: an error whose detail would show the row."""
    result_of(case.run("v1", "expand"))
    case.sql("ALTER TABLE schema_versions ADD CHECK (version <> 'secret-version')")
    return case.run("secret-version", "expand", "--json", tree=case.trees["v1"])


CASES = [
    (Exit.DONE, done, "e0001"),
    (Exit.DONE, nothing_to_do, "e0001"),
    (Exit.UNEXPECTED, unexpected, "CheckViolation, a defect of the command"),
    (Exit.USAGE, usage, "DB_PORT"),
    (Exit.NOT_SERVABLE, not_servable, "c9"),
    (Exit.LOCK_NOT_OBTAINED, lock_not_obtained, "orders"),
    (Exit.ANOTHER_RUNNER, another_runner, "another runner"),
    (Exit.STATEMENT_FAILED, statement_failed, "already exists"),
    (Exit.UNREACHABLE, unreachable, "127.0.0.1"),
    (Exit.OUT_OF_TIME, out_of_time, "e0002"),
    (Exit.BAD_TREE, bad_tree, "HEAD says e0009"),
    (Exit.PENDING, pending, "needs expand e0001"),
    (Exit.BACKFILL_INCOMPLETE, backfill_incomplete, "b0001"),
    (Exit.LINT_REFUSED, lint_refused, "e0002"),
    (Exit.EDITED, edited, "e0001 was edited"),
    (Exit.NOT_ADOPTED, not_adopted, "legacy"),
    (Exit.OLD_VERSION_LIVES, old_version_lives, "task/1"),
    (Exit.DRIFT, drifted, "orders.customer is missing"),
]


@pytest.fixture
def case(schema_trees, own_tree, owner_environment, schema_server, schema, tmp_path):
    return Case(schema_trees, own_tree, owner_environment, schema_server, schema, tmp_path)


@pytest.mark.parametrize(("code", "make", "named"), CASES, ids=[each[1].__name__ for each in CASES])
def test_each_reason_has_its_code_and_its_object(case, code, make, named):
    run = make(case)
    assert run.returncode == code, run.stdout + run.stderr
    found = json.loads(run.stdout)  # one object and nothing else
    assert "secret-version" not in run.stdout + run.stderr
    if code is Exit.DONE:
        assert found["result"]["revision"] == named
        assert found["result"]["seconds"] >= 0
        return
    assert set(found) == {"error"}
    assert (found["error"]["exit"], found["error"]["name"]) == (code, code.name)
    assert named in found["error"]["message"]
    assert "\n" not in found["error"]["message"]


def test_every_code_is_shown_here_or_where_it_is_made():
    # They need a pooler, and a signal: test_pooler, test_how_a_run_ends.
    elsewhere = {Exit.POOLER, Exit.INTERRUPTED, Exit.TERMINATED}
    assert {each[0] for each in CASES} | elsewhere == set(Exit)
