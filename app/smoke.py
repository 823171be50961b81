"""`python -m app.smoke`: the last look at a new color before it gets traffic.

Runs in the new image, against the test listener. `SMOKE_URL` is where, `SMOKE_HEADER` (such as
"bluegreen-color: green") picks the color, `APP_VERSION` is what every answer must come from. One order marked as a
test is written, read, changed and deleted, so the whole way to the database is known to work.
"""

from __future__ import annotations

import http.client
import json
import os
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from app.settings import SettingsError, text, version

TRIES = 5
READY_SECONDS = 15.0
_TIMEOUT_SECONDS = 10.0


class SmokeError(Exception):
    """One line that says what was found and what was expected."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """The color under test."""

    url: str
    version: str
    headers: Mapping[str, str] = field(default_factory=dict)

    def request(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Status and JSON of one answer, which must come from the version under test. Raises SmokeError."""
        parts = urlsplit(self.url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        connection = kind(parts.hostname or "", parts.port, timeout=_TIMEOUT_SECONDS)
        try:
            payload = None if body is None else json.dumps(body).encode()
            connection.request(method, path, payload, {**self.headers, "content-type": "application/json"})
            response = connection.getresponse()
            status, raw, found = response.status, response.read(), response.getheader("x-app-version")
        except (OSError, http.client.HTTPException) as error:
            raise SmokeError(f"{method} {path} at {self.url}: {type(error).__name__}: {error}") from error
        finally:
            connection.close()
        if found != self.version:
            raise SmokeError(
                f"{method} {path}: answered by {found or 'something else than the service'} with status {status}, "
                f"expected version {self.version}"
            )
        try:
            return status, json.loads(raw) if raw else None
        except ValueError as error:
            raise SmokeError(f"{method} {path}: status {status}, the answer is not JSON") from error

    def expect(self, wanted: int, method: str, path: str, body: object = None) -> Any:
        """The JSON of an answer with this status. Raises SmokeError."""
        status, found = self.request(method, path, body)
        if status != wanted:
            raise SmokeError(f"{method} {path}: status {status} ({_reason(found)}), expected {wanted}")
        return found


def run(target: Target, sleep: Callable[[float], None] = time.sleep) -> dict[str, object]:
    """All checks; answers what was done. Raises SmokeError."""
    started = time.monotonic()
    _wait_ready(target, sleep)
    for _ in range(TRIES):
        found = target.expect(200, "GET", "/version")
        if found.get("version") != target.version:
            raise SmokeError(f"GET /version: found {found}, expected version {target.version}")
    order = _order_round_trip(target)
    return {"version": target.version, "order": order, "seconds": round(time.monotonic() - started, 3)}


def _wait_ready(target: Target, sleep: Callable[[float], None]) -> None:
    """The load balancer may still be learning of the targets: a short while is no failure."""
    deadline = time.monotonic() + READY_SECONDS
    while True:
        try:
            target.expect(200, "GET", "/readyz")
        except SmokeError:
            if time.monotonic() >= deadline:
                raise
            sleep(0.25)
        else:
            return


def _order_round_trip(target: Target) -> int:
    reference = f"smoke-{uuid.uuid4().hex}"
    sent = {"reference": reference, "customer": "smoke test", "amount": "10.01", "currency": "EUR", "test": True}
    order_id = int(target.expect(201, "POST", "/orders", sent)["id"])
    path = f"/orders/{order_id}"
    try:
        _compare(target.expect(200, "GET", path), sent)
        changed = {"status": "paid", "amount": "20.02", "currency": "USD"}
        target.expect(200, "PATCH", path, changed)
        _compare(target.expect(200, "GET", path), {**sent, **changed})
    finally:
        target.request("DELETE", path)
    status, _ = target.request("GET", path)
    if status != 404:
        raise SmokeError(f"GET {path}: status {status} after the test order was deleted, expected 404")
    return order_id


def _compare(found: Mapping[str, object], wanted: Mapping[str, object]) -> None:
    if wrong := {name: found.get(name) for name in wanted if found.get(name) != wanted[name]}:
        expected = {name: wanted[name] for name in wrong}
        raise SmokeError(f"the order read back has {wrong}, expected {expected}")


def _reason(found: object) -> str:
    if isinstance(found, dict):
        return str(found.get("reason") or found.get("error") or "no reason given")
    return "no reason given"


def target(environment: Mapping[str, str]) -> Target:
    """The target of this environment. Raises SettingsError."""
    url = text(environment, "SMOKE_URL").rstrip("/")
    if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
        raise SettingsError(f"SMOKE_URL: found {url!r}, expected such as http://host:8081")
    headers = {}
    if header := environment.get("SMOKE_HEADER"):
        name, colon, value = header.partition(":")
        if not colon or not name.strip() or not value.strip():
            raise SettingsError(f'SMOKE_HEADER: found {header!r}, expected such as "bluegreen-color: green"')
        headers[name.strip()] = value.strip()
    return Target(url=url, version=version(environment), headers=headers)


def main() -> int:
    """0 when the color under test works; else 1 and one line on stderr."""
    try:
        result = run(target(os.environ))
    except (SmokeError, SettingsError) as error:
        print(f"smoke: {error}", file=sys.stderr, flush=True)  # noqa: T201  the task's log
        return 1
    print(json.dumps({"result": result}), flush=True)  # noqa: T201  the task's log
    return 0


if __name__ == "__main__":
    sys.exit(main())
