"""What was asked of the embedded AWS: counted always, the last ones kept one by one."""

from __future__ import annotations

import threading
from collections import Counter, deque
from dataclasses import asdict, dataclass
from typing import Any

KEPT = 10_000


@dataclass(frozen=True, kw_only=True)
class Call:
    """One API call.

    Attributes:
        number: 1 for the first call after the start.
        time: when it was answered, in seconds since the epoch.
        service: as boto3 names it (`ecs`, `elbv2`).
        action: as AWS names it (`RunTask`).
        status: the HTTP status answered.
        seconds: how long it took, with what a fault added.
        fault: the kind of the injected fault that met it, or None.
    """

    number: int
    time: float
    service: str
    action: str
    status: int
    seconds: float
    fault: str | None


class CallLog:
    """The calls since the start. May be used from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: deque[Call] = deque(maxlen=KEPT)
        self._counts: Counter[tuple[str, str]] = Counter()
        self._number = 0

    def note(self, **fields: Any) -> None:
        """Add a call; the fields are those of `Call` without its number."""
        with self._lock:
            self._number += 1
            call = Call(number=self._number, **fields)
            self._calls.append(call)
            self._counts[call.service, call.action] += 1

    def report(self, *, service: str | None = None, action: str | None = None, since: int = 0) -> dict[str, Any]:
        """The calls that match, oldest first, and how often each action was called since the start.

        Args:
            service: only this service.
            action: only this action.
            since: only calls with a greater number.

        Returns:
            `last` (number of the newest call), `counts` ({"ecs:RunTask": 3}, of all calls) and `calls`.
        """
        with self._lock:
            calls, counts, last = list(self._calls), dict(self._counts), self._number
        return {
            "last": last,
            "counts": {f"{of}:{what}": count for (of, what), count in sorted(counts.items())},
            "calls": [
                asdict(call)
                for call in calls
                if call.number > since and service in {None, call.service} and action in {None, call.action}
            ],
        }
