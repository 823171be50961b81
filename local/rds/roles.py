"""The roles that a DB instance begins with, as on RDS: a master user that may much, and is no superuser."""

from __future__ import annotations

# What RDS grants its rds_superuser of PostgreSQL's own roles.
GRANTED = ("pg_monitor", "pg_signal_backend", "pg_checkpoint", "pg_read_all_data", "pg_write_all_data")
RDS_ROLES = ("rds_superuser", "rds_password", "rds_replication", "rds_iam")


def create(master: str, password_: str) -> str:
    """SQL that makes RDS's roles and the master user.

    Args:
        master: the master user's name.
        password_: the master user's password.
    """
    user = identifier(master)
    lines = [f"CREATE ROLE {role} NOLOGIN;" for role in RDS_ROLES]
    lines += [f"GRANT {', '.join(GRANTED)} TO rds_superuser WITH ADMIN OPTION;"]
    lines += [f"CREATE ROLE {user} LOGIN CREATEDB CREATEROLE PASSWORD {literal(password_)};"]
    lines += [f"GRANT rds_superuser TO {user} WITH ADMIN OPTION;", f"ALTER DATABASE postgres OWNER TO {user};"]
    return "\n".join(lines)


def database(name: str, owner: str) -> str:
    """SQL that makes the database that the instance was asked for."""
    return f"CREATE DATABASE {identifier(name)} OWNER {identifier(owner)};"


def password(user: str, new: str) -> str:
    """SQL that changes a password."""
    return f"ALTER ROLE {identifier(user)} PASSWORD {literal(new)};"


def identifier(name: str) -> str:
    """A name as SQL has it."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text as SQL has it."""
    return "'" + text.replace("'", "''") + "'"
