"""Takes over a database that something else made: its history begins with revisions whose work is there already.

Nothing is believed: the revisions are run in a database of their own on the same server, which shares no table with
the live one, and what they make there is compared with what lies here. Only when both are alike is anything written.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import psycopg
from psycopg import sql

from migrations import history, stamps
from migrations.database import Connection, Say, connect
from migrations.errors import DriftError, SettingError, StatementFailedError
from migrations.settings import Settings
from migrations.structures import drift, structure
from migrations.structures.diff import compare
from migrations.structures.structure import Structure
from migrations.told import first_line
from migrations.tree import Revision, Tree

_OWNERS = """
SELECT quote_ident(c.relname), quote_ident(pg_get_userbyid(c.relowner)), quote_ident(current_user)
FROM pg_class AS c
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
  AND NOT pg_has_role(c.relowner, 'USAGE')
ORDER BY c.relname LIMIT 1
"""


def chain(tree: Tree, through: str) -> list[Revision]:
    """The expand revisions up to this one. Raises SettingError."""
    names = [revision.revision for revision in tree.expand]
    if through not in names:
        found = f"revision {through} is no expand revision of this image" if through else "--through is missing"
        raise SettingError(
            f"adopt: {found}, expected one of {', '.join(names) or 'none, as this image has none'}: the last expand "
            "revision whose work is there (`--through REVISION`; in a release: bluegreen:adopt); nothing was changed"
        )
    return list(tree.expand[: names.index(through) + 1])


def adopt(connection: Connection, tree: Tree, through: str, settings: Settings, say: Say) -> list[str]:
    """Write the history of the revisions; answers their names, none where there is nothing to adopt.

    Raises DriftError, SettingError, StatementFailedError.
    """
    revisions = chain(tree, through)
    if found := history.entries(connection):
        say(f"adopt: nothing to do, the history begins with {found[0].revision} of {found[0].applied_at:%Y-%m-%d}")
        return []
    if not structure.relations(connection):
        say("adopt: nothing to do, the database is empty")
        return []
    _require_owner(connection)
    say(f"adopt: running {', '.join(one.revision for one in revisions)} in a database of their own")
    _require_alike(connection, revisions, settings)
    stamped = stamps.read(connection)
    with connection.transaction():
        history.ensure(connection)
        for revision in revisions:
            history.adopt(connection, revision, settings)
        connection.execute("DELETE FROM alembic_version")
        connection.execute("INSERT INTO alembic_version VALUES (%s)", (through,))
    if stamped:
        say(f"adopt: alembic_version said {', '.join(stamped)}, it says {through} now")
    drift.store(connection, settings.version)
    return [revision.revision for revision in revisions]


def _require_owner(connection: Connection) -> None:
    """What belongs to somebody else cannot be changed by a later revision."""
    row = connection.execute(_OWNERS).fetchone()
    if row:
        raise DriftError(
            f"adopt: {row[0]} belongs to {row[1]}, expected {row[2]}, which runs the revisions; give it over with "
            f"`ALTER TABLE {row[0]} OWNER TO {row[2]}` or `REASSIGN OWNED BY {row[1]} TO {row[2]}`; nothing was changed"
        )


def _require_alike(connection: Connection, revisions: Sequence[Revision], settings: Settings) -> None:
    with scratch_database(connection, settings) as scratch:
        expected = _made_by(revisions, scratch)
    found = list(compare(expected=expected, found=structure.read(connection)))
    if found:
        earlier = ", ".join(one.revision for one in revisions[:-1])
        name = f"name the last one whose work is there ({earlier}), " if earlier else ""
        raise DriftError(
            f"adopt: the database is not what {revisions[-1].revision} leaves: {drift.listed(found)}; expected both "
            f"alike. Where that is the work of later revisions, {name}else change the database, or the revisions that "
            "nothing has applied yet; nothing was changed"
        )


def _made_by(revisions: Sequence[Revision], settings: Settings) -> Structure:
    # Alembic and SQLAlchemy take a second to load: only a run that applies something pays for it.
    from migrations import runner

    with connect(settings, _quiet) as connection:
        history.ensure(connection)
        runner.apply(connection, revisions, settings, _quiet)
        return structure.read(connection)


def _quiet(_: str) -> None:
    """What happens to empty tables in a moment is no news."""


@contextmanager
def scratch_database(connection: Connection, settings: Settings) -> Iterator[Settings]:
    """An empty database beside the live one: settings that lead to it. Dropped at the end.

    Its name is made of the live one's oid, and one runner works at a time: one that is there is a killed run's.
    """
    row = connection.execute(
        "SELECT oid, pg_encoding_to_char(encoding), datcollate, datctype, datlocprovider FROM pg_database"
        " WHERE datname = current_database()"
    ).fetchone()
    if row is None:
        raise StatementFailedError("adopt: the database has no row in pg_database, expected one")
    name = f"bluegreen_scratch_{row[0]}"
    _drop(connection, name)
    _create(connection, name, row)
    try:
        yield replace(settings, database=replace(settings.database, name=name))
    finally:
        _drop(connection, name)


def _create(connection: Connection, name: str, like: Sequence[object]) -> None:
    text = "CREATE DATABASE {name} TEMPLATE template0 ENCODING {encoding}"
    if like[4] == "c":
        text += " LC_COLLATE {collate} LC_CTYPE {ctype}"
    statement = sql.SQL(text).format(
        name=sql.Identifier(name),
        encoding=sql.Literal(like[1]),
        collate=sql.Literal(like[2]),
        ctype=sql.Literal(like[3]),
    )
    try:
        connection.execute(statement)
    except psycopg.errors.InsufficientPrivilege as error:
        raise StatementFailedError(
            f"adopt: {first_line(error)}; expected {connection.info.user} to be allowed to make the database {name}, "
            f"in which the revisions are tried: `ALTER ROLE {connection.info.user} CREATEDB` until it is adopted; "
            "nothing was changed"
        ) from error


def _drop(connection: Connection, name: str) -> None:
    connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
