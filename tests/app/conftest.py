import pytest

from rehearsal.trees import lay_all
from tests.support.scratch_postgres import scratch_server
from tests.support.trees_on_disk import migrate, result_of, service


@pytest.fixture(scope="session")
def app_server():
    with scratch_server() as server:
        yield server


@pytest.fixture(scope="session")
def app_trees(tmp_path_factory):
    return lay_all(tmp_path_factory.mktemp("trees"))


@pytest.fixture
def app_database(app_server):
    """An empty database: its name."""
    with app_server.database() as name:
        yield name


@pytest.fixture(scope="session")
def _v1_for_all(app_server, app_trees):
    role = {"APP_DB_USER": "orders_all", "APP_DB_PASSWORD": "p"}
    with app_server.database() as name:
        for command in ("roles", "expand"):
            result_of(migrate(app_trees["v1"], {**app_server.environment(name), **role}, command, "v1"))
        environment = app_server.environment(name, role["APP_DB_USER"], role["APP_DB_PASSWORD"])
        with service(app_trees["v1"], environment, "v1", APP_COLOR="blue") as running:
            yield running, name, environment


@pytest.fixture
def orders_v1(_v1_for_all, app_server):
    """v1 on a database it made; no order is in it."""
    running, name, _ = _v1_for_all
    with app_server.connect(name) as connection:
        connection.execute("TRUNCATE orders")
    return running


@pytest.fixture
def v1_database(_v1_for_all):
    """Name and environment of that database."""
    return _v1_for_all[1:]
