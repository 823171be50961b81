import contextlib
import shutil

import pytest

from rehearsal.trees import CHECKOUT, lay, lay_all
from tests.support import backfilling
from tests.support import plain_owner as owner
from tests.support.allowed import allow_all
from tests.support.scratch_postgres import scratch_server
from tests.support.trees_on_disk import migrate, result_of

REVISION = '''"""A revision of a test."""

from alembic import op

revision = "{name}"
down_revision = "{down}"
branch_labels = None
depends_on = None
{settings}


def upgrade() -> None:
    """Run it."""
    op.execute("""{statement}""")
'''


@pytest.fixture(scope="session")
def schema_server():
    with scratch_server() as server:
        yield server


@pytest.fixture(scope="session")
def schema_trees(tmp_path_factory):
    """The versions of the example, and the checkout as it is."""
    folder = tmp_path_factory.mktemp("trees")
    return {**lay_all(folder), CHECKOUT: lay(CHECKOUT, folder)}


@pytest.fixture
def schema(schema_server):
    """An empty database: its name."""
    with schema_server.database() as name:
        yield name


@pytest.fixture
def owner_environment(schema_server, schema):
    """Environment of the schema's owner."""
    return {**schema_server.environment(schema), "APP_DB_USER": f"app_{schema}", "APP_DB_PASSWORD": "o'rders \\ pass"}


@pytest.fixture
def app_environment(schema_server, schema, owner_environment):
    """Environment of the service's own role."""
    return schema_server.environment(schema, owner_environment["APP_DB_USER"], owner_environment["APP_DB_PASSWORD"])


@pytest.fixture
def ready(schema_trees, owner_environment):
    """v1's schema."""
    result_of(migrate(schema_trees["v1"], owner_environment, "expand", "v1"))


@pytest.fixture
def session(schema_server, schema):
    """Sessions of somebody else, each with a name; all are closed at the end."""
    with contextlib.ExitStack() as stack:

        def open_one(name):
            connection = stack.enter_context(contextlib.closing(schema_server.connect(schema)))
            connection.execute(f"SET application_name = '{name}'")
            return connection

        yield open_one


@pytest.fixture
def plain_owner(schema_server, schema, owner_environment):
    """An owner as on RDS, no superuser: its environment."""
    with schema_server.connect("postgres") as admin, owner.plain_owner(admin, schema, "CREATEROLE") as login:
        yield {**owner_environment, **login}


@pytest.fixture
def own_tree(schema_trees, tmp_path):
    """A copy of v1 that a test adds revisions to."""
    tree = tmp_path / "own"
    shutil.copytree(schema_trees["v1"], tree)

    def add(statement, name="e0002", down="e0001", settings="", phase="expand", allow=True):
        file = tree / "migrations" / phase / f"{name}_test.py"
        file.write_text(REVISION.format(name=name, down=down, settings=settings, statement=statement))
        (file.parent / "HEAD").write_text(f"{name}\n")
        return allow_all(tree) if allow else tree

    return add


@pytest.fixture
def filling(schema_trees, tmp_path, owner_environment, schema_server, schema):
    """A tree with a backfill of the test's own, on an empty database."""
    with schema_server.connect(schema) as connection:
        yield backfilling.make(schema_trees["v1"], tmp_path / "filling", owner_environment, connection)
