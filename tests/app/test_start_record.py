"""What the start reads of the record: whose it is, how long it may take, and what it is that may not be read."""

import shutil
import subprocess
import sys

import pytest

from tests.support.trees_on_disk import BASE, migrate, result_of, service

pytestmark = pytest.mark.slow
ROLE = {"APP_DB_USER": "orders_record", "APP_DB_PASSWORD": "p"}
UNKNOWN = "INSERT INTO public.schema_history (revision, phase, version, seconds) VALUES ('c0009', 'contract', 'v9', 0)"
GOOD = {"reference": "a-1", "customer": "Ada", "amount": "12.34", "currency": "EUR"}


@pytest.fixture
def owner(app_trees, app_server, app_database):
    """v1's database, made by its owner."""
    environment = {**app_server.environment(app_database), **ROLE}
    for command in ("roles", "expand"):
        result_of(migrate(app_trees["v1"], environment, command, "v1"))
    return environment


@pytest.fixture
def environment(app_server, app_database, owner):
    return app_server.environment(app_database, owner["APP_DB_USER"], owner["APP_DB_PASSWORD"])


@pytest.fixture
def connection(app_server, owner):
    with app_server.connect(owner["DB_NAME"]) as found:
        yield found


def start(tree, environment):
    """A task that is expected to end by itself."""
    return subprocess.run(
        [sys.executable, "-m", "app"], cwd=tree, capture_output=True, text=True, timeout=60,
        env={**BASE, "HOST": "127.0.0.1", "PORT": "8080", "APP_VERSION": "v1", **environment},
    )  # fmt: skip


def changed(tree, into, file, old, new):
    """A copy in which one thing is another."""
    shutil.copytree(tree, into)
    text = (into / file).read_text()
    assert old in text
    (into / file).write_text(text.replace(old, new))
    return into


def test_a_record_that_may_not_be_read_ends_it_and_its_twin_serves_what_it_cannot(
    app_trees, tmp_path, owner, environment, connection
):
    v1 = app_trees["v1"]
    connection.execute(UNKNOWN)
    connection.execute("REVOKE SELECT ON schema_marks FROM orders_record")
    ended = start(v1, environment)
    assert (ended.returncode, len(ended.stderr.splitlines())) == (3, 1), ended.stderr
    assert "role orders_record may not read which revisions this database has" in ended.stderr
    assert "run `python -m migrations roles` as the owner" in ended.stderr
    twin = changed(
        v1, tmp_path / "twin", "app/start.py", "except errors.InsufficientPrivilege", "except errors.DiskFull"
    )
    with service(twin, environment, "v1") as let_in:
        assert let_in.request("GET", "/livez")[0] == 200
    # As it says: then it knows.
    connection.execute("DELETE FROM schema_history WHERE revision = 'c0009'")
    result_of(migrate(v1, owner, "roles", "v1"))
    connection.execute(UNKNOWN)
    ended = start(v1, environment)
    assert (ended.returncode, "contract c0009 removed what it needs" in ended.stderr) == (3, True)


def test_its_statements_have_limits_of_their_own(app_trees, environment, connection):
    """Told by a record that is made of them."""
    connection.execute(
        "ALTER TABLE schema_marks RENAME TO away; CREATE VIEW schema_marks AS SELECT"
        " current_setting('statement_timeout') || ' ' || current_setting('lock_timeout') AS revision,"
        f" 'contract' AS phase, now() AS started_at; GRANT SELECT ON schema_marks TO {ROLE['APP_DB_USER']}"
    )
    ended = start(app_trees["v1"], environment)
    assert (ended.returncode, "contract 3s 1s (begun" in ended.stderr) == (3, True), ended.stderr


def test_a_record_that_somebody_holds_does_not_keep_it_from_starting(app_trees, environment, connection):
    with connection.transaction():
        connection.execute("LOCK TABLE schema_history")
        with service(app_trees["v1"], environment, "v1") as running:
            assert running.request("GET", "/livez")[0] == 200


def test_the_path_of_its_role_leads_to_no_other_record_and_no_other_orders(
    app_trees, app_database, tmp_path, environment, connection
):
    connection.execute(
        "CREATE SCHEMA svc; CREATE TABLE svc.schema_history (LIKE schema_history);"
        " CREATE TABLE svc.orders (LIKE orders INCLUDING ALL);"
        f" GRANT ALL ON SCHEMA svc TO {ROLE['APP_DB_USER']};"
        f" GRANT ALL ON ALL TABLES IN SCHEMA svc TO {ROLE['APP_DB_USER']};"
        f" ALTER ROLE {ROLE['APP_DB_USER']} IN DATABASE {app_database} SET search_path = svc, public"
    )
    with service(app_trees["v1"], environment, "v1") as running:
        assert running.request("POST", "/orders", GOOD)[0] == 201
    assert connection.execute("SELECT count(*) FROM public.orders").fetchone() == (1,)
    connection.execute(UNKNOWN)
    ended = start(app_trees["v1"], environment)
    assert (ended.returncode, "contract c0009" in ended.stderr) == (3, True), ended.stderr
    path = "-c search_path=public,pg_temp"
    twin = changed(app_trees["v1"], tmp_path / "twin", "app/store.py", path, "-c geqo=on")
    with service(twin, environment, "v1") as let_in:
        assert let_in.request("POST", "/orders", GOOD)[0] == 201
    assert connection.execute("SELECT count(*) FROM svc.orders").fetchone() == (1,)
