"""What a person sees: no noise, never silence, no line that is broken by the terminal."""

import time

import pytest

from rehearsal import engine, lines
from rehearsal.engine import Outcome
from rehearsal.report import Report, Step

TASK = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        (f"smoke: task {TASK} RUNNING, 0.3 s", ""),
        (f"smoke: task {TASK} started, python -m app.smoke", "smoke: task 01234567 started, python -m app.smoke"),
        ("migrations: migrations: expand e0004 failed\n  why", "migrations: expand e0004 failed why"),
        ("step 1 of 3: blue 90 / green 10\n", "step 1 of 3: blue 90 / green 10"),
        (f"task {TASK} RUNNING, waiting for it", "task 01234567 RUNNING, waiting for it"),
        (" \n", ""),
    ],
)
def test_progress_is_short_and_without_noise(message, shown):
    assert lines.progress(message) == shown


def test_what_does_not_fit_goes_on_below():
    assert lines.fold("ok  ", "one two three", 28) == ["ok  one two three"]
    assert lines.fold("ok      ", "aaaa " * 12, 40, most=2) == [f"ok      {' '.join(['aaaa'] * 6)}",
                                                              f"{'':8}{' '.join(['aaaa'] * 6)}"]  # fmt: skip
    cut = lines.fold("", "aaaa " * 40, 40, most=2)
    assert len(cut) == 2
    assert cut[-1].endswith(" …")
    assert lines.fold("step  ", "", 40) == ["step"]


def test_the_width_is_the_terminals_within_reason(monkeypatch):
    for columns, expected in (("100", 100), ("20", 60), ("500", 160)):
        monkeypatch.setenv("COLUMNS", columns)
        assert lines.width() == expected


def test_the_table_fits_and_tells_every_step():
    report = Report(started=0.0, rps=1, seconds=12.34)
    report.steps = [
        Step(name=f"step {number}", seconds=number, ok=number < 2, detail="word " * 60) for number in (1, 2)
    ]
    table = report.table(100)
    assert max(map(len, table)) <= 100
    assert [line.split()[:4] for line in table if line[:1] not in (" ", "")][:2] == [
        ["ok", "step", "1", "1.0"],
        ["FAILED", "step", "2", "2.0"],
    ]
    assert any(line.split() == ["in", "all", "12.3"] for line in table)


def test_waiting_is_told_every_few_seconds_and_only_when_nothing_else_was(tmp_path, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(engine, "time", type("Clock", (), {"monotonic": lambda: now[0], "time": time.time}))
    shown = []
    follow = engine._Follow(Outcome(began=0.0, log=tmp_path / "x"), shown.append)

    def say(message, seconds, **more):
        now[0] = 100.0 + seconds
        urn = "urn:pulumi:local::p::bluegreen:index:TaskRun::x"
        follow.event({"diagnosticEvent": {"urn": urn, "severity": "info", "message": message, **more}})

    for second in range(1, 13):
        say(f"waiting {second}", second, ephemeral=True)
        if second == 4:
            say("expand applied", 4)
            say(f"migrations: task {TASK} RUNNING, 0.3 s", 4)
    assert shown == ["expand applied", "... waiting 9"]
