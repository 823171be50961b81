"""What every response carries and every request leaves in the log.

A plain ASGI layer: it sees the response start, whatever made it, so errors carry the version too. What nobody expected
ends here: Starlette and the server would each log it once more, without the request's id, and send it without a stamp.
"""

from __future__ import annotations

import logging
import re
import time
import uuid

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import logs
from app.settings import Settings

log = logging.getLogger("app.request")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._=;:/-]{1,200}")  # ours, or the load balancer's trace id
SLOW_SECONDS = 1.0


class Stamp:
    """Adds `x-app-version` (and `x-app-color`) and a request id; logs what is slow or failed."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        """Wrap `app`."""
        self.app = app
        self.version = settings.version
        self.color = settings.color

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        sent = headers.get("x-request-id") or headers.get("x-amzn-trace-id") or ""
        identity = sent if _REQUEST_ID.fullmatch(sent) else uuid.uuid4().hex
        token = logs.request_id.set(identity)
        started = time.perf_counter()
        status = 0

        async def stamp(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                response = MutableHeaders(scope=message)
                response["x-app-version"] = self.version
                response["x-request-id"] = identity
                if self.color:
                    response["x-app-color"] = self.color
            await send(message)

        try:
            await self.app(scope, receive, stamp)
        except Exception:
            log.exception("unexpected error")
            if not status:
                await JSONResponse({"error": "internal error"}, 500)(scope, receive, stamp)
        finally:
            self._report(scope, status, time.perf_counter() - started)
            logs.request_id.reset(token)

    @staticmethod
    def _report(scope: Scope, status: int, seconds: float) -> None:
        # The load balancer keeps the access log; a line for each request here would say the same again. What is not
        # ready says why in a line of its own.
        quiet = (status < 500 or scope["path"] == "/readyz") and seconds < SLOW_SECONDS
        fields = {
            "method": scope["method"],
            "path": scope["path"],
            "status": status,
            "milliseconds": round(seconds * 1000, 1),
        }
        log.log(logging.DEBUG if quiet else logging.WARNING, "request", extra=fields)
