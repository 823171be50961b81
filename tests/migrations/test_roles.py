"""The service's role, made and kept by an owner who is no superuser, as on RDS."""

import secrets

import psycopg
import pytest

from tests.support.trees_on_disk import migrate, result_of

pytestmark = pytest.mark.slow


@pytest.fixture
def plain_owner(schema_server, schema, owner_environment):
    """Environment of an owner with the rights of an RDS master user and no more."""
    name, password = f"owner_{schema}", secrets.token_hex(8)
    with schema_server.connect(schema) as connection:
        connection.execute(f"CREATE ROLE {name} LOGIN CREATEDB CREATEROLE PASSWORD '{password}'")
        connection.execute(f'ALTER DATABASE "{schema}" OWNER TO {name}')
        connection.execute(f"ALTER SCHEMA public OWNER TO {name}")
    return {**owner_environment, "DB_USER": name, "DB_PASSWORD": password}


def test_an_owner_who_is_no_superuser_makes_the_role_and_sets_its_password_anew(
    schema_trees, plain_owner, schema_server, schema
):
    tree, user = schema_trees["v1"], plain_owner["APP_DB_USER"]
    assert result_of(migrate(tree, plain_owner, "roles", "v1"))["made"] is True
    assert result_of(migrate(tree, plain_owner, "roles", "v1"))["made"] is False
    rotated = {**plain_owner, "APP_DB_PASSWORD": "another-one"}
    assert result_of(migrate(tree, rotated, "roles", "v1"))["made"] is False
    schema_server.connect(schema, user, "another-one").close()
    with pytest.raises(psycopg.OperationalError):
        schema_server.connect(schema, user, plain_owner["APP_DB_PASSWORD"])
    with schema_server.connect(schema) as connection:
        rights = connection.execute(
            "SELECT rolsuper, rolcreatedb, rolcreaterole, rolcanlogin FROM pg_roles WHERE rolname = %s", (user,)
        ).fetchone()
    assert rights == (False, False, False, True)


def test_twin_to_name_what_only_a_superuser_may_is_refused(plain_owner, schema_trees, schema_server, schema):
    result_of(migrate(schema_trees["v1"], plain_owner, "roles", "v1"))
    owner = schema_server.connect(schema, plain_owner["DB_USER"], plain_owner["DB_PASSWORD"])
    with owner, pytest.raises(psycopg.errors.InsufficientPrivilege):
        owner.execute(f"ALTER ROLE {plain_owner['APP_DB_USER']} NOSUPERUSER")
