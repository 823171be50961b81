"""The role the service connects as: it reads and writes rows, and owns nothing.

The owner (who runs this command) makes the tables; default privileges give the service its rights on every table
that a later revision makes, so that no revision needs to think of it.
"""

from __future__ import annotations

import re

from psycopg import sql

from migrations import history
from migrations.database import Connection
from migrations.errors import SettingError

_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_GRANTS = (
    "GRANT CONNECT ON DATABASE {database} TO {role}",
    "GRANT USAGE ON SCHEMA public TO {role}",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}",
    "GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {role}",
    "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {role}",
    "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO {role}",
    # What the runner keeps for itself, the service may read and not write.
    f"REVOKE INSERT, UPDATE, DELETE ON {', '.join(history.OWN_TABLES)} FROM {{role}}",
)


def ensure_app_role(connection: Connection, name: str, password: str) -> bool:
    """Make the role or set its password; True when it was made. Raises SettingError."""
    if not _NAME.fullmatch(name):
        raise SettingError(f"APP_DB_USER: found {name!r}, expected a-z, 0-9 and _ with at most 63 characters")
    if name == connection.info.user:
        raise SettingError(f"APP_DB_USER: {name} is the owner of the schema, expected a role of its own")
    history.ensure(connection)
    with connection.transaction():
        made = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (name,)).fetchone() is None
        _set_password(connection, name, password, made=made)
        for grant in _GRANTS:
            statement = sql.SQL(grant).format(
                role=sql.Identifier(name), database=sql.Identifier(connection.info.dbname)
            )
            connection.execute(statement)
    return made


def _set_password(connection: Connection, name: str, password: str, *, made: bool) -> None:
    # Hashed here: a password in a statement can end up in the server's log.
    verifier = connection.pgconn.encrypt_password(password.encode(), name.encode(), b"scram-sha-256").decode()
    # Only a superuser may name these of a role that is there, even where nothing would change; the owner is none.
    made_with = "CREATE ROLE {role} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD {verifier}"
    statement = sql.SQL(made_with if made else "ALTER ROLE {role} LOGIN PASSWORD {verifier}")
    connection.execute(statement.format(role=sql.Identifier(name), verifier=sql.Literal(verifier)))
