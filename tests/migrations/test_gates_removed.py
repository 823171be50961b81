"""What each condition of `migrations.gate` is for: the same database and the same command, once with it and once
without."""

import subprocess
import sys

import pytest

from tests.support.trees_on_disk import BASE, migrate, result_of

pytestmark = pytest.mark.slow


def without(condition, tree, environment, command, version):
    """The command in a process whose gate lacks one condition."""
    program = (
        f"import sys; from migrations import __main__, gate; gate.{condition} = lambda *_: None\n"
        f"sys.exit(__main__.main([{command!r}]))"
    )
    return subprocess.run(
        [sys.executable, "-c", program], cwd=tree, capture_output=True, text=True, timeout=120,
        env={**BASE, "APP_VERSION": version, **environment},
    )  # fmt: skip


@pytest.fixture
def connection(schema_server, schema):
    with schema_server.connect(schema) as found:
        yield found


def test_without_the_rule_a_version_is_let_in_that_fails_at_its_first_request(
    schema_trees, owner_environment, connection
):
    for version, command in [("v2", "expand"), ("v2", "backfill"), ("v3", "expand"), ("v3", "contract")]:
        result_of(migrate(schema_trees[version], owner_environment, command, version))
    assert migrate(schema_trees["v2"], owner_environment, "check", "v2").returncode == 3
    let_in = without("require_servable", schema_trees["v2"], owner_environment, "check", "v2")
    assert let_in.returncode == 0
    columns = "SELECT count(*) FROM pg_attribute WHERE attrelid = 'orders'::regclass AND attname = 'price'"
    assert connection.execute(columns).fetchone() == (0,)  # and v2 reads it in every request


def test_without_adoption_a_revision_is_believed_that_never_ran(own_tree, owner_environment, connection):
    connection.execute("CREATE TABLE orders (id bigint)")
    tree = own_tree("SELECT 1")
    first = tree / "migrations/expand/e0001_orders.py"
    first.write_text(first.read_text().replace("CREATE TABLE orders", "CREATE TABLE IF NOT EXISTS orders"))
    assert migrate(tree, owner_environment, "expand", "v1").returncode == 14
    assert result_of(without("require_adopted", tree, owner_environment, "expand", "v1"))["applied"][0] == "e0001"
    columns = "SELECT count(*) FROM pg_attribute WHERE attrelid = 'orders'::regclass AND attnum > 0"
    assert connection.execute(columns).fetchone() == (1,)


def test_without_the_checksum_an_edited_revision_is_silently_not_applied(own_tree, owner_environment, connection):
    tree = own_tree("ALTER TABLE orders ADD COLUMN note text")
    result_of(migrate(tree, owner_environment, "expand", "v1"))
    file = tree / "migrations/expand/e0002_test.py"
    file.write_text(file.read_text().replace("note text", "note text, ADD COLUMN more text"))
    assert migrate(tree, owner_environment, "expand", "v1").returncode == 13
    assert result_of(without("require_unedited", tree, owner_environment, "expand", "v1"))["applied"] == []
    columns = "SELECT count(*) FROM pg_attribute WHERE attrelid = 'orders'::regclass AND attname = 'more'"
    assert connection.execute(columns).fetchone() == (0,)
