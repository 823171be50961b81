"""CloudWatch: what moto does not answer."""

from __future__ import annotations

from moto.cloudwatch.responses import CloudWatchResponse


def composite_alarms() -> None:
    """moto stores composite alarms but has no PutCompositeAlarm."""
    CloudWatchResponse.put_composite_alarm = CloudWatchResponse.put_metric_alarm


PATCHES = (composite_alarms,)
