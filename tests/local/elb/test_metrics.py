"""Metrics that come from real traffic, and alarms over them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.local.elb.elb_stage import NOT_FOUND, Stage, forward, request
from tests.support.until import until

pytestmark = pytest.mark.slow


def dimensions(balancer: str, group: str | None = None) -> list[dict[str, str]]:
    """An ALB's dimensions, from ARNs."""
    found = [{"Name": "LoadBalancer", "Value": balancer.partition(":loadbalancer/")[2]}]
    if group:
        found.append({"Name": "TargetGroup", "Value": group.rpartition(":")[2]})
    return found


def total(stage: Stage, metric: str, *arns: str, stat: str = "Sum") -> float:
    """One statistic of a metric over the last minutes."""
    now = datetime.now(UTC)
    points = stage.cloudwatch.get_metric_statistics(
        Namespace="AWS/ApplicationELB", MetricName=metric, Dimensions=dimensions(*arns), Statistics=[stat],
        StartTime=now - timedelta(minutes=10), EndTime=now + timedelta(minutes=10), Period=3600,
    )["Datapoints"]  # fmt: skip
    return max((point[stat] for point in points), default=0.0)


def test_requests_errors_and_times_by_target_group(stage: Stage) -> None:
    good, bad = stage.site("good"), stage.site("bad")
    goods, bads, empty = stage.group(good), stage.group(bad), stage.group()
    balancer, address = stage.balancer()
    listener = stage.listener(balancer, forward({goods: 1}))
    for priority, (path, group) in enumerate((("/bad", bads), ("/empty", empty)), 1):
        condition = {"Field": "path-pattern", "PathPatternConfig": {"Values": [path]}}
        stage.rule(listener, priority, forward({group: 1}), condition)
    stage.rule(listener, 9, NOT_FOUND, {"Field": "path-pattern", "PathPatternConfig": {"Values": ["/fixed"]}})
    stage.healthy(goods)
    stage.healthy(bads)
    bad.status = 500
    for path, count in (("/", 7), ("/bad", 3), ("/empty", 2), ("/fixed", 4), ("/reset", 1)):
        for _ in range(count):
            request(address, path)
    until(lambda: total(stage, "HTTPCode_ELB_5XX_Count", balancer) == 3)
    assert total(stage, "RequestCount", balancer) == 11
    assert total(stage, "RequestCount", balancer, goods) == 8
    assert total(stage, "HTTPCode_Target_2XX_Count", balancer, goods) == 7
    assert total(stage, "HTTPCode_Target_5XX_Count", balancer, bads) == 3
    assert total(stage, "HTTPCode_Target_5XX_Count", balancer, goods) == 0
    assert total(stage, "HTTPCode_Target_5XX_Count", balancer) == 3
    assert total(stage, "HTTPCode_ELB_502_Count", balancer) == 1
    assert total(stage, "HTTP_Fixed_Response_Count", balancer) == 4
    assert total(stage, "TargetResponseTime", balancer, goods, stat="SampleCount") == 7
    assert 0 < total(stage, "TargetResponseTime", balancer, goods, stat="Average") < 5
    until(lambda: total(stage, "HealthyHostCount", balancer, goods, stat="Maximum") == 1)


def test_a_target_that_cannot_be_reached(stage: Stage) -> None:
    site = stage.site("one")
    group = stage.group(site)
    balancer, address = stage.balancer()
    stage.listener(balancer, forward({group: 1}))
    stage.healthy(group)
    site.close()
    answer = request(address)
    assert (answer.status, answer.headers["x-lb-reason"]) == (502, "UF")
    until(lambda: total(stage, "TargetConnectionErrorCount", balancer, group) == 1)


def test_get_metric_data_has_percentiles(stage: Stage) -> None:
    site = stage.site("one")
    group = stage.group(site)
    balancer, address = stage.balancer()
    stage.listener(balancer, forward({group: 1}))
    stage.healthy(group)
    request(address)
    metric = {
        "Namespace": "AWS/ApplicationELB",
        "MetricName": "TargetResponseTime",
        "Dimensions": dimensions(balancer, group)[::-1],  # their order means nothing
    }

    def values() -> list[Any]:
        now = datetime.now(UTC)
        query = {"Id": "slow", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "p99"}}
        window = {"StartTime": now - timedelta(minutes=5), "EndTime": now + timedelta(minutes=5)}
        found: list[Any] = stage.cloudwatch.get_metric_data(MetricDataQueries=[query], **window)["MetricDataResults"]
        assert found[0]["Id"] == "slow"
        return list(found[0]["Values"])

    assert 0 < until(values)[0] < 5


def alarm(stage: Stage, name: str, balancer: str, group: str, **more: Any) -> None:
    """An alarm on any 5xx of a target group."""
    stage.cloudwatch.put_metric_alarm(
        AlarmName=name, Namespace="AWS/ApplicationELB", MetricName="HTTPCode_Target_5XX_Count", Statistic="Sum",
        Dimensions=dimensions(balancer, group), Period=60, EvaluationPeriods=1, Threshold=1,
        ComparisonOperator="GreaterThanOrEqualToThreshold", **more,
    )  # fmt: skip
    stage.closing.callback(stage.cloudwatch.delete_alarms, AlarmNames=[name])


def state(stage: Stage, name: str) -> str:
    """The state of an alarm."""
    value: str = stage.cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"][0]["StateValue"]
    return value


def test_an_alarm_fires_from_traffic_and_keeps_its_state_when_it_is_changed(stage: Stage) -> None:
    site = stage.site("one")
    group = stage.group(site)
    balancer, address = stage.balancer()
    stage.listener(balancer, forward({group: 1}))
    stage.healthy(group)
    name = stage.unique("errors")
    alarm(stage, name, balancer, group, TreatMissingData="notBreaching")
    assert state(stage, name) in {"INSUFFICIENT_DATA", "OK"}
    until(lambda: state(stage, name) == "OK")
    site.status = 500
    request(address)
    until(lambda: state(stage, name) == "ALARM")
    described = stage.cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"][0]
    assert "1 out of the last 1 datapoints [1.0] was greater than or equal to" in described["StateReason"]
    alarm(stage, name, balancer, group, TreatMissingData="notBreaching", AlarmDescription="changed")
    assert state(stage, name) == "ALARM"


def test_a_state_set_by_hand_stays_for_a_period(stage: Stage) -> None:
    balancer, _ = stage.balancer()
    group = stage.group()
    name, other = stage.unique("by-hand"), stage.unique("other")
    alarm(stage, name, balancer, group)
    stage.cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="drill")
    alarm(stage, other, balancer, group, TreatMissingData="breaching")
    until(lambda: state(stage, other) == "ALARM")  # an evaluation has passed
    assert state(stage, name) == "ALARM"
