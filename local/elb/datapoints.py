"""CloudWatch datapoints: what the load balancer puts in, and statistics over whatever is there.

moto adds up metrics of other dimensions, knows no percentiles and lets periods begin at the first datum. Here the
dimensions must be exactly those asked for, and periods lie on the clock.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from moto.cloudwatch.models import CloudWatchBackend, MetricAggregatedDatum

Dimensions = tuple[tuple[str, str], ...]  # name and value, sorted by name

KEPT_HOURS = 3
KEPT = 50_000
EPOCH = datetime(1970, 1, 1)  # without a zone, as moto keeps times, in UTC


class Datum(MetricAggregatedDatum):  # type: ignore[misc]  # moto has no types
    """Several values of one metric at one time. Keeps how often each value occurred, for percentiles."""

    samples: Mapping[float, float]

    @classmethod
    def of_samples(
        cls, namespace: str, name: str, dimensions: Dimensions, at: datetime, samples: Counter[float], unit: str
    ) -> Datum:
        """Values and how often each of them occurred."""
        datum = cls(
            namespace=namespace,
            name=name,
            min_stat=min(samples),
            max_stat=max(samples),
            sample_count=float(samples.total()),
            sum_stat=math.fsum(value * count for value, count in samples.items()),
            dimensions=[{"Name": key, "Value": value} for key, value in dimensions],
            timestamp=at,
            unit=unit,
        )
        datum.samples = samples
        return datum

    @classmethod
    def of_count(cls, namespace: str, name: str, dimensions: Dimensions, at: datetime, count: int) -> Datum:
        """That something occurred so often: as many values of 1."""
        return cls.of_samples(namespace, name, dimensions, at, Counter({1.0: count}), "Count")


def put(backend: CloudWatchBackend, data: Iterable[Datum]) -> None:
    """Add datapoints and forget old ones of ours. With the lock of the embedded AWS held."""
    backend.metric_data.extend(data)
    if len(backend.metric_data) > KEPT:
        oldest = now() - timedelta(hours=KEPT_HOURS)
        kept = [one for one in backend.metric_data if not isinstance(one, Datum) or naive(one.timestamp) >= oldest]
        backend.metric_data[:] = kept[-KEPT:]


def now() -> datetime:
    """The time as moto keeps it."""
    return datetime.now(UTC).replace(tzinfo=None)


def naive(at: datetime) -> datetime:
    """A time in UTC without its zone."""
    return at.astimezone(UTC).replace(tzinfo=None) if at.tzinfo else at


def floor(at: datetime, seconds: int) -> datetime:
    """The begin of the period on the clock in which a time lies."""
    return EPOCH + timedelta(seconds=(naive(at) - EPOCH) // timedelta(seconds=seconds) * seconds)


def find(backend: CloudWatchBackend, namespace: str, name: str, dimensions: Iterable[Mapping[str, str]]) -> list[Any]:
    """All data of exactly this metric."""
    wanted = {one["Name"]: one["Value"] for one in dimensions}
    return [
        datum
        for datum in backend.get_all_metrics()
        if datum.name == name and datum.namespace == namespace and _dimensions(datum) == wanted
    ]


def _dimensions(datum: Any) -> dict[str, str]:
    return {one.name: one.value for one in datum.dimensions}


def periods(data: Iterable[Any], begin: datetime, end: datetime, seconds: int) -> dict[datetime, list[Any]]:
    """The data between two times, by the begin of the period in which they lie; counted from `begin`."""
    found: dict[datetime, list[Any]] = {}
    begin, end = naive(begin), naive(end)
    length = timedelta(seconds=seconds)
    for datum in data:
        at = naive(datum.timestamp)
        if begin <= at < end:
            found.setdefault(begin + (at - begin) // length * length, []).append(datum)
    return dict(sorted(found.items()))


def statistic(data: Iterable[Any], name: str) -> float | None:
    """One statistic over the data of a period, by its CloudWatch name; None when there is none of that name.

    A percentile of data that were put in as a statistic set only is taken from their average.
    """
    samples: Counter[float] = Counter()
    low, high, total = math.inf, -math.inf, 0.0
    for datum in data:
        part = _samples(datum)
        samples.update(part)
        low, high = min(low, getattr(datum, "min", min(part))), max(high, getattr(datum, "max", max(part)))
        total += getattr(datum, "sum", next(iter(part)))
    count = samples.total()
    if name.startswith("p"):
        return _percentile(samples, float(name[1:]))
    values = {"Sum": total, "SampleCount": count, "Average": total / count, "Minimum": low, "Maximum": high}
    return values.get(name)


def _samples(datum: Any) -> Mapping[float, float]:
    if isinstance(datum, Datum):
        return datum.samples
    if isinstance(datum, MetricAggregatedDatum):
        return {datum.sum / datum.sample_count: datum.sample_count}
    return {datum.value: 1.0}


def _percentile(samples: Counter[float], percent: float) -> float:
    rank = samples.total() * percent / 100.0
    seen = 0.0
    for value in sorted(samples):
        seen += samples[value]
        if seen >= rank:
            return value
    return max(samples)
