"""A backfill under load: rows, seconds, and the latency of the service with it and without it.

Both are measured in one run that takes turns, some seconds with batches and some without, so that whatever else the
machine does falls on both. The p99 of a side is that of its median turn: a neighbour's burst falls on one.

Turns are made by the backfill's own throttle: sessions that sleep in a statement count as load, so it holds back while
they are there. When rows were really filled is read from the database, and a request belongs to a turn only when it was
clear of the turns beside it.
"""

from __future__ import annotations

import itertools
import json
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import psycopg

from rehearsal import trees
from rehearsal.bench_schema.instance import Instance, instance, must, run, service
from rehearsal.bench_schema.part import Figures, Options, PartError
from rehearsal.records import percentile

_TASKS: Final = 2
_TURN_SECONDS: Final = 3.0
_QUIET_SECONDS: Final = 3.0  # before and after
_SLEEPERS: Final = 40  # more than the backfill's limit of active sessions
_LOOK_SECONDS: Final = 0.1
_CLEAR_SECONDS: Final = 0.3  # a request this near to a change of turns belongs to neither
_STOP_SECONDS: Final = 30
_WARM_UP_SECONDS: Final = 3.0
_LEAST: Final = 300  # requests of a turn: with less its p99 rests on one or two
_LEAST_TURNS: Final = 3
_ROWS: Final = """
INSERT INTO orders (reference, customer, price)
SELECT 'r' || n, 'customer ' || mod(n, 1000), mod(n, 1000) || '.50 EUR' FROM generate_series(1, %s) AS n
"""
Request = tuple[float, float, bool]


def measure(options: Options) -> Figures:
    """`backfill`. Raises PartError, EmbeddedError, psycopg.Error."""
    before, after = (trees.lay(name, options.folder) for name in ("v1", "v2"))
    with instance(options.folder) as server:
        environment = server.database()
        _prepare(options, server, environment, before, after)
        with _serving(after, environment) as urls, server.connect(environment["DB_NAME"]) as looker:
            looker.autocommit = True
            load = _start_load(options, urls)
            try:
                time.sleep(_WARM_UP_SECONDS)
                began = time.time()
                told, seen = _backfill_in_turns(options, server, environment, after, looker)
            finally:
                requests = _stop_load(load)
        return _figures(options, [one for one in requests if one[0] >= began], told, seen)


def _prepare(options: Options, server: Instance, environment: Mapping[str, str], before: Path, after: Path) -> None:
    for phase in ("roles", "expand"):
        must(run(before, {**environment, "APP_VERSION": "v1"}, "migrations", phase))
    rows = options.rows + options.rows // 20  # customers change some of them, which fills those
    options.say(f"{rows:,} rows in the old shape")
    with server.connect(environment["DB_NAME"]) as connection:
        connection.autocommit = True
        connection.execute(_ROWS, (rows,))
        connection.execute("VACUUM ANALYZE orders")
    must(run(after, {**environment, "APP_VERSION": "v2"}, "migrations", "expand"))


@contextmanager
def _serving(tree: Path, environment: Mapping[str, str]) -> Iterator[list[str]]:
    with service(tree, environment, "v2") as first, service(tree, environment, "v2") as second:
        yield [first, second]


def _start_load(options: Options, urls: Sequence[str]) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "rehearsal.bench_schema.customers"]
    command += ["--rps", str(options.rps), "--rows", str(options.rows)]
    for url in urls:
        command += ["--url", url]
    return subprocess.Popen(  # noqa: S603  this interpreter, words of our own
        command, cwd=trees.PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    )


def _stop_load(load: subprocess.Popen[str]) -> list[Request]:
    try:
        out, _ = load.communicate(timeout=_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        load.kill()
        load.communicate()
        raise PartError(f"the load did not end within {_STOP_SECONDS} s of being told to") from None
    if load.returncode:
        raise PartError(f"the load ended with exit code {load.returncode}, expected 0")
    return [(float(due), float(milliseconds), bool(lost)) for due, milliseconds, lost in json.loads(out)]


def _backfill_in_turns(
    options: Options,
    server: Instance,
    environment: Mapping[str, str],
    tree: Path,
    looker: psycopg.Connection[tuple[Any, ...]],
) -> tuple[dict[str, Any], list[tuple[float, int]]]:
    """What the backfill says of itself, and how many rows were filled at which time."""
    seen: list[tuple[float, int]] = []
    done = threading.Event()
    answer: list[subprocess.CompletedProcess[str]] = []

    def command() -> None:
        answer.append(run(tree, {**environment, "APP_VERSION": "v2"}, "migrations", "backfill"))
        done.set()

    with _sleepers(server, environment) as sleepers:
        _watch(looker, seen, _QUIET_SECONDS, threading.Event())
        thread = threading.Thread(target=command, name="backfill", daemon=True)
        thread.start()
        while not done.is_set():
            _watch(looker, seen, _TURN_SECONDS, done)
            if not done.is_set():
                sleepers.sleep(_TURN_SECONDS)
                _watch(looker, seen, _TURN_SECONDS, done)
        thread.join()
        _watch(looker, seen, _QUIET_SECONDS, threading.Event())
    must(answer[0])
    told = json.loads(answer[0].stdout.splitlines()[-1])["result"]["backfills"]["b0001"]
    options.say(f"{told['rows']:,} rows filled; held back {told['heldBackSeconds']:.0f} of {told['seconds']:.0f} s")
    return told, seen


def _watch(
    looker: psycopg.Connection[tuple[Any, ...]], seen: list[tuple[float, int]], seconds: float, done: threading.Event
) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not done.is_set():
        row = looker.execute("SELECT coalesce(sum(rows_done), 0) FROM schema_backfills").fetchone()
        seen.append((time.time(), int(row[0]) if row else 0))
        time.sleep(_LOOK_SECONDS)


class _Sleepers:
    """Sessions that are in a statement and do nothing: load as the throttle counts it, and none for the machine."""

    def __init__(self, connections: Sequence[psycopg.Connection[tuple[Any, ...]]]) -> None:
        self._connections = connections

    def sleep(self, seconds: float) -> None:
        """All of them, for so long; does not wait for it."""
        for connection in self._connections:
            while connection.pgconn.get_result() is not None:  # of the turn before
                pass
            connection.pgconn.send_query(f"SELECT pg_sleep({seconds})".encode())


@contextmanager
def _sleepers(server: Instance, environment: Mapping[str, str]) -> Iterator[_Sleepers]:
    connections = [server.connect(environment["DB_NAME"], "sleeper") for _ in range(_SLEEPERS)]
    try:
        yield _Sleepers(connections)
    finally:
        for connection in connections:
            connection.close()


def _figures(
    options: Options, requests: Sequence[Request], told: Mapping[str, Any], seen: Sequence[tuple[float, int]]
) -> Figures:
    sides = by_turn(requests, list(clear_turns(seen)))
    if min(len(turns) for turns in sides.values()) < _LEAST_TURNS:
        raise PartError(
            f"{len(sides[True])} turns with the backfill and {len(sides[False])} without had {_LEAST} requests, "
            f"expected {_LEAST_TURNS} of each: more rows make more turns"
        )
    p99s = {side: [percentile(turn, 0.99) for turn in turns] for side, turns in sides.items()}
    with_it, without = (statistics.median(p99s[side]) for side in (True, False))
    found = {
        "rows": told["rows"],
        "seconds": round(told["seconds"] - told["heldBackSeconds"], 2),
        "p99_ratio": round(with_it / without, 2),
        "p99_ms_with": round(with_it, 2),
        "p99_ms_without": round(without, 2),
    }
    options.say(f"p99 {found['p99_ms_with']} ms with, {found['p99_ms_without']} ms without: {found['p99_ratio']}")
    whole = {side: sorted(itertools.chain(*sides[side])) for side in (True, False)}
    return {
        "backfill": found,
        "details": {
            "rps": options.rps,
            "tasks": _TASKS,
            "lost": sum(one[2] for one in requests),
            **{
                name: {
                    "requests": len(whole[side]),
                    "p99_ms_of_turns": [round(one, 2) for one in p99s[side]],
                    "p50_ms": round(percentile(whole[side], 0.5), 2),
                    "p99_ms": round(percentile(whole[side], 0.99), 2),
                    "worst_ms": round(whole[side][-1], 2),
                }
                for name, side in (("with", True), ("without", False))
            },
            "backfill": dict(told),
        },
    }


def by_turn(requests: Sequence[Request], turns: Sequence[tuple[float, float, bool]]) -> dict[bool, list[list[float]]]:
    """The milliseconds of each turn that had enough requests, in order of size; with rows filled (True) and without."""
    found: dict[bool, list[list[float]]] = {True: [], False: []}
    for begin, end, filling in turns:
        inside = sorted(milliseconds for due, milliseconds, _ in requests if begin <= due < end)
        if len(inside) >= _LEAST:
            found[filling].append(inside)
    return found


def clear_turns(seen: Sequence[tuple[float, int]]) -> Iterator[tuple[float, float, bool]]:
    """Begin, end, and whether rows were filled in it, of each time that is clear of the turns beside it."""
    begin, filling = seen[0][0], False
    for (last, before), (_, rows) in itertools.pairwise(seen):
        if (rows > before) is not filling:
            if last - begin > 2 * _CLEAR_SECONDS:
                yield begin + _CLEAR_SECONDS, last - _CLEAR_SECONDS, filling
            begin, filling = last, rows > before
    if seen[-1][0] - begin > 2 * _CLEAR_SECONDS:
        yield begin + _CLEAR_SECONDS, seen[-1][0] - _CLEAR_SECONDS, filling
