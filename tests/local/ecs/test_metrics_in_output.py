"""A container that prints CloudWatch's embedded metric format has metrics: the awslogs driver brings its lines."""

import json
import time
from datetime import UTC, datetime, timedelta

import pytest

from local.moto_ext import services

pytestmark = pytest.mark.slow


def line(rows):
    about = {"Namespace": "Bluegreen", "Dimensions": [["Service"]], "Metrics": [{"Name": "Rows", "Unit": "Count"}]}
    return json.dumps(
        {
            "_aws": {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [about]},
            "Service": "printed",
            "Rows": rows,
        }
    )


def test_a_line_of_a_task_becomes_a_metric(aws):
    services.patch("logs")  # as the embedded AWS does when the service is first asked for
    arn = aws.run(aws.define("print", "before", line(3), line(4), "after"))
    aws.stopped(arn)
    assert [one.startswith("{") for one in aws.lines(arn)] == [False, True, True, False]
    now = datetime.now(UTC)
    (point,) = aws.client("cloudwatch").get_metric_statistics(
        Namespace="Bluegreen", MetricName="Rows", Period=3600, Statistics=["Sum"],
        Dimensions=[{"Name": "Service", "Value": "printed"}],
        StartTime=now - timedelta(hours=1), EndTime=now + timedelta(hours=1),
    )["Datapoints"]  # fmt: skip
    assert point["Sum"] == 7
