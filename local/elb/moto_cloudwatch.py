"""moto's CloudWatch made to answer statistics and keep alarm states as AWS does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from moto.cloudwatch.exceptions import InvalidParameterCombination, InvalidParameterValue
from moto.cloudwatch.metric_data_expression_parser import parse_expression
from moto.cloudwatch.models import CloudWatchBackend
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.responses import ActionResult

from local.elb.datapoints import find, floor, naive, periods, statistic

STATISTICS = ("Sum", "Average", "Minimum", "Maximum", "SampleCount")
_ORIGINAL_PUT_ALARM = CloudWatchBackend.put_metric_alarm


def patch() -> None:
    """Replace moto's methods; harmless when done already."""
    CloudWatchResponse.get_metric_statistics = _get_metric_statistics
    CloudWatchBackend.get_metric_data = _get_metric_data
    CloudWatchBackend.put_metric_alarm = _put_metric_alarm


def _get_metric_statistics(response: Any) -> ActionResult:
    """With percentiles, exact dimensions and periods on the clock."""
    begin, end = response._get_param("StartTime"), response._get_param("EndTime")
    names, extended = response._get_param("Statistics", []), response._get_param("ExtendedStatistics") or []
    if not names and not extended:
        raise InvalidParameterCombination("Must specify either Statistics or ExtendedStatistics")
    if naive(begin) >= naive(end):
        raise InvalidParameterValue("The parameter StartTime must be less than the parameter EndTime.")
    seconds, unit = response._get_int_param("Period"), response._get_param("Unit")
    name = response._get_param("MetricName")
    dimensions = response._get_param("Dimensions", [])
    data = [
        one
        for one in find(response.cloudwatch_backend, response._get_param("Namespace"), name, dimensions)
        if not unit or one.unit == unit
    ]
    points = [
        _point(at, slot, names, extended) for at, slot in periods(data, floor(begin, seconds), end, seconds).items()
    ]
    return ActionResult({"Label": name, "Datapoints": points})


def _point(at: datetime, slot: list[Any], names: Iterable[str], extended: Iterable[str]) -> dict[str, Any]:
    point: dict[str, Any] = {"Timestamp": at, "Unit": slot[0].unit or "None"}
    point |= {name: statistic(slot, name) for name in names if name in STATISTICS}
    found = {name: statistic(slot, name) for name in extended}
    return {**point, "ExtendedStatistics": found} if found else point


def _get_metric_data(
    backend: CloudWatchBackend,
    queries: list[dict[str, Any]],
    start_time: datetime,
    end_time: datetime,
    scan_by: str = "TimestampAscending",
) -> list[dict[str, Any]]:
    """As moto's, for the statistics of a metric; expressions are left to moto."""
    if naive(start_time) >= naive(end_time):
        raise InvalidParameterValue("The parameter EndTime must be greater than StartTime.")
    answers = [_answer(backend, query, start_time, end_time) for query in queries if "MetricStat" in query]
    known = [dict(answer) for answer in answers]
    for query in queries:
        if "Expression" in query:
            values, timestamps = parse_expression(query["Expression"], known)
            answers.append(_result(query, query["Id"], dict(zip(timestamps, values, strict=True))))
    hidden = {query["Id"] for query in queries if query.get("ReturnData") is False}
    if scan_by == "TimestampDescending":
        for answer in answers:
            answer["timestamps"], answer["values"] = answer["timestamps"][::-1], answer["values"][::-1]
    return [answer for answer in answers if answer["id"] not in hidden]


def _answer(backend: CloudWatchBackend, query: Mapping[str, Any], begin: datetime, end: datetime) -> dict[str, Any]:
    stat = query["MetricStat"]
    metric, seconds, name = stat["Metric"], int(stat["Period"]), stat["Stat"]
    data = [
        one
        for one in find(backend, metric["Namespace"], metric["MetricName"], metric.get("Dimensions", []))
        if not stat.get("Unit") or one.unit == stat["Unit"]
    ]
    slots = periods(data, floor(begin, seconds), end, seconds)
    return _result(query, f"{metric['MetricName']} {name}", {at: statistic(slot, name) for at, slot in slots.items()})


def _result(query: Mapping[str, Any], label: str, points: Mapping[datetime, float | None]) -> dict[str, Any]:
    return {
        "id": query["Id"],
        "label": query.get("Label") or label,
        "values": list(points.values()),
        "timestamps": list(points),
        "status_code": "Complete",
    }


def _put_metric_alarm(backend: CloudWatchBackend, name: str, *args: Any, **kwargs: Any) -> Any:
    """A new alarm has insufficient data, and a changed one keeps its state; moto says OK to both."""
    before = backend.alarms.get(name)
    alarm = _ORIGINAL_PUT_ALARM(backend, name, *args, **kwargs)
    alarm.state_value = before.state_value if before else "INSUFFICIENT_DATA"
    if before:
        alarm.state_reason, alarm.state_updated_timestamp = before.state_reason, before.state_updated_timestamp
        alarm.history = before.history
    return alarm
