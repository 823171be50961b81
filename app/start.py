"""The look before the first request: may this image serve this database at all?

A task of an image that cannot any more, such as a scale-out of an old version after a contract, ends here with a code
of its own and says why, and never waits to be found unhealthy. So does one that may not read the record. A database
that does not answer is no reason to end: the task serves, is not ready, and says so (app.health).
"""

from __future__ import annotations

import psycopg
from psycopg import errors

from app.settings import Settings
from app.store import conninfo
from migrations import history, rule
from migrations.database import Connection
from migrations.tree import Tree

# Whole seconds; for each address that the name has.
CONNECT_SECONDS = 3
_OPTIONS = "-c statement_timeout=3000 -c lock_timeout=1000"


def reason_to_end(settings: Settings, tree: Tree) -> str | None:
    """None to go on, else one line: what the image lacks, and the oldest version that can serve."""
    try:
        with psycopg.connect(conninfo(settings, CONNECT_SECONDS, _OPTIONS), autocommit=True) as connection:
            applied = history.applied(connection)
            unknown = rule.unknown_contracts(tree, applied)
            able = rule.oldest_able(applied, _versions(connection)) if unknown else None
    except errors.InsufficientPrivilege as error:
        # Other than a database that does not answer: this one does, and will not say what this image must know.
        return (
            f"version {settings.version} may not serve: role {settings.database.user} may not read which revisions "
            f"this database has ({type(error).__name__}, SQLSTATE {error.sqlstate}), so that nobody knows whether it "
            "can; run `python -m migrations roles` as the owner, which gives it the right"
        )
    except psycopg.Error:
        return None
    return rule.refusal(settings.version, applied.told(unknown), able) if unknown else None


def _versions(connection: Connection) -> list[rule.Known]:
    """What cannot be read must not hide that this image cannot serve."""
    try:
        return history.versions(connection)
    except psycopg.Error:
        return []
