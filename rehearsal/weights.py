"""When the weights changed: what tells an answer by the wrong color from one that was on its way.

The embedded AWS notes when each ModifyRule began and when it was answered. From the answer on the new weights hold, so
a request sent later must not be answered by a version whose weight was already 0; between the two both may be true. The
weights themselves are read right after each change was seen.
"""

from __future__ import annotations

import bisect
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from rehearsal.records import Record

Weights = Mapping[str, int]
Span = tuple[float, float]
LOOK_SECONDS = 0.1


@dataclass(frozen=True, kw_only=True)
class Change:
    """From `time` on (seconds since the epoch) the weights of the versions are these; one not named has 0.

    None: a change was being made, or changes came faster than they could be read; nothing is said about this time.
    """

    time: float
    weights: Weights | None


class Timeline:
    """The changes in their order. May be written by one thread while another reads."""

    def __init__(self) -> None:
        self._changes: list[Change] = []

    def add(self, time: float, weights: Weights | None) -> None:
        """Note a change; one that changes nothing is left out."""
        if not self._changes or self._changes[-1].weights != weights:
            self._changes.append(Change(time=time, weights=weights))

    @property
    def changes(self) -> list[Change]:
        """A copy."""
        return list(self._changes)

    def never_had(self, version: str, since: float, until: float) -> bool:
        """True when the weight of a version was 0 at every moment from `since` to `until`, as far as is known."""
        changes = self._changes
        first = bisect.bisect_right(changes, since, key=lambda change: change.time)
        last = bisect.bisect_right(changes, until, key=lambda change: change.time)
        if not first:
            return False  # before anything is known
        return all(
            change.weights is not None and not change.weights.get(version) for change in changes[first - 1 : last]
        )


def wrong(records: Iterable[Record], timeline: Timeline) -> list[Record]:
    """The answers by a version whose weight was already 0 when the request was sent, and stayed so until the answer.

    The second half is for a version that gains weight: a request may be sent just before and arrive just after.
    """
    return [
        record
        for record in records
        if record.version and timeline.never_had(record.version, record.sent, record.answered)
    ]


class Watch:
    """A thread that keeps a timeline.

    `calls` answers when the ModifyRule calls after the given number began and ended, and the number of the newest;
    `look` answers the live weights by version.
    """

    def __init__(self, calls: Callable[[int], tuple[list[Span], int]], look: Callable[[], Weights]) -> None:
        self.timeline = Timeline()
        self.failure = ""
        self._calls = calls
        self._look = look
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="weights", daemon=True)
        self._seen = 0

    def start(self, now: float) -> None:
        """Begin with the weights as they are."""
        _, self._seen = self._calls(0)
        self.timeline.add(now, self._look())
        self._thread.start()

    def stop(self) -> None:
        """Look a last time and end."""
        self._stop.set()
        self._thread.join(10)

    def _run(self) -> None:
        while not self._stop.wait(LOOK_SECONDS):
            try:
                self._once()
            except Exception as error:  # told by the verification: a thread's own trace would be lost
                self.failure = f"{type(error).__name__}: {error}"

    def _once(self) -> None:
        spans, self._seen = self._calls(self._seen)
        while spans:
            weights = self._look()
            later, self._seen = self._calls(self._seen)
            if not later:
                break
            spans += later  # read again: the weights may be those from before this change
        if spans:
            self.timeline.add(spans[0][0], None)
            self.timeline.add(spans[-1][1], weights)
