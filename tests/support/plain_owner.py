"""An owner of one database who is no superuser: the server hides from it what other roles' sessions do."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg


@contextmanager
def plain_owner(admin: psycopg.Connection, schema: str, right: str = "") -> Iterator[dict[str, str]]:
    """Environment of such a role, which owns the database until the end of the block. `right`: such as CREATEROLE."""
    name = f"plain_{secrets.token_hex(4)}"
    admin.execute(f"CREATE ROLE {name} LOGIN {right} PASSWORD 'p'")
    admin.execute(f'ALTER DATABASE "{schema}" OWNER TO {name}')
    try:
        yield {"DB_USER": name, "DB_PASSWORD": "p"}
    finally:
        admin.execute(f'ALTER DATABASE "{schema}" OWNER TO postgres')
        with psycopg.connect(admin.info.dsn, password=admin.info.password, dbname=schema, autocommit=True) as inside:
            inside.execute(f"REASSIGN OWNED BY {name} TO postgres")
            inside.execute(f"DROP OWNED BY {name}")
        admin.execute(f"DROP ROLE {name}")
