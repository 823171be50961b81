"""`python -m rehearsal.bench_schema.customers`: an open loop of requests for orders that are there already.

The rehearsal's load works on the orders it made itself; a backfill works on the old ones. So this one reads and changes
orders drawn from the whole table, each key once: a row that was changed lies elsewhere afterwards, and asking for it
again would measure something else.

Runs until its stdin ends; then one line of JSON: for each request when it was due (seconds since the epoch), the
milliseconds from then to the end of its answer, and whether it was lost.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import time
from collections.abc import Iterator, Sequence

import aiohttp
import uvloop

_MIX = (("read", 0.55), ("update", 0.9), ("create", 0.97), ("list", 1.0))  # cumulated shares
_TIMEOUT_SECONDS = 10.0


class Customers:
    """One run."""

    def __init__(self, urls: Sequence[str], rps: float, keys: Iterator[int]) -> None:
        """Requests go to the urls in turn."""
        self.urls, self.rps, self.keys = urls, rps, keys
        self.random = random.Random(1)  # noqa: S311  the same mix in each phase
        self.requests: list[tuple[float, float, bool]] = []
        self.stop = asyncio.Event()

    async def run(self) -> None:
        """Send until stopped, then wait for the answers."""
        timeout = aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS)
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=timeout) as session:
            began, count = time.time(), 0
            in_flight: set[asyncio.Task[None]] = set()
            while not self.stop.is_set():
                due = began + count / self.rps
                if (wait := due - time.time()) > 0:
                    await asyncio.sleep(wait)
                task = asyncio.create_task(self._one(session, self.urls[count % len(self.urls)], due))
                in_flight.add(task)
                task.add_done_callback(in_flight.discard)
                count += 1
            if in_flight:
                await asyncio.wait(in_flight)

    async def _one(self, session: aiohttp.ClientSession, url: str, due: float) -> None:
        drawn = self.random.random()
        operation = next(name for name, share in _MIX if drawn < share)
        method, path, body = self._request(operation)
        lost = True
        try:
            async with session.request(method, url + path, json=body) as response:
                await response.read()
                lost = not 200 <= response.status < 300
        except (aiohttp.ClientError, TimeoutError):
            pass  # lost: it is counted as that
        self.requests.append((round(due, 4), round((time.time() - due) * 1000, 3), lost))

    def _request(self, operation: str) -> tuple[str, str, dict[str, str] | None]:
        if operation == "list":
            return "GET", "/orders?limit=20", None
        if operation == "create":
            body = {"reference": "bench", "customer": "bench", "amount": "1.00", "currency": "EUR"}
            return "POST", "/orders", body
        key = next(self.keys)
        return ("GET", f"/orders/{key}", None) if operation == "read" else ("PATCH", f"/orders/{key}", _CHANGE)


_CHANGE = {"status": "paid"}


def keys_of(rows: int) -> Iterator[int]:
    """Every key from 1 to `rows` once, in an order that is random and the same each time."""
    keys = list(range(1, rows + 1))
    random.Random(1).shuffle(keys)  # noqa: S311  the same run can be had again
    return iter(keys)


async def _until_stdin_ends(customers: Customers) -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while await reader.read(1024):
        pass
    customers.stop.set()


async def _main(options: argparse.Namespace) -> None:
    customers = Customers(options.url, options.rps, keys_of(options.rows))
    side = asyncio.create_task(_until_stdin_ends(customers))
    await customers.run()
    side.cancel()
    print(json.dumps(customers.requests), flush=True)  # noqa: T201  read by the benchmark


def main(arguments: Sequence[str]) -> None:
    """Run until stdin ends."""
    parser = argparse.ArgumentParser(prog="python -m rehearsal.bench_schema.customers", description=__doc__)
    parser.add_argument("--url", required=True, action="append", help="where a task of the service answers; repeat it")
    parser.add_argument("--rps", type=float, default=300.0, help="requests a second")
    parser.add_argument("--rows", type=int, required=True, help="keys are 1 to this")
    uvloop.run(_main(parser.parse_args(arguments)))


if __name__ == "__main__":
    main(sys.argv[1:])
