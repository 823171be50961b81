"""Our own paths of the HTTP door, under `/_local/`: status, calls, faults. JSON in, JSON out."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

from local.calls import CallLog
from local.faults import BadFault, Faults
from local.server import Application

log = logging.getLogger(__name__)

PREFIX = "/_local/"
METADATA = "/v4/"  # see local/ecs/metadata.py; no AWS API begins so
MOTO = "/moto-api"

Json = dict[str, Any]


class Control:
    """Answers our own paths and passes everything else on.

    Args:
        aws: answers the AWS API.
        status: what GET /_local/status shows.
        database_fault: does what POST /_local/databases asks; raises BadFault for what makes no sense.
        task_fault: the same for POST /_local/tasks.
        metadata: what a task's metadata endpoint answers at a path; None where there is nothing.
    """

    def __init__(
        self,
        aws: Application,
        *,
        calls: CallLog,
        faults: Faults,
        status: Callable[[], Json],
        database_fault: Callable[[Json], Json],
        task_fault: Callable[[Json], Json],
        metadata: Callable[[str], Json | None],
    ) -> None:
        self._aws = aws
        self._calls = calls
        self._faults = faults
        self._metadata = metadata
        self._routes: dict[tuple[str, str], Callable[[Json], Json]] = {
            ("GET", "status"): lambda _: status(),
            ("GET", "calls"): self._report,
            ("GET", "faults"): lambda _: {"faults": faults.waiting()},
            ("POST", "faults"): lambda given: {"id": faults.add(given).id},
            ("DELETE", "faults"): lambda _: {"cleared": faults.clear()},
            ("POST", "databases"): database_fault,
            ("POST", "tasks"): task_fault,
        }

    def __call__(self, environment: Json, start: Callable[..., Any]) -> Iterable[bytes]:
        """The WSGI application."""
        path = environment["PATH_INFO"]
        if path.startswith(MOTO):
            start("404 Not Found", [("Content-Type", "text/plain")])
            return [b"moto's own paths are closed: a reset would leave tasks and databases running\n"]
        if path.startswith(METADATA):
            told = self._metadata(path)
            status, answer = (HTTPStatus.OK, told) if told is not None else (HTTPStatus.NOT_FOUND, {"error": path})
        elif path.startswith(PREFIX):
            status, answer = self._answer(environment, path.removeprefix(PREFIX))
        else:
            return self._aws(environment, start)
        start(f"{status.value} {status.phrase}", [("Content-Type", "application/json")])
        return [json.dumps(answer).encode() + b"\n"]

    def _answer(self, environment: Json, name: str) -> tuple[HTTPStatus, Json]:
        method = environment["REQUEST_METHOD"]
        route = self._routes.get((method, name))
        if route is None:
            known = ", ".join(f"{method} {PREFIX}{name}" for method, name in sorted(self._routes))
            return HTTPStatus.NOT_FOUND, {"error": f"no {method} {PREFIX}{name}; there are {known}"}
        try:
            return HTTPStatus.OK, route(_given(environment))
        except ValueError as error:  # BadFault, or a body that is no JSON
            return HTTPStatus.BAD_REQUEST, {"error": str(error)}

    def _report(self, query: Json) -> Json:
        since = query.get("since", "0")
        if not since.isdigit():
            raise BadFault(f"since is the number of a call; found {since!r}")
        return self._calls.report(service=query.get("service"), action=query.get("action"), since=int(since))


def _given(environment: Json) -> Json:
    """What the request asks: its query, and over it its body."""
    body = environment["wsgi.input"].read()
    given = json.loads(body) if body else {}
    if not isinstance(given, dict):
        raise BadFault(f"the body is a JSON object; found {type(given).__name__}")
    return {**dict(parse_qsl(environment["QUERY_STRING"])), **given}
