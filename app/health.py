"""May this task take requests? The database must answer, and the image must be able to serve its schema.

The rule is the gate's own (`migrations.rule`): every contract revision applied to the database is known in this
image's tree. Asked at every readiness check, so that a task of an image that can no longer serve, such as a
scale-out of an old version, never gets a request and says why.
"""

from __future__ import annotations

import psycopg
from psycopg_pool import PoolTimeout

from app.store import Pool
from migrations import rule
from migrations.tree import Tree

READY_SECONDS = 2.0  # less than the load balancer waits for a health check


async def reason_not_ready(pool: Pool, tree: Tree) -> str | None:
    """None when ready, else one line that says why not."""
    try:
        async with pool.connection(timeout=READY_SECONDS) as connection:
            cursor = await connection.execute("SELECT revision, phase FROM schema_history")
            applied = rule.Applied.of(await cursor.fetchall())
    except psycopg.errors.UndefinedTable:
        return "schema: the database has no schema_history, expected the release to have run `migrations expand`"
    except psycopg.errors.InsufficientPrivilege as error:
        return f"database: {str(error).splitlines()[0]}; expected the release to have run `migrations roles`"
    except PoolTimeout:
        return f"database: no connection within {READY_SECONDS:g} s"
    except psycopg.Error as error:
        return f"database: {str(error).splitlines()[0] if str(error) else type(error).__name__}"
    return rule.reason_not_servable(tree, applied)
