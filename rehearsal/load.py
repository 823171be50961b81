"""`python -m rehearsal.load`: an open loop of requests in a process of its own.

Each request is due at its own time, whatever happened to the ones before: a service that stalls gets no rest. Runs
until its stdin ends, so it never outlives who started it; then waits for what is in flight and writes the ledger. One
JSON line a second on stdout says how it goes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import aiohttp
import uvloop

from rehearsal import ledger
from rehearsal.records import HEADER, Record, percentile

CLIENT_TIMEOUT_SECONDS = 10.0
_LIST_LIMIT = 20
_MIX = (("create", 0.25), ("read", 0.75), ("list", 0.80), ("update", 1.0))  # cumulated shares


class Load:
    """One run of the generator."""

    def __init__(self, url: str, rps: float, run: str, file: IO[str], seed: int = 1) -> None:
        """Requests go to `url`; each is written to `file` when it ends."""
        self.url = url.rstrip("/")
        self.rps = rps
        self.run_name = run
        self.file = file
        self.random = random.Random(seed)  # noqa: S311  picks which order to read; the same run can be had again
        self.orders: list[ledger.Written] = []
        self.next_number = 0
        self.sent = self.lost = 0
        self.late_milliseconds = 0.0  # the worst: when it grows the generator is too slow, and its figures mean nothing
        self.recent: list[float] = []
        self._stop = asyncio.Event()

    def stop(self) -> None:
        """Send no more."""
        self._stop.set()

    async def run(self) -> None:
        """Send until stopped, then wait for the answers."""
        self.file.write(HEADER)
        timeout = aiohttp.ClientTimeout(total=CLIENT_TIMEOUT_SECONDS)
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=timeout) as session:
            # aiohttp sends an idempotent request again when a kept connection breaks. That would hide a lost request.
            session._retry_connection = False
            in_flight: set[asyncio.Task[None]] = set()
            start, count = time.time() - time.monotonic(), 0
            began = time.monotonic()
            while not self._stop.is_set():
                due = began + count / self.rps
                count += 1
                if (wait := due - time.monotonic()) > 0:
                    await asyncio.sleep(wait)
                task = asyncio.create_task(self._one(session, start + due))
                in_flight.add(task)
                task.add_done_callback(in_flight.discard)
            if in_flight:
                await asyncio.wait(in_flight)
        self.file.flush()

    async def _one(self, session: aiohttp.ClientSession, due: float) -> None:
        operation, order = self._choose()
        method, path, body = self._request(operation, order)
        before = order.change if order else 0
        sent = time.time()
        status, version, color, error = 0, "", "", ""
        answer: Any = None
        try:
            async with session.request(method, self.url + path, json=body) as response:
                version = response.headers.get("x-app-version", "")
                color = response.headers.get("x-app-color", "")
                answer = await response.json(content_type=None)
                status = response.status
        except Exception as found:  # whatever it is: a request that is not recorded would be a loss that nobody sees
            error = f"{type(found).__name__}: {found}"
        ended = time.time()
        if 200 <= status < 300 and not error:
            error = self._check(operation, order, before, answer)
        self._settle(operation, order, acknowledged=200 <= status < 300)
        self._note(
            Record(due, sent, (ended - due) * 1000, operation, status, version, color, error), (sent - due) * 1000
        )

    def _choose(self) -> tuple[str, ledger.Written | None]:
        """What to do next, and with which order. An order has one change in flight at most."""
        drawn = self.random.random()
        operation = next(name for name, share in _MIX if drawn < share)
        if operation == "create" or not self.orders:
            self.next_number += 1
            return "create", ledger.Written(self.next_number - 1, 0)
        if operation == "list":
            return operation, None
        order = self.random.choice(self.orders)
        if order.busy or order.unsure:
            return "list", None
        order.busy = operation == "update"
        return operation, order

    def _request(self, operation: str, order: ledger.Written | None) -> tuple[str, str, dict[str, str] | None]:
        if order is None:
            return "GET", f"/orders?limit={_LIST_LIMIT}", None
        if operation == "read":
            return "GET", f"/orders/{order.id}", None
        if operation == "create":
            body = ledger.content(self.run_name, order.number, 0)
            del body["status"]
            return "POST", "/orders", body
        wanted = ledger.content(self.run_name, order.number, order.change + 1)
        return "PATCH", f"/orders/{order.id}", {name: wanted[name] for name in ("status", "amount", "currency")}

    def _check(self, operation: str, order: ledger.Written | None, before: int, answer: Any) -> str:
        """Empty when the content is right. What another version wrote must read the same."""
        if order is None:
            rows = answer.get("orders") if isinstance(answer, dict) else None
            return "" if isinstance(rows, list) and rows else "wrong content: no orders in the list"
        if not isinstance(answer, dict) or not isinstance(answer.get("id"), int):
            return "wrong content: not an order"
        if operation == "create":
            order.id = answer["id"]
        if operation == "read" and (order.busy or order.unsure or order.change != before):
            return ""  # changed while it was read: both contents are right
        change = before + 1 if operation == "update" else before
        wrong = ledger.differs(answer, [ledger.content(self.run_name, order.number, change)])
        return f"wrong content: {wrong}" if wrong else ""

    def _settle(self, operation: str, order: ledger.Written | None, *, acknowledged: bool) -> None:
        if order is None or operation == "read":
            return
        if operation == "create":
            if acknowledged and order.id:
                self.orders.append(order)
            return
        order.busy = False
        if acknowledged:
            order.change += 1
        else:
            order.unsure = True

    def _note(self, record: Record, late: float) -> None:
        self.sent += 1
        self.lost += record.lost
        self.late_milliseconds = max(self.late_milliseconds, late)
        self.recent.append(record.milliseconds)
        self.file.write(record.line())

    def report(self) -> dict[str, float | int]:
        """How it goes since the last report."""
        recent, self.recent = sorted(self.recent), []
        return {
            "sent": self.sent,
            "lost": self.lost,
            "orders": len(self.orders),
            "p50": round(percentile(recent, 0.5), 2),
            "p99": round(percentile(recent, 0.99), 2),
            "late": round(self.late_milliseconds, 1),
        }


async def _until_stdin_ends(load: Load) -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while await reader.read(1024):
        pass
    load.stop()


async def _tell(load: Load) -> None:
    while True:
        await asyncio.sleep(1)
        print(json.dumps(load.report()), flush=True)  # noqa: T201  read by the rehearsal


async def _main(arguments: argparse.Namespace) -> None:
    folder = Path(arguments.folder)
    with (folder / "requests.tsv").open("w", encoding="utf-8", buffering=1 << 16) as file:
        load = Load(arguments.url, arguments.rps, arguments.run, file)
        side = [asyncio.create_task(_until_stdin_ends(load)), asyncio.create_task(_tell(load))]
        await load.run()
        for task in side:
            task.cancel()
    ledger.save(folder / "orders.jsonl", arguments.run, load.orders)
    print(json.dumps(load.report()), flush=True)  # noqa: T201  read by the rehearsal


def main(arguments: Sequence[str]) -> None:
    """Run until stdin ends."""
    parser = argparse.ArgumentParser(prog="python -m rehearsal.load", description="Send orders until stdin ends.")
    parser.add_argument("--url", required=True, help="where the service answers")
    parser.add_argument("--rps", type=float, default=300.0, help="requests a second")
    parser.add_argument("--run", required=True, help="name of the run, part of each order's reference")
    parser.add_argument("--folder", required=True, help="where requests.tsv and orders.jsonl go")
    uvloop.run(_main(parser.parse_args(arguments)))


if __name__ == "__main__":
    main(sys.argv[1:])
