"""When the weights changed: what tells an answer by the wrong color from one that was on its way.

The embedded AWS notes the time at which it answered each ModifyRule. From that time on the new weights hold, so a
request sent later must not be answered by a version whose weight was already 0. The weights themselves are read right
after each change was seen.
"""

from __future__ import annotations

import bisect
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from rehearsal.records import Record

Weights = Mapping[str, int]
LOOK_SECONDS = 0.1


@dataclass(frozen=True, kw_only=True)
class Change:
    """From `time` on (seconds since the epoch) the weights of the versions are these; one not named has 0.

    None: they changed faster than they could be read, so nothing is said about this time.
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

    def weight(self, version: str, at: float) -> int | None:
        """The weight of a version at a time; None where it is not known."""
        changes = self._changes
        place = bisect.bisect_right(changes, at, key=lambda change: change.time)
        weights = changes[place - 1].weights if place else None
        return None if weights is None else weights.get(version, 0)


def wrong(records: Iterable[Record], timeline: Timeline) -> list[Record]:
    """The answers by a version whose weight was already 0 when the request was sent."""
    return [record for record in records if record.version and timeline.weight(record.version, record.sent) == 0]


class Watch:
    """A thread that keeps a timeline.

    `calls` answers the times of the ModifyRule calls after the given number, and the number of the newest; `look`
    answers the live weights by version.
    """

    def __init__(self, calls: Callable[[int], tuple[list[float], int]], look: Callable[[], Weights]) -> None:
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
        times, self._seen = self._calls(self._seen)
        while times:
            weights = self._look()
            later, self._seen = self._calls(self._seen)
            if not later:
                break
            times += later  # read again: the weights may be those from before this change
        if len(times) > 1:
            self.timeline.add(times[0], None)
        if times:
            self.timeline.add(times[-1], weights)
