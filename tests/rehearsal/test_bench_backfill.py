"""The benchmark of a backfill: which requests belong to which turn, and which orders are asked for."""

import itertools

import pytest

from rehearsal.bench_schema import backfill, customers


def looks(*speeds, every=0.1, seconds=3.0):
    """Turns of so many rows a second."""
    seen, at, rows = [], 100.0, 0
    for speed in speeds:
        for _ in range(int(seconds / every)):
            seen.append((at, rows))
            at, rows = at + every, rows + int(speed * every)
    return [*seen, (at, rows)]


def test_turns_are_told_by_the_rows_and_stand_clear_of_each_other():
    found = list(backfill.clear_turns(looks(0, 1000, 0, 1000)))
    assert [filling for _, _, filling in found] == [False, True, False, True]
    for (_, end, _), (begin, _, _) in itertools.pairwise(found):
        assert begin - end == pytest.approx(2 * backfill._CLEAR_SECONDS, abs=0.11)


def test_a_turn_that_is_too_short_belongs_to_nobody():
    found = list(backfill.clear_turns(looks(0, 1000, 0, seconds=0.5)))
    assert found == []


def test_without_a_row_all_time_is_without():
    assert [filling for _, _, filling in backfill.clear_turns(looks(0, 0))] == [False]


def test_a_burst_in_one_turn_is_one_turn(monkeypatch):
    monkeypatch.setattr(backfill, "_LEAST", 10)
    turns = [(0.0, 1.0, False), (1.0, 2.0, True), (2.0, 3.0, False), (3.0, 3.01, True)]
    requests = [(at / 20, 500.0 if at >= 40 else 1.0 + at, at == 7) for at in range(62)]
    found = backfill.by_turn(requests, turns)
    assert [len(turn) for turn in found[False]] == [20, 20]
    assert [turn[-1] for turn in found[False]] == [20.0, 500.0]
    assert len(found[True]) == 1


def test_each_order_is_asked_for_once_in_the_same_order_each_time():
    keys = list(customers.keys_of(1000))
    assert sorted(keys) == list(range(1, 1001))
    assert keys != sorted(keys)
    assert keys == list(customers.keys_of(1000))
