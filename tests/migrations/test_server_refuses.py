"""What the server refuses to the runner's own statements: a way back that needs no write, and codes that tell why."""

import shutil

import pytest

from tests.support.trees_on_disk import migrate, result_of

pytestmark = pytest.mark.slow


@pytest.fixture
def connection(schema_trees, owner_environment, schema_server, schema):
    """A database at v1."""
    for command in ("roles", "expand"):
        result_of(migrate(schema_trees["v1"], owner_environment, command, "v1"))
    with schema_server.connect(schema) as found:
        yield found


def raising(connection, state):
    """Each write of schema_versions ends with this SQLSTATE, and with a row's value in its sentence."""
    connection.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN RAISE EXCEPTION 'a private person' USING ERRCODE = '{state}'; END $$"
    )
    connection.execute("CREATE TRIGGER refuse BEFORE INSERT ON schema_versions FOR EACH ROW EXECUTE FUNCTION refuse()")


def both(tree, environment, code, advice):
    """`check` says what it could not note, and is good; `expand` ends with the code."""
    (warning,) = [
        line
        for line in result_of(migrate(tree, environment, "check", "v1"))["warnings"]
        if not line.startswith("drift")
    ]
    assert warning.startswith("version v1 was not noted as able to serve: ")
    refused = migrate(tree, environment, "expand", "v1")
    assert refused.returncode == code, refused.stderr
    line = refused.stderr.strip()
    assert len(line.splitlines()) == 1
    assert advice in line
    assert "private person" not in warning + line


@pytest.mark.parametrize(
    ("state", "code", "advice"),
    [
        ("53100", 6, "the server's disk is full; make room"),
        ("58030", 6, "the server could not read or write its files"),
        ("08006", 7, "expected the session to last"),
        ("53200", 6, "the server has no memory left"),
        ("57014", 8, "run again when the database has less to do"),
        ("55P03", 4, "run again when that transaction has ended"),
    ],
)
def test_a_check_needs_no_write(schema_trees, owner_environment, connection, state, code, advice):
    raising(connection, state)
    both(schema_trees["v1"], owner_environment, code, advice)


def test_a_database_that_takes_no_writes(schema_trees, owner_environment, connection, schema):
    connection.execute(f"ALTER DATABASE {schema} SET default_transaction_read_only = on")
    both(schema_trees["v1"], owner_environment, 6, "the database takes no writes")


def test_a_table_of_the_runners_own_that_somebody_holds(schema_trees, owner_environment, connection):
    with connection.transaction():
        connection.execute("LOCK TABLE schema_versions IN EXCLUSIVE MODE")
        both(schema_trees["v1"], owner_environment, 4, "somebody holds a table of the runner's own")
    assert result_of(migrate(schema_trees["v1"], owner_environment, "check", "v1"))["warnings"] == []


def test_a_role_that_may_not(schema_trees, app_environment, connection):
    assert connection.closed is False
    refused = migrate(schema_trees["v2"], app_environment, "expand", "v2")
    assert refused.returncode == 6, refused.stderr
    both(schema_trees["v1"], app_environment, 6, "expected the owner of the schema")


def test_a_contract_before_its_expand_is_pending_and_changes_nothing(schema_trees, owner_environment, connection):
    refused = migrate(schema_trees["v3"], owner_environment, "contract", "v3")
    assert refused.returncode == 10
    assert "contract c0001 needs e0002, which is not applied" in refused.stderr
    assert connection.execute("SELECT revision FROM schema_history").fetchall() == [("e0001",)]


@pytest.mark.parametrize("folder", ["missing", "empty"])
def test_an_image_without_expand_revisions_is_refused(schema_trees, owner_environment, tmp_path, folder):
    tree = tmp_path / "hollow"
    shutil.copytree(schema_trees["v1"], tree)
    shutil.rmtree(tree / "migrations/expand")
    if folder == "empty":
        (tree / "migrations/expand").mkdir()
    for command in ("check", "expand", "sql"):
        refused = migrate(tree, owner_environment, command, "v1")
        assert refused.returncode == 9
        assert "expand/ has no revision, expected the one that makes the first table" in refused.stderr
