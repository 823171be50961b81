"""CloudWatch's embedded metric format: a log line that makes metrics, asked of the running embedded AWS."""

import json
import time
from datetime import UTC, datetime, timedelta

import pytest

pytestmark = pytest.mark.slow

ABOUT = {
    "Namespace": "Bluegreen",
    "Dimensions": [["Service", "Revision"], ["Service"]],
    "Metrics": [{"Name": "Rows", "Unit": "Count"}, {"Name": "Seconds"}],
}


class Lines:
    """A log stream, and the metrics that its lines make."""

    def __init__(self, embedded, name):
        self.logs, self.cloudwatch, self.name = embedded.client("logs"), embedded.client("cloudwatch"), name
        self.logs.create_log_group(logGroupName=f"/{name}")
        self.logs.create_log_stream(logGroupName=f"/{name}", logStreamName="one")

    def put(self, *documents):
        """As a caller of PutLogEvents does."""
        now = int(time.time() * 1000)
        events = [{"timestamp": now, "message": one if isinstance(one, str) else json.dumps(one)} for one in documents]
        self.logs.put_log_events(logGroupName=f"/{self.name}", logStreamName="one", logEvents=events)

    def document(self, about=ABOUT, **values):
        """One line of this stream's service."""
        at = int(time.time() * 1000)
        return {"_aws": {"Timestamp": at, "CloudWatchMetrics": [about]}, "Service": self.name, **values}

    def statistics(self, metric, **more):
        """Sum, maximum and count of the last minutes, with exactly these dimensions."""
        dimensions = {"Service": self.name, **more}
        found = self.cloudwatch.get_metric_statistics(
            Namespace="Bluegreen", MetricName=metric, Period=3600, Statistics=["Sum", "Maximum", "SampleCount"],
            StartTime=datetime.now(UTC) - timedelta(minutes=5), EndTime=datetime.now(UTC) + timedelta(minutes=5),
            Dimensions=[{"Name": name, "Value": value} for name, value in dimensions.items()],
        )["Datapoints"]  # fmt: skip
        return [(one["Sum"], one["Maximum"], one["SampleCount"], one["Unit"]) for one in found]


@pytest.fixture
def lines(embedded, request):
    return Lines(embedded, f"emf-{sum(map(ord, request.node.name))}")


def test_each_metric_under_each_set_of_dimensions(lines):
    lines.put(
        lines.document(Revision="b1", Rows=3, Seconds=0.5),
        "an ordinary line",
        lines.document(Revision="b1", Rows=[4, 5], Seconds=1.5),
        lines.document(Revision="b2", Rows=10, Seconds=0),
    )
    assert lines.statistics("Rows", Revision="b1") == [(12.0, 5.0, 3.0, "Count")]
    assert lines.statistics("Rows", Revision="b2") == [(10.0, 10.0, 1.0, "Count")]
    assert lines.statistics("Rows") == [(22.0, 10.0, 4.0, "Count")]
    assert lines.statistics("Seconds", Revision="b1") == [(2.0, 1.5, 2.0, "None")]
    assert lines.statistics("Rows", Revision="b3") == []


@pytest.mark.parametrize(
    "wrong",
    [
        '{"_aws": ',
        '{"_aws": {}}',
        '{"_aws": {"Timestamp": "now", "CloudWatchMetrics": []}}',
        '["_aws"]',
        '{"_aws": {"Timestamp": 1, "CloudWatchMetrics": [{"Dimensions": [["Service"]], "Metrics": [{}]}]}}',
    ],
)
def test_a_document_that_is_not_in_order_makes_no_metric_and_is_kept(lines, wrong):
    lines.put(wrong, lines.document(Revision=1, Rows=1), lines.document(Revision="b1", Rows="many"))
    assert lines.statistics("Rows", Revision="b1") == []
    kept = lines.logs.get_log_events(logGroupName=f"/{lines.name}", logStreamName="one")["events"]
    assert kept[0]["message"] == wrong
    assert len(kept) == 3
