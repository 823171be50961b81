"""The start of a task: the rule before the first request, and what is no reason to end."""

import shutil
import socket
import subprocess
import sys

import pytest

from tests.support.trees_on_disk import BASE, migrate, result_of, service

pytestmark = pytest.mark.slow


def start(tree, environment, version="v2"):
    """A task that is expected to end by itself."""
    return subprocess.run(
        [sys.executable, "-m", "app"], cwd=tree, capture_output=True, text=True, timeout=60,
        env={**BASE, "HOST": "127.0.0.1", "PORT": "8080", "APP_VERSION": version, **environment},
    )  # fmt: skip


@pytest.fixture(scope="module")
def contracted(app_trees, app_server):
    """A database that only v3 can serve: its name, and the environment of the service's role."""
    with app_server.database() as name:
        owner = {**app_server.environment(name), "APP_DB_USER": "app_contracted", "APP_DB_PASSWORD": "p"}
        for version, command in [
            ("v2", "roles"), ("v2", "expand"), ("v2", "backfill"), ("v3", "expand"), ("v3", "contract"),
        ]:  # fmt: skip
            result_of(migrate(app_trees[version], owner, command, version))
        yield name, app_server.environment(name, "app_contracted", "p")


def test_an_image_that_cannot_serve_ends_at_once_and_names_the_oldest_that_can(app_trees, contracted):
    _, environment = contracted
    ended = start(app_trees["v2"], environment)
    assert ended.returncode == 3
    assert ended.stdout == ""
    assert ended.stderr == (
        "app: version v2 cannot serve this database: contract c0001, c0002 removed what it needs; "
        "the oldest version that can serve is v3\n"
    )
    with service(app_trees["v3"], environment, "v3") as able:
        assert able.request("GET", "/readyz")[0] == 200


def test_without_the_look_it_would_stay_and_never_be_ready(app_trees, contracted):
    """What the look spares: a task that lives on and is found unhealthy much later."""
    without = "from app import __main__, start; start.reason_to_end = lambda *_: None; __main__.main()"
    with service(app_trees["v2"], contracted[1], "v2", program=("-c", without)) as useless:
        assert useless.request("GET", "/livez")[0] == 200
        status, answer, _ = useless.request("GET", "/readyz")
    assert status == 503
    assert "contract c0001, c0002" in answer["reason"]


def test_a_history_that_may_not_be_read_whole_still_ends_it(app_trees, contracted, app_server):
    name, environment = contracted
    with app_server.connect(name) as connection:
        connection.execute("REVOKE SELECT ON schema_versions FROM app_contracted")
        ended = start(app_trees["v1"], environment, "v1")
        connection.execute("GRANT SELECT ON schema_versions TO app_contracted")
    assert ended.returncode == 3
    assert "contract c0001, c0002 removed what it needs; no version seen here can" in ended.stderr


def test_a_database_that_accepts_and_says_nothing_does_not_keep_it_from_starting(app_trees, app_server):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(16)
        place = {**app_server.environment("any"), "DB_PORT": str(silent.getsockname()[1])}
        with service(app_trees["v1"], place, "v1") as running:
            assert running.request("GET", "/readyz")[0] == 503


def test_a_tree_that_makes_no_sense_is_one_line_and_its_own_code(app_trees, app_server, tmp_path):
    tree = tmp_path / "bad"
    shutil.copytree(app_trees["v1"], tree)
    (tree / "migrations/expand/HEAD").write_text("e0009\n")
    ended = start(tree, app_server.environment("any"), "v1")
    assert ended.returncode == 9
    assert len(ended.stderr.splitlines()) == 1
    assert "expand/HEAD says e0009, expected e0001" in ended.stderr
