"""The generator against small servers that misbehave on purpose: nothing may be hidden."""

import asyncio
import contextlib
import itertools
import json

import pytest

from rehearsal import ledger, records
from rehearsal.load import Load


class Orders:
    """A service in memory; `trouble(method, count)` may answer raw bytes, or None to close the connection."""

    def __init__(self, trouble=None):
        self.trouble = trouble
        self.rows = {}
        self.open = set()
        self.counts = dict.fromkeys(("GET", "POST", "PATCH"), 0)

    async def serve(self, reader, writer):
        self.open.add(asyncio.current_task())
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                method, path, _ = head.split(" ", 2)
                length = next(
                    (int(x.split(":")[1]) for x in head.splitlines() if x.lower().startswith("content-len")), 0
                )
                body = json.loads(await reader.readexactly(length)) if length else None
                self.counts[method] += 1
                special = self.trouble(method, self.counts[method]) if self.trouble else ()
                if special is None:
                    break
                writer.write(special or self.answer(method, path, body))
                await writer.drain()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        self.open.discard(asyncio.current_task())

    def answer(self, method, path, body):
        if method == "POST":
            row = {"id": len(self.rows) + 1, "status": "new", **body}
            self.rows[row["id"]] = row
            return response(201, row)
        if "?" in path:
            return response(200, {"orders": list(self.rows.values())[-20:]})
        row = self.rows[int(path.rsplit("/", 1)[1])]
        row.update(body or {})
        return response(200, row)


def response(status, body, version="v1"):
    payload = json.dumps(body).encode()
    head = f"HTTP/1.1 {status} X\r\nx-app-version: {version}\r\ncontent-type: application/json\r\n"
    return f"{head}content-length: {len(payload)}\r\n\r\n".encode() + payload


def play(tmp_path, service, requests=120, rps=600.0):
    """Send about this many requests; answers the load and its records."""

    async def run():
        server = await asyncio.start_server(service.serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        with (tmp_path / "requests.tsv").open("w") as file:
            load = Load(f"http://127.0.0.1:{port}", rps, "t", file, seed=3)
            running = asyncio.create_task(load.run())
            while load.sent < requests:
                await asyncio.sleep(0.005)
            load.stop()
            await running
        server.close()
        if service.open:
            await asyncio.wait(service.open)
        return load

    load = asyncio.run(run())
    return load, list(records.read(tmp_path / "requests.tsv"))


def test_all_kinds_of_requests_are_sent_and_every_one_is_recorded(tmp_path):
    service = Orders()
    load, found = play(tmp_path, service, 300)
    assert load.sent == len(found) == sum(service.counts.values())
    assert not any(record.lost for record in found)
    assert {record.operation for record in found} == {"create", "read", "list", "update"}
    assert {record.version for record in found} == {"v1"}
    assert all(record.sent >= record.due - 0.001 for record in found)
    ledger.save(tmp_path / "orders.jsonl", "t", load.orders)
    run, orders = ledger.load(tmp_path / "orders.jsonl")
    assert set(orders) == set(service.rows)
    for order_id, written in orders.items():
        assert ledger.differs(service.rows[order_id], written.contents(run)) is None


def test_a_connection_that_breaks_is_a_lost_request_and_never_sent_again(tmp_path):
    """aiohttp would send a GET again by itself: the loss would be hidden, and the server would count one more."""
    service = Orders(lambda method, count: None if method == "GET" and count % 10 == 0 else ())
    load, found = play(tmp_path, service)
    broken = [record for record in found if record.lost]
    assert len(broken) == service.counts["GET"] // 10 > 0
    assert load.lost == len(broken)
    assert all(record.status == 0 and "Disconnected" in record.error for record in broken)
    assert sum(service.counts.values()) == len(found)


@pytest.mark.parametrize("status", [500, 503, 404])
def test_an_error_is_lost_and_the_order_is_left_alone_afterwards(tmp_path, status):
    service = Orders(lambda method, count: response(status, {}) if method == "PATCH" and count == 3 else ())
    load, found = play(tmp_path, service, 200)
    assert [(record.operation, record.status) for record in found if record.lost] == [("update", status)]
    assert sum(order.unsure for order in load.orders) == 1


def test_wrong_content_counts_as_lost(tmp_path):
    wrong = {"id": 1, "reference": "t-0", "customer": "someone else", "status": "new"}
    service = Orders(lambda method, count: response(200, wrong) if method == "GET" and count == 4 else ())
    _, found = play(tmp_path, service)
    lost = [record for record in found if record.lost]
    assert len(lost) == 1
    assert lost[0].error.startswith("wrong content:")


def test_an_answer_that_is_not_json_counts_as_lost(tmp_path):
    garbage = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n<hi>"
    service = Orders(lambda method, count: garbage if method == "POST" and count == 2 else ())
    load, found = play(tmp_path, service)
    assert [record.operation for record in found if record.lost] == ["create"]
    assert len(load.orders) == service.counts["POST"] - 1


def test_a_stalled_service_gets_no_rest_and_the_wait_is_counted_from_when_it_was_due(tmp_path):
    """Open loop: while one answer is held back the others are sent all the same."""
    gate = asyncio.Event()
    order = itertools.count()

    class Stalling(Orders):
        async def serve(self, reader, writer):
            if next(order) == 0:
                await gate.wait()
            await super().serve(reader, writer)

        def answer(self, method, path, body):
            if self.counts["POST"] >= 20:
                gate.set()
            return super().answer(method, path, body)

    service = Stalling()
    load, found = play(tmp_path, service)
    first = min(found, key=lambda record: record.due)
    others = [record for record in found if record is not first]
    answered_before = [
        record for record in others if record.due + record.milliseconds / 1000 < first.due + first.milliseconds / 1000
    ]
    assert len(answered_before) >= 20
    assert not load.lost
