"""When a color last answered a request, as the load balancer's metric tells it.

An Application Load Balancer counts requests by the minute (a metric of regular resolution: no other period may be asked
for), says nothing about a minute without requests, and its numbers reach CloudWatch minutes later. So a minute in which
there was one counts as busy to its end, and of the last minutes the metric proves nothing yet.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

from provider.aws import Aws
from provider.rpc.messages import Fail

NO_ANSWER: Final = ("InternalError", "Forbidden")
NAMESPACE: Final = "AWS/ApplicationELB"
AHEAD_SECONDS: Final = 600.0  # our clock may be behind AWS's; a wrong one by more is refused by AWS itself


@dataclass(frozen=True, kw_only=True)
class Answers:
    """Requests of a stretch of time: how many, and the end of the last period that has one (0 where none has)."""

    count: int
    until: float
    now: float  # AWS's clock, seconds since the epoch


def answers(aws: Aws, rule: str, group: str, *, seconds: float, period: int) -> Answers:
    """The requests that a target group answered in the last `seconds`, as far as they are in the metric.

    Raises Fail where CloudWatch answers without having read it.
    """
    begin = (time.time() - seconds) // period * period
    metric = {
        "Namespace": NAMESPACE,
        "MetricName": "RequestCount",
        "Dimensions": [
            {"Name": "LoadBalancer", "Value": balancer_dimension(rule)},
            {"Name": "TargetGroup", "Value": group.rsplit(":", 1)[-1]},
        ],
    }
    parameters: dict[str, Any] = {
        "MetricDataQueries": [{"Id": "answered", "MetricStat": {"Metric": metric, "Period": period, "Stat": "Sum"}}],
        "StartTime": datetime.fromtimestamp(begin, UTC),
        "EndTime": datetime.fromtimestamp(time.time() + AHEAD_SECONDS, UTC),
        "ScanBy": "TimestampDescending",
    }
    count, until, now = 0.0, 0.0, time.time()
    while True:
        answer = aws.call("cloudwatch", "get_metric_data", **parameters)
        now = _clock(answer)
        for result in answer["MetricDataResults"]:
            if result.get("StatusCode") in NO_ANSWER:
                raise Fail(
                    f"AWS cloudwatch GetMetricData: RequestCount of {group} could not be read "
                    f"({result['StatusCode']}), and a metric that is not read proves nothing; run `pulumi up` again"
                )
            for at, value in zip(result["Timestamps"], result["Values"], strict=True):
                count += value
                until = max(until, at.timestamp() + period if value else 0.0)
        token = answer.get("NextToken")
        if not token:
            return Answers(count=round(count), until=until, now=now)
        parameters["NextToken"] = token


def balancer_dimension(rule: str) -> str:
    """`app/name/id` out of the ARN of one of the load balancer's listener rules."""
    return "/".join(rule.rsplit(":", 1)[-1].split("/")[1:4])


def _clock(answer: dict[str, Any]) -> float:
    said = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    try:
        return parsedate_to_datetime(said).timestamp() if said else time.time()
    except ValueError:
        return time.time()
