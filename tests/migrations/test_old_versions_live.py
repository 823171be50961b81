"""A contract is refused while anything runs that does not know its revisions: tasks that ECS runs, and sessions."""

import contextlib
import re
import shutil
import subprocess
import sys

import psycopg
import pytest

from tests.support.trees_on_disk import BASE, migrate, result_of, service

pytestmark = pytest.mark.slow

CHECK = "        living.require_none(connection, todo, settings, tree)\n"
AGAIN = "            living.require_none(connection, [revision], settings, tree)\n"
LONG = "1.0.0-" + "x" * 60  # more than fits into application_name


@pytest.fixture
def expanded(schema_trees, owner_environment):
    """v1 and v2 were released, v3 ran its expand: all that is left to do is its contract."""
    result_of(migrate(schema_trees["v1"], owner_environment, "roles", "v1"))
    for version, command in (("v1", "expand"), ("v2", "expand"), ("v2", "backfill"), ("v3", "expand")):
        result_of(migrate(schema_trees[version], owner_environment, command, version))
    return schema_trees["v3"]


@pytest.fixture
def session(schema_server, schema, owner_environment):
    """Opens a session of the service's role under a name of the test's choice."""
    with contextlib.ExitStack() as opened:

        def connect(name, user=owner_environment["APP_DB_USER"], password=owner_environment["APP_DB_PASSWORD"]):
            connection = psycopg.connect(
                host="127.0.0.1", port=schema_server.port, dbname=schema, user=user, password=password,
                application_name=name, autocommit=True,
            )  # fmt: skip
            return opened.enter_context(connection)

        yield connect


def columns(server, schema):
    with server.connect(schema) as connection:
        return {
            row[0] for row in connection.execute("SELECT attname FROM pg_attribute WHERE attrelid = 'orders'::regclass")
        }


def contract(tree, environment, version="v3", **more):
    return migrate(tree, {**environment, **more}, "contract", version)


def without(tree, folder, *looks):
    """The tree without one look or the other."""
    copy = folder / "without"
    shutil.copytree(tree, copy)
    source = copy / "migrations/phases.py"
    text = source.read_text()
    for look in looks:
        assert text.count(look) == 1
        text = text.replace(look, " " * (len(look) - len(look.lstrip())) + "pass\n")
    source.write_text(text)
    return copy


def refused(run, *texts):
    assert run.returncode == 15, run.stderr or run.stdout
    for text in texts:
        assert text in run.stderr
    assert "nothing of it was changed" in run.stderr
    assert len(run.stderr.splitlines()) == 1
    return run.stderr


def test_while_an_old_process_is_alive_the_contract_is_refused_and_names_it(
    expanded, schema_trees, owner_environment, app_environment, schema_server, schema
):
    with service(schema_trees["v1"], app_environment, "v1", APP_COLOR="blue") as old:
        assert old.request("GET", "/readyz")[0] == 200
        text = refused(contract(expanded, owner_environment), "role app_", "from 127.0.0.1, since 20", "c0001, c0002")
        pid = int(re.search(r"process (\d+) \(app (?:blue )?v1,", text).group(1))
        with schema_server.connect(schema) as connection:
            name = connection.execute("SELECT usename FROM pg_stat_activity WHERE pid = %s", (pid,)).fetchone()
            assert name == (owner_environment["APP_DB_USER"],)
            done = connection.execute("SELECT count(*) FROM schema_history WHERE phase = 'contract'").fetchone()
            assert done == (0,)
        body = {"reference": "r", "customer": "c", "amount": "1.00", "currency": "EUR"}
        assert old.request("POST", "/orders", body)[0] == 201
    assert "price" in columns(schema_server, schema)
    result_of(contract(expanded, owner_environment))
    assert "price" not in columns(schema_server, schema)


def test_twin_without_the_look_the_old_process_is_left_without_its_column(
    expanded, schema_trees, owner_environment, app_environment, schema_server, schema, tmp_path
):
    tree = without(expanded, tmp_path, CHECK, AGAIN)
    with service(schema_trees["v1"], app_environment, "v1") as old:
        result_of(contract(tree, owner_environment))
        body = {"reference": "r", "customer": "c", "amount": "1.00", "currency": "EUR"}
        assert old.request("POST", "/orders", body)[0] >= 500
    assert "price" not in columns(schema_server, schema)


def started(tree, environment, command, version):
    """The command as a process that goes on while the test does."""
    return subprocess.Popen(
        [sys.executable, "-m", "migrations", command],
        cwd=tree, env={**BASE, "APP_VERSION": version, **environment}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True,
    )  # fmt: skip


def started_while_it_waits(tree, environment, schema_server, schema, session):
    """A contract waits for a table; meanwhile a task of v1 comes up; then the table is free. How the contract ended."""
    with schema_server.connect(schema) as holder:
        holder.autocommit = False
        holder.execute("LOCK TABLE orders IN ACCESS SHARE MODE")
        with started(tree, environment, "contract", "v3") as process:
            said = [process.stdout.readline()]
            while said[-1] and "not queueing for orders" not in said[-1]:
                said.append(process.stdout.readline())
            session("app blue v1")
            holder.rollback()
            said.append(process.communicate(timeout=60)[0])
            return process.returncode, "".join(said)


def test_an_old_version_that_comes_up_while_the_contract_waits_for_a_lock(
    expanded, owner_environment, schema_server, schema, session
):
    code, said = started_while_it_waits(expanded, owner_environment, schema_server, schema, session)
    assert code == 15, said
    assert "(app blue v1," in said
    assert "price" in columns(schema_server, schema)


def test_twin_without_the_second_look_it_is_overlooked(
    expanded, owner_environment, schema_server, schema, session, tmp_path
):
    tree = without(expanded, tmp_path, AGAIN)
    code, said = started_while_it_waits(tree, owner_environment, schema_server, schema, session)
    assert code == 0, said
    assert "price" not in columns(schema_server, schema)


def test_a_running_task_of_an_old_version_is_refused_by_its_name(expanded, owner_environment, schema_server, schema):
    for running, text in (
        ("v3@aaa,v2@bbb", "task bbb is of version v2 and does not know c0001, c0002"),
        ("?@ccc", "task ccc is of a version that is not known here"),
        ("v9@ddd", "task ddd (v9) is of a version that is not known here"),
    ):
        refused(contract(expanded, owner_environment, MIGRATION_RUNNING_VERSIONS=running), text, "Stop task")
    assert "price" in columns(schema_server, schema)
    result_of(contract(expanded, owner_environment, MIGRATION_RUNNING_VERSIONS="v3@aaa,v3@eee"))
    assert "price" not in columns(schema_server, schema)


def test_nothing_pending_is_no_matter_who_lives(expanded, owner_environment, session):
    result_of(contract(expanded, owner_environment))
    session("app blue v1")
    done = result_of(contract(expanded, owner_environment, MIGRATION_RUNNING_VERSIONS="v1@aaa"))
    assert done["applied"] == []


def test_sessions_are_judged_by_their_name(expanded, owner_environment, schema_server, session):
    session("app green v3")
    session("psql", "postgres", schema_server.password)  # a person who looks around is not the service
    for name in ("app v2", "app blue v9", "psql", ""):
        stray = session(name)
        refused(contract(expanded, owner_environment), f"process {stray.info.backend_pid} ({name or 'without a name'}")
        stray.close()
    result_of(contract(expanded, owner_environment))


def test_a_cut_name_is_every_version_that_it_may_be(expanded, schema_trees, owner_environment, session):
    """Both versions look the same in application_name; as long as one of them does not know it, it is refused."""
    knows, does_not = f"{LONG}-new", f"{LONG}-old"
    result_of(migrate(schema_trees["v3"], owner_environment, "expand", knows))
    cut = f"app blue {knows}"[:63]
    assert cut == f"app blue {does_not}"[:63]
    stray = session(cut)
    result_of(migrate(schema_trees["v2"], owner_environment, "expand", does_not))
    refused(contract(expanded, owner_environment), f"process {stray.info.backend_pid}", knows, does_not)
    with psycopg.connect(
        host=owner_environment["DB_HOST"], port=owner_environment["DB_PORT"], dbname=owner_environment["DB_NAME"],
        user=owner_environment["DB_USER"], password=owner_environment["DB_PASSWORD"], autocommit=True,
    ) as connection:  # fmt: skip
        connection.execute("DELETE FROM schema_versions WHERE version = %s", (does_not,))
    result_of(contract(expanded, owner_environment))


def test_an_owner_without_rights_over_others_sees_whose_sessions_they_are(
    schema_trees, schema_server, schema, owner_environment, session
):
    """A plain owner may not see address and time of another role's session, and must not overlook it for that."""
    owner = f"owner_{schema}"
    with schema_server.connect(schema) as connection:
        connection.execute(f"CREATE ROLE {owner} LOGIN CREATEROLE PASSWORD 'owner'")
        connection.execute(f"ALTER DATABASE {schema} OWNER TO {owner}")
        connection.execute(f"CREATE ROLE {owner}_reader LOGIN PASSWORD 'reader'")
        connection.execute(f"GRANT CONNECT ON DATABASE {schema} TO {owner}_reader")
    environment = {**owner_environment, "DB_USER": owner, "DB_PASSWORD": "owner"}
    result_of(migrate(schema_trees["v1"], environment, "roles", "v1"))
    for version, command in (("v1", "expand"), ("v2", "expand"), ("v2", "backfill"), ("v3", "expand")):
        result_of(migrate(schema_trees[version], environment, command, version))
    stray = session("app blue v1", f"{owner}_reader", "reader")
    hidden = f"process {stray.info.backend_pid} (app blue v1, role {owner}_reader, address and time are hidden"
    refused(contract(schema_trees["v3"], environment), hidden)
    stray.close()
    result_of(contract(schema_trees["v3"], environment))
