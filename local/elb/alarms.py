"""CloudWatch alarms that are evaluated: threshold, comparison, M of N periods, missing data.

Evaluated every few seconds over the last N periods that end now, where AWS evaluates once a period at worst; so an
alarm here fires sooner, never later. A state set with SetAlarmState stays for one period (at most a minute).
"""

from __future__ import annotations

import logging
import operator
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from moto.cloudwatch.models import CloudWatchBackend, cloudwatch_backends

from local.elb.datapoints import find, floor, naive, now, periods, statistic

log = logging.getLogger(__name__)

HOLD_SECONDS = 60
GRAIN_SECONDS = 5

COMPARE: dict[str, tuple[Callable[[float, float], bool], str]] = {
    "GreaterThanOrEqualToThreshold": (operator.ge, "greater than or equal to"),
    "GreaterThanThreshold": (operator.gt, "greater than"),
    "LessThanThreshold": (operator.lt, "less than"),
    "LessThanOrEqualToThreshold": (operator.le, "less than or equal to"),
}


class Alarms:
    """Evaluates every alarm of one metric. To be called with the lock of the embedded AWS held."""

    def __init__(self) -> None:
        self._ours: dict[str, datetime] = {}  # alarm ARN: when we last changed its state

    def evaluate(self) -> None:
        """Look at every alarm once."""
        at = now()
        for account in list(cloudwatch_backends.values()):
            for backend in list(account.values()):
                for alarm in list(backend.alarms.values()):
                    if alarm.metric_name and alarm.comparison_operator in COMPARE and not self._held(alarm, at):
                        self._evaluate(backend, alarm, at)

    def _held(self, alarm: Any, at: datetime) -> bool:
        """Whether somebody set the state by hand, less than a period ago."""
        changed = alarm.state_updated_timestamp
        if not alarm.history or self._ours.get(alarm.alarm_arn) == changed:
            return False
        return at - naive(changed) < timedelta(seconds=min(int(alarm.period), HOLD_SECONDS))

    def _evaluate(self, backend: CloudWatchBackend, alarm: Any, at: datetime) -> None:
        values = recent(backend, alarm, at)
        state, reason = judge(alarm, values)
        if state and state != alarm.state_value:
            log.info("alarm %s: %s -> %s: %s", alarm.name, alarm.state_value, state, reason)
            alarm.update_state(reason, "{}", state)
            self._ours[alarm.alarm_arn] = alarm.state_updated_timestamp


def recent(backend: CloudWatchBackend, alarm: Any, at: datetime) -> list[float | None]:
    """The statistic in each of the last N periods, oldest first; None where there are no data."""
    seconds, count = int(alarm.period), int(alarm.evaluation_periods)
    grain = min(seconds, GRAIN_SECONDS)
    end = floor(at, grain) + timedelta(seconds=grain)  # with what has come in just now
    begin = end - timedelta(seconds=seconds * count)
    dimensions = [{"Name": one.name, "Value": one.value} for one in alarm.dimensions]
    data = [
        one
        for one in find(backend, alarm.namespace, alarm.metric_name, dimensions)
        if not alarm.unit or one.unit == alarm.unit
    ]
    found = periods(data, begin, end, seconds)
    slots = [found.get(begin + timedelta(seconds=seconds * index)) for index in range(count)]
    name = alarm.statistic or alarm.extended_statistic
    return [statistic(slot, name) if slot else None for slot in slots]


def judge(alarm: Any, values: list[float | None]) -> tuple[str | None, str]:
    """The state that these values mean, and why; None to leave the state as it is.

    See "Configuring how CloudWatch alarms treat missing data" in the CloudWatch guide.
    """
    missing = alarm.treat_missing_data or "missing"
    compare, words = COMPARE[alarm.comparison_operator]
    threshold, needed = float(alarm.threshold), int(alarm.datapoints_to_alarm or alarm.evaluation_periods)
    present = [value for value in values if value is not None]
    if not present and missing in {"missing", "ignore"}:
        known = "Insufficient Data: no datapoints were received" if missing == "missing" else "no datapoints: as before"
        return ("INSUFFICIENT_DATA" if missing == "missing" else None), known
    breaching = sum(compare(value, threshold) for value in present)
    if missing == "breaching":
        breaching += len(values) - len(present)
    crossed = breaching >= needed
    reason = (
        f"Threshold Crossed: {breaching} out of the last {len(values)} datapoints {present} "
        f"{'was' if crossed else 'was not'} {words} the threshold ({threshold}) (minimum {needed} for ALARM)"
    )
    return ("ALARM" if crossed else "OK"), reason
