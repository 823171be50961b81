"""Health checks of every target, by one thread: plain HTTP requests as an Application Load Balancer sends them.

One small event loop instead of Envoy's own checks, because the thresholds, the matcher and the reason codes of the API
are ours to keep, and because both colors must be checked whatever their weight.
"""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Callable
from functools import partial

from local.elb.model import HealthCheck
from local.elb.targets import Key, Outcome, Registry

EAGER_SECONDS = 0.1  # first pause between the tries of a target that has not passed yet
EAGER_LIMIT = 0.5
STATUS_LINE = re.compile(rb"HTTP/1\.[01] (\d{3})(?: |\r|$)")


def matches(matcher: str, status: int) -> bool:
    """Whether a status is in a matcher such as "200", "200,202" or "200-299"."""
    for part in matcher.split(","):
        low, _, high = part.strip().partition("-")
        if int(low) <= status <= int(high or low):
            return True
    return False


async def probe(address: str, port: int, check: HealthCheck) -> Outcome:
    """One health check."""
    try:
        async with asyncio.timeout(check.timeout):
            status = await _status(address, check.port or port, check.path)
    except TimeoutError:
        return Outcome(passed=False, reason="Target.Timeout", description="Request timed out")
    except (OSError, ValueError):
        return Outcome(passed=False, reason="Target.FailedHealthChecks", description="Health checks failed")
    if matches(check.matcher, status):
        return Outcome(passed=True)
    description = f"Health checks failed with these codes: [{status}]"
    return Outcome(passed=False, reason="Target.ResponseCodeMismatch", description=description)


async def _status(address: str, port: int, path: str) -> int:
    reader, writer = await asyncio.open_connection(address, port)
    try:
        request = (
            f"GET {path} HTTP/1.1\r\nHost: {address}:{port}\r\nConnection: close\r\n"
            "User-Agent: ELB-HealthChecker/2.0\r\nAccept-Encoding: gzip, compressed\r\n\r\n"
        )
        writer.write(request.encode("latin-1"))
        found = STATUS_LINE.match(await reader.readline())
        if not found:
            raise ValueError("the answer is not HTTP")
        await reader.read()  # all of it, so that the target sees a request that was read to its end
        return int(found.group(1))
    finally:
        writer.close()


class Prober:
    """The thread that checks; `sync` tells it that the set of targets has changed."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="elb-health", daemon=True)
        self._watching: dict[tuple[Key, int], asyncio.Task[None]] = {}

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End every check and the thread."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()

    def sync(self) -> None:
        """Begin to check new targets, from any thread."""
        self._call(self._begin)

    def _call(self, function: Callable[[], None]) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(function)

    def _run(self) -> None:
        self._loop.run_forever()
        for task in self._watching.values():
            task.cancel()
        if self._watching:  # gather of nothing asks for a running loop
            self._loop.run_until_complete(asyncio.gather(*self._watching.values(), return_exceptions=True))
        self._loop.close()

    def _begin(self) -> None:
        for watch in self._registry.watches():
            if watch not in self._watching:
                task = self._watching[watch] = self._loop.create_task(self._watch(*watch))
                task.add_done_callback(partial(self._end, watch))

    def _end(self, watch: tuple[Key, int], _: asyncio.Task[None]) -> None:
        self._watching.pop(watch, None)

    async def _watch(self, key: Key, watch: int) -> None:
        while (found := self._registry.check(key, watch)) is not None:
            check, health = found
            if health.state == "initial":
                outcome = await self._eager(key, watch, check)
            else:
                outcome = await probe(key[1], key[2], check)
            self._registry.observe(key, watch, outcome)
            await asyncio.sleep(check.interval if outcome.passed or health.state != "initial" else 0)

    async def _eager(self, key: Key, watch: int, check: HealthCheck) -> Outcome:
        """The check of a new target: tried again within its interval, and only the last try counts as failed.

        The many nodes of an ALB check at their own times, so a target that comes up is seen well within an interval;
        one prober that waited for its next turn would be slower than the original.
        """
        end = self._loop.time() + check.interval
        pause = EAGER_SECONDS
        while True:
            outcome = await probe(key[1], key[2], check)
            if outcome.passed or self._registry.check(key, watch) is None or self._loop.time() >= end:
                return outcome
            await asyncio.sleep(min(pause, max(end - self._loop.time(), 0.0)))
            pause = min(pause * 1.25, EAGER_LIMIT)
