"""What is told of a backfill, and when: on a clock of the test's."""

import json

import pytest

from migrations.backfilling.progress import Progress


class Told:
    """A progress whose time is the test's, and what it said."""

    def __init__(self, total, done=0, every=5):
        self.at, self.lines = 0.0, []
        self.progress = Progress(
            name="b1", total=total, done=done, say=self.lines.append, every=every, service="shop",
            clock=lambda: self.at, now=lambda: 1_700_000_000 + self.at,
        )  # fmt: skip

    def batch(self, rows, seconds, held=0.0):
        self.at += seconds
        self.progress.add(rows, held)

    def text(self):
        return [line for line in self.lines if not line.startswith("{")]

    def metrics(self):
        return [json.loads(line) for line in self.lines if line.startswith("{")]


def test_percent_speed_and_what_is_left():
    told = Told(1000)
    told.batch(100, 3)
    assert told.lines == []
    told.batch(100, 3)
    assert told.text() == ["backfill b1: 200 of 1,000 rows, 20.0 %, 33 rows/s, about 24 s left"]
    (document,) = told.metrics()
    names = ("BackfillRows", "BackfillPercent", "BackfillSecondsLeft", "BackfillHeldBackSeconds")
    assert [document[name] for name in names] == [200, 20, 24, 0]
    assert document["_aws"]["Timestamp"] == 1_700_000_006_000


def test_the_speed_is_of_the_time_since_the_last_line_and_metrics_add_up():
    told = Told(1000)
    told.batch(100, 5)
    told.batch(400, 5, held=2.5)
    told.batch(500, 1, held=2.5)
    told.progress.finish()
    assert told.text()[1] == "backfill b1: 500 of 1,000 rows, 50.0 %, 80 rows/s, about 6 s left, held back 2 s"
    assert told.text()[2].startswith("backfill b1: 1,000 of 1,000 rows, 100.0 %, 500 rows/s")
    assert sum(one["BackfillRows"] for one in told.metrics()) == 1000
    assert sum(one["BackfillHeldBackSeconds"] for one in told.metrics()) == 2.5


def test_it_is_not_100_percent_before_it_was_counted():
    told = Told(100)
    told.batch(100, 6)
    assert "99.9 %" in told.text()[0]
    told.progress.finish()
    assert "100.0 %" in told.text()[1]


def test_a_resumed_one_counts_what_was_done_and_measures_its_own_speed():
    told = Told(1000, done=900)
    told.batch(50, 10)
    assert told.text() == ["backfill b1: 950 of 1,000 rows, 95.0 %, 5 rows/s, about 10 s left"]
    assert told.progress.rows == 50
    assert told.progress.rows_per_second == pytest.approx(5)


def test_without_speed_there_is_no_end_in_sight_and_no_metric_of_it():
    told = Told(1000)
    told.batch(0, 6)
    assert told.text() == ["backfill b1: 0 of 1,000 rows, 0.0 %, 0 rows/s, no end in sight"]
    assert "BackfillSecondsLeft" not in told.metrics()[0]


def test_four_hours_take_less_lines_than_a_release_shows():
    told = Told(10_000_000)
    for _ in range(4 * 3600):
        told.batch(100, 1)
    assert 100 < len(told.text()) < 200
