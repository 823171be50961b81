"""HTTP: turns requests into orders and answers into JSON.

An error is always `{"error": "..."}` with one line that names the field or the thing.
"""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import psycopg
from psycopg_pool import PoolTimeout
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from app import health, orders, store
from app.middleware import Stamp
from app.settings import Settings
from migrations.tree import Tree, read_tree

log = logging.getLogger("app")
BODY_LIMIT = 16_384
LIST_LIMIT = 1000
_ID_LIMIT = 2**63 - 1
_Handler = Callable[[Request], Awaitable[Response]]


def build(settings: Settings) -> Starlette:
    """The ASGI application: its pool opens with it and closes after the last request."""
    pool = store.open_pool(settings)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        # Not waited for: a task whose database is away stays alive and says so in /readyz.
        await pool.open(wait=False)
        try:
            yield
        finally:
            await pool.close(timeout=5)

    return Starlette(
        routes=_routes(settings, pool, read_tree()),
        middleware=[Middleware(Stamp, settings=settings)],
        exception_handlers={
            HTTPException: _http_error,
            orders.InvalidOrderError: _invalid,
            psycopg.OperationalError: _unavailable,
            PoolTimeout: _unavailable,
        },
        lifespan=lifespan,
    )


def _routes(settings: Settings, pool: store.Pool, tree: Tree) -> list[Route]:
    async def livez(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def readyz(_: Request) -> Response:
        reason = await health.reason_not_ready(pool, tree)
        if reason is None:
            return JSONResponse({"status": "ok"})
        log.warning("not ready: %s", reason)
        return JSONResponse({"status": "not ready", "reason": reason}, 503)

    async def version(_: Request) -> Response:
        color = {"color": settings.color} if settings.color else {}
        return JSONResponse({"version": settings.version, **color})

    return [
        Route("/livez", livez),
        Route("/readyz", readyz),
        Route("/version", version),
        *_order_routes(pool),
    ]


def _order_routes(pool: store.Pool) -> list[Route]:
    async def create(request: Request) -> Response:
        order = await store.create(pool, orders.new_order(await _body(request)))
        return JSONResponse(order.as_json(), 201, {"location": f"/orders/{order.id}"})

    async def newest(request: Request) -> Response:
        limit = _query_number(request, "limit", 50, LIST_LIMIT)
        before = _query_number(request, "before", None, _ID_LIMIT)
        found = await store.newest(pool, limit or 50, before)
        return JSONResponse({"orders": [order.as_json() for order in found]})

    async def read(request: Request) -> Response:
        return _answer(await store.read(pool, _order_id(request)), request)

    async def update(request: Request) -> Response:
        wanted = orders.change(await _body(request))
        return _answer(await store.update(pool, _order_id(request), wanted), request)

    async def delete(request: Request) -> Response:
        if not await store.delete_test(pool, _order_id(request)):
            raise HTTPException(404, f"order {request.path_params['id']}: no order of a test with this id")
        return Response(status_code=204)

    return [
        Route("/orders", create, methods=["POST"]),
        Route("/orders", newest, methods=["GET"]),
        Route("/orders/{id}", read, methods=["GET"]),
        Route("/orders/{id}", update, methods=["PATCH"]),
        Route("/orders/{id}", delete, methods=["DELETE"]),
    ]


def _answer(order: orders.Order | None, request: Request) -> Response:
    if order is None:
        raise HTTPException(404, f"order {request.path_params['id']}: not found")
    return JSONResponse(order.as_json())


def _order_id(request: Request) -> int:
    text = request.path_params["id"]
    if not (text.isascii() and text.isdigit() and len(text) <= 19 and int(text) <= _ID_LIMIT):
        raise HTTPException(404, f"order {text[:40]}: not found, an id is a whole number")
    return int(text)


def _query_number(request: Request, name: str, default: int | None, high: int) -> int | None:
    text = request.query_params.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 19 and 1 <= int(text) <= high):
        raise HTTPException(400, f"{name}: found {text[:40]!r}, expected a whole number from 1 to {high}")
    return int(text)


async def _body(request: Request) -> object:
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > BODY_LIMIT:
            raise HTTPException(413, f"body: more than {BODY_LIMIT} bytes")
        chunks.append(chunk)
    try:
        return json.loads(b"".join(chunks))
    except (ValueError, RecursionError) as error:
        raise HTTPException(400, "body: not JSON in UTF-8") from error


def _error(status: int, message: str) -> Response:
    return JSONResponse({"error": message}, status)


async def _http_error(_: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    return _error(error.status_code, error.detail)


async def _invalid(_: Request, error: Exception) -> Response:
    return _error(400, str(error))


async def _unavailable(_: Request, error: Exception) -> Response:
    log.warning("database not available: %s", type(error).__name__)
    return _error(503, "database: not available, try again")
