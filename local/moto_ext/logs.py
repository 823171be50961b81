"""CloudWatch Logs: metrics out of log lines in CloudWatch's embedded metric format, which moto only stores.

As AWS does it, whoever brings the line: the awslogs driver of a container as well as a caller of PutLogEvents, with or
without the header `x-amzn-logs-format`. A document that is not in order makes no metric, and the line is kept.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from moto.cloudwatch.models import cloudwatch_backends
from moto.logs.models import LogsBackend

from local.elb import datapoints
from local.elb.datapoints import Datum

MARK = '"_aws"'
MOST_DIMENSIONS = 30  # of one set
MOST_VALUES = 100  # of one metric in one line


def embedded_metrics() -> None:
    """PutLogEvents, also that of the awslogs driver: the metrics of each line that has some."""
    original = LogsBackend.put_log_events

    def put_log_events(
        backend: Any, log_group_name: str, log_stream_name: str, log_events: list[dict[str, Any]]
    ) -> Any:
        answer = original(backend, log_group_name, log_stream_name, log_events)
        data = [datum for event in log_events for datum in _of_line(event["message"])]
        if data:
            datapoints.put(cloudwatch_backends[backend.account_id][backend.region_name], data)
        return answer

    LogsBackend.put_log_events = put_log_events


def _of_line(line: str) -> list[Datum]:
    if MARK not in line:
        return []
    try:
        document = json.loads(line)
        about = document["_aws"]
        at = datetime.fromtimestamp(about["Timestamp"] / 1000, UTC).replace(tzinfo=None)
        return [datum for each in about["CloudWatchMetrics"] for datum in _of_directive(document, each, at)]
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError):
        return []


def _of_directive(document: Mapping[str, Any], directive: Mapping[str, Any], at: datetime) -> Iterator[Datum]:
    """Every metric under every set of dimensions."""
    for names in directive["Dimensions"]:
        dimensions = tuple((name, document[name]) for name in sorted(names))
        if len(dimensions) > MOST_DIMENSIONS or not all(isinstance(value, str) for _, value in dimensions):
            continue
        for metric in directive["Metrics"]:
            values = _numbers(document[metric["Name"]])
            if values:
                unit = metric.get("Unit", "None")
                yield Datum.of_samples(directive["Namespace"], metric["Name"], dimensions, at, values, unit)


def _numbers(value: Any) -> Counter[float]:
    found = value if isinstance(value, list) else [value]
    good = all(isinstance(one, int | float) and not isinstance(one, bool) for one in found)
    return Counter(float(one) for one in found) if good and len(found) <= MOST_VALUES else Counter()


PATCHES = (embedded_metrics,)
