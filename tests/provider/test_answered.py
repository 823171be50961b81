"""Requests that a color answered, out of the load balancer's metric: every page, and only what is complete."""

import datetime
import itertools
import json

import pytest

from provider.answered import answers
from provider.rpc.messages import Fail

pytestmark = pytest.mark.slow

RESULT = json.dumps({"result": {"revision": "e0003+c0002"}})
PERIOD, DELAY, QUIET = 60, 180, 300
RUNS = itertools.count(1)  # a run of the same trigger would take over the task of the one before


class Pages:
    """CloudWatch's answers, one page after the other."""

    def __init__(self, *pages):
        self.pages, self.asked = list(pages), []

    def call(self, service, operation, **parameters):
        self.asked.append((service, operation, dict(parameters)))
        return self.pages.pop(0)


def page(*points, status="Complete", **more):
    at = [datetime.datetime.fromtimestamp(one, datetime.UTC) for one, _ in points]
    found = {"Id": "answered", "Timestamps": at, "Values": [value for _, value in points], "StatusCode": status}
    return {"MetricDataResults": [found], **more}


RULE = "arn:aws:elasticloadbalancing:eu-west-1:1:listener-rule/app/orders/50dc/f2f7/9683"
GROUP = "arn:aws:elasticloadbalancing:eu-west-1:1:targetgroup/orders-blue/73e2"


def test_every_page_of_the_metric_counts_and_the_clock_is_that_of_aws():
    header = {"ResponseMetadata": {"HTTPHeaders": {"date": "Wed, 25 Nov 2026 12:00:00 GMT"}}}
    aws = Pages(page((600, 2.0), status="PartialData", NextToken="more"), page((120, 5.0), (660, 0.0), **header))
    seen = answers(aws, RULE, GROUP, seconds=540, period=60)
    assert (seen.count, seen.until) == (7, 660)  # a minute with 0 is quiet
    assert seen.now == datetime.datetime(2026, 11, 25, 12, tzinfo=datetime.UTC).timestamp()
    (query,) = aws.asked[0][2]["MetricDataQueries"]
    metric = query["MetricStat"]["Metric"]
    assert (metric["Namespace"], metric["MetricName"]) == ("AWS/ApplicationELB", "RequestCount")
    assert {one["Name"]: one["Value"] for one in metric["Dimensions"]} == {
        "LoadBalancer": "app/orders/50dc",
        "TargetGroup": "targetgroup/orders-blue/73e2",
    }
    assert (query["MetricStat"]["Period"], query["MetricStat"]["Stat"]) == (60, "Sum")
    assert aws.asked[0][2]["StartTime"].timestamp() % 60 == 0
    assert aws.asked[1][2]["NextToken"] == "more"


@pytest.mark.parametrize("status", ["InternalError", "Forbidden"])
def test_a_metric_that_is_not_read_proves_nothing(status):
    with pytest.raises(Fail, match=f"could not be read .{status}., and a metric that is not read proves nothing"):
        answers(Pages(page(status=status)), RULE, GROUP, seconds=540, period=60)
