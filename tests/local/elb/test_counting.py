"""The access log, what is counted from it, statistics, and the judgment of alarms: without Envoy."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local.elb import accesslog
from local.elb.accesslog import AccessLog, parse
from local.elb.alarms import judge
from local.elb.datapoints import Datum, floor, now, periods, statistic
from local.elb.metrics import Names, Tally

LINE = "1764079200.123\tlistener\ttg-1\t200\tvia_upstream\t-\t1500\t2\t127.64.0.1:8080\tGET\t/\t-\n"


def line(**changes: str) -> str:
    names = ("time", "listener", "group", "status", "details", "flags", "micros", "ms", "target", "method", "path", "r")
    fields = dict(zip(names, LINE.rstrip("\n").split("\t"), strict=True)) | changes
    return "\t".join(fields.values()) + "\n"


def counted(*lines: str) -> dict[tuple[str, int], float]:
    """Sum of each metric by the number of its dimensions."""
    tally = Tally(Names(balancers={"listener": "app/lb/1"}, groups={"tg-1": "targetgroup/tg/1"}))
    for text in lines:
        request = parse(text)
        assert request
        tally.add(request)
    found: Counter[tuple[str, int]] = Counter()
    for datum in tally.flush():
        found[datum.name, len(datum.dimensions)] += datum.sum
    assert list(tally.flush()) == []
    return dict(found)


def test_an_answer_of_a_target() -> None:
    found = counted(LINE, line(status="503"))
    assert found["RequestCount", 1] == found["RequestCount", 2] == 2
    assert found["HTTPCode_Target_2XX_Count", 2] == found["HTTPCode_Target_5XX_Count", 2] == 1
    assert found["TargetResponseTime", 2] == pytest.approx(0.003)
    assert not [name for name, _ in found if "ELB" in name]


def test_an_answer_of_the_load_balancer_is_not_booked_on_the_target() -> None:
    found = counted(line(status="502", details="upstream_reset_before_response_started{x}", flags="UF", micros="-"))
    assert found == {
        ("RequestCount", 1): 1,
        ("RequestCount", 2): 1,
        ("HTTPCode_ELB_5XX_Count", 1): 1,
        ("HTTPCode_ELB_502_Count", 1): 1,
        ("TargetConnectionErrorCount", 1): 1,
        ("TargetConnectionErrorCount", 2): 1,
    }


def test_answers_without_a_target() -> None:
    own = {"group": "-", "target": "-", "details": "direct_response", "micros": "-"}
    found = counted(
        line(**own, status="404", r="fixed-response"),
        line(**own, status="301", r="redirect"),
        line(**own, status="503", r="no-target"),
    )
    assert found == {
        ("HTTP_Fixed_Response_Count", 1): 1,
        ("HTTP_Redirect_Count", 1): 1,
        ("HTTPCode_ELB_3XX_Count", 1): 1,
        ("HTTPCode_ELB_5XX_Count", 1): 1,
        ("HTTPCode_ELB_503_Count", 1): 1,
    }


def test_half_a_line_waits_for_its_rest(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    log = AccessLog(path, lambda: None)
    assert list(log.read()) == []
    path.write_text(LINE + LINE[:20])
    assert len(list(log.read())) == 1
    with path.open("a") as file:
        file.write(LINE[20:])
    assert len(list(log.read())) == 1
    log.close()


def test_a_large_log_is_turned_over_and_no_line_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accesslog, "MAX_BYTES", 100)
    monkeypatch.setattr(accesslog, "OLD_SECONDS", -1.0)
    path = tmp_path / "access.log"
    path.write_text(LINE * 3)
    old = path.open("a")  # as Envoy holds it

    def reopen() -> None:
        path.write_text(LINE)

    log = AccessLog(path, reopen)
    assert len(list(log.read())) == 3
    old.write(LINE)  # written after the renaming, before Envoy opened the new file
    old.close()
    assert len(list(log.read())) == 1
    assert len(list(log.read())) == 1
    log.close()


@settings(deadline=None)
@given(st.lists(st.floats(0.001, 100), min_size=1, max_size=30))
def test_statistics_of_a_distribution(values: list[float]) -> None:
    datum = Datum.of_samples("N", "m", (), now(), Counter(values), "Seconds")
    single = [SimpleNamespace(value=value) for value in values]
    for name in ("Sum", "Average", "Minimum", "Maximum", "SampleCount", "p50", "p99.9"):
        assert statistic([datum], name) == pytest.approx(statistic(single, name))
    assert statistic([datum], "p100") == max(values)
    assert statistic([datum], "median") is None


def test_periods_lie_on_the_clock() -> None:
    at = floor(now(), 60)
    data = [SimpleNamespace(timestamp=at + timedelta(seconds=second)) for second in (0, 59, 60, 61)]
    found = periods(data, at, at + timedelta(minutes=5), 60)
    assert {begin: len(slot) for begin, slot in found.items()} == {at: 2, at + timedelta(minutes=1): 2}


@pytest.mark.parametrize(
    ("missing", "values", "expected"),
    [
        (None, [None, None, None], "INSUFFICIENT_DATA"),
        ("ignore", [None, None, None], None),
        ("breaching", [None, None, None], "ALARM"),
        ("notBreaching", [None, None, None], "OK"),
        (None, [5.0, None, 5.0], "ALARM"),
        (None, [5.0, None, None], "OK"),
        ("breaching", [5.0, None, 0.0], "ALARM"),
        ("notBreaching", [5.0, None, 0.0], "OK"),
        (None, [1.0, 1.0, 1.0], "OK"),
    ],
)
def test_two_of_three_above_one(missing: str | None, values: list[float | None], expected: str | None) -> None:
    alarm: Any = SimpleNamespace(
        treat_missing_data=missing,
        comparison_operator="GreaterThanThreshold",
        threshold=1,
        evaluation_periods=3,
        datapoints_to_alarm=2,
    )
    assert judge(alarm, values)[0] == expected
