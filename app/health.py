"""May this task take requests? The database must answer, and the image must be able to serve its schema.

The rule is the gate's own (`migrations.rule`): every contract revision applied to the database, or begun, is known in
this image's tree. Asked at every readiness check, so that a task of an image that can no longer serve, such as a
scale-out of an old version, never gets a request and says why.
"""

from __future__ import annotations

from typing import LiteralString

import psycopg
from psycopg_pool import PoolTimeout

from app.store import Pool
from migrations import rule
from migrations.told import first_line
from migrations.tree import Tree

# In one statement, so that a revision that comes to its end is seen begun or applied. Marks of an earlier shape have no
# phase, which is then null.
APPLIED: LiteralString = """
SELECT revision, phase, false FROM schema_history
UNION ALL SELECT revision, to_jsonb(mark) ->> 'phase', true FROM schema_marks AS mark
"""
READY_SECONDS = 2.0  # less than the load balancer waits for a health check


async def reason_not_ready(pool: Pool, tree: Tree) -> str | None:
    """None when ready, else one line that says why not."""
    try:
        async with pool.connection(timeout=READY_SECONDS) as connection:
            cursor = await connection.execute(APPLIED)
            applied = rule.Applied.of(await cursor.fetchall())
    except psycopg.errors.UndefinedTable:
        return (
            "schema: the database has no schema_history or no schema_marks, expected the release to have run "
            "`migrations expand`"
        )
    except psycopg.errors.InsufficientPrivilege as error:
        return f"database: {first_line(error)}; expected the release to have run `migrations roles`"
    except PoolTimeout:
        return f"database: no connection within {READY_SECONDS:g} s"
    except psycopg.Error as error:
        return f"database: {first_line(error)}"
    return rule.reason_not_servable(tree, applied)
