"""Orders in PostgreSQL. All SQL of the service is here; columns that move between versions come from `shape`.

Columns are always named: `SELECT *` would change its answer under a prepared statement when a revision adds one.
"""

from __future__ import annotations

from typing import Any, LiteralString

from psycopg import AsyncConnection
from psycopg.conninfo import make_conninfo
from psycopg_pool import AsyncConnectionPool

from app import shape
from app.orders import Change, NewOrder, Order
from app.settings import Settings
from migrations import hang_up

_COLUMNS: tuple[LiteralString, ...] = (
    "id", "reference", "customer", "status", "test", "created_at", "updated_at", *shape.COLUMNS,
)  # fmt: skip
_SELECT: LiteralString = "SELECT " + ", ".join(_COLUMNS) + " FROM orders"  # noqa: S608  literals only
_RETURNING: LiteralString = " RETURNING " + ", ".join(_COLUMNS)
# The schema that the runner makes its tables in; a role's own path may begin elsewhere.
_SEARCH_PATH = "-c search_path=public,pg_temp"
Pool = AsyncConnectionPool[AsyncConnection[tuple[Any, ...]]]


def conninfo(settings: Settings, connect_timeout: int, options: str) -> str:
    """How this task connects. Who holds a lock can be told from a session's name: color and version."""
    database = settings.database
    return make_conninfo(
        host=database.host,
        port=database.port,
        dbname=database.name,
        user=database.user,
        password=database.password,
        sslmode=database.sslmode,
        application_name=f"app {settings.color} {settings.version}".replace("  ", " ")[:63],
        connect_timeout=connect_timeout,
        options=f"{options} {_SEARCH_PATH}",
        **hang_up.KEPT_ALIVE,
    )


def open_pool(settings: Settings) -> Pool:
    """The pool of this task, not yet open; the caller opens and closes it."""
    return AsyncConnectionPool(
        # No statement of this service is long; one that hangs must not hold a lock that a migration waits for.
        conninfo(
            settings,
            connect_timeout=5,
            options="-c statement_timeout=10000 -c idle_in_transaction_session_timeout=10000",
        ),
        kwargs={"autocommit": True},  # every operation is one statement: no transaction is ever left open
        min_size=min(2, settings.pool_size),
        max_size=settings.pool_size,
        timeout=settings.pool_timeout,
        open=False,
    )


async def create(pool: Pool, new: NewOrder) -> Order:
    """Store a new order and answer it."""
    money = shape.to_columns(new.money)
    columns: LiteralString = ", ".join(["reference", "customer", "test", *money])
    places: LiteralString = ", ".join(["%s"] * (3 + len(money)))
    statement: LiteralString = (
        "INSERT INTO orders (" + columns + ") VALUES (" + places + ")" + _RETURNING  # noqa: S608  literals only
    )
    row = await _one(pool, statement, (new.reference, new.customer, new.test, *money.values()))
    if row is None:
        raise RuntimeError("orders: the insert answered no row, expected the stored one")
    return row


async def read(pool: Pool, order_id: int) -> Order | None:
    """The order, or None."""
    return await _one(pool, _SELECT + " WHERE id = %s", (order_id,))


async def newest(pool: Pool, limit: int, before: int | None) -> list[Order]:
    """At most `limit` orders with an id below `before`, newest first; orders of smoke tests are left out."""
    where: LiteralString = " WHERE NOT test" if before is None else " WHERE NOT test AND id < %s"
    parameters = (limit,) if before is None else (before, limit)
    async with pool.connection() as connection:
        cursor = await connection.execute(_SELECT + where + " ORDER BY id DESC LIMIT %s", parameters)
        return [_order(row) for row in await cursor.fetchall()]


async def update(pool: Pool, order_id: int, wanted: Change) -> Order | None:
    """Change the order and answer it, or None where there is none."""
    columns = {} if wanted.money is None else shape.to_columns(wanted.money)
    sets: list[LiteralString] = [name + " = %s" for name in columns]
    values = list(columns.values())
    if wanted.status is not None:
        sets.append("status = %s")
        values.append(wanted.status)
    sets.append("updated_at = now()")
    statement: LiteralString = (
        "UPDATE orders SET " + ", ".join(sets) + " WHERE id = %s" + _RETURNING  # noqa: S608  literals only
    )
    return await _one(pool, statement, (*values, order_id))


async def delete_test(pool: Pool, order_id: int) -> bool:
    """Delete an order of a smoke test; False where there is none. Real orders are never deleted."""
    async with pool.connection() as connection:
        cursor = await connection.execute("DELETE FROM orders WHERE id = %s AND test", (order_id,))
        return cursor.rowcount == 1


async def _one(pool: Pool, statement: LiteralString, parameters: tuple[object, ...]) -> Order | None:
    async with pool.connection() as connection:
        cursor = await connection.execute(statement, parameters)
        row = await cursor.fetchone()
        return None if row is None else _order(row)


def _order(row: tuple[Any, ...]) -> Order:
    order_id, reference, customer, status, test, created_at, updated_at, *money = row
    return Order(
        id=order_id,
        reference=reference,
        customer=customer,
        status=status,
        test=test,
        created_at=created_at,
        updated_at=updated_at,
        money=shape.from_columns(*money),
    )
