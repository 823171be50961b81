"""Requests and health as CloudWatch metrics of the namespace AWS/ApplicationELB, with an ALB's names and dimensions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from local.contracts import TargetHealth
from local.elb.accesslog import Request
from local.elb.datapoints import Datum, Dimensions
from local.elb.model import Group, Snapshot

NAMESPACE = "AWS/ApplicationELB"
RESOLUTION_SECONDS = 5


@dataclass
class Names:
    """Dimensions of listeners and clusters by the names the access log has; remembered beyond a deletion."""

    balancers: dict[str, str] = field(default_factory=dict)
    groups: dict[str, str] = field(default_factory=dict)
    homes: dict[str, tuple[str, str]] = field(default_factory=dict)  # account and region, by load balancer

    def learn(self, snapshot: Snapshot) -> None:
        """Take over what there is now."""
        for balancer in snapshot.balancers:
            region, account = balancer.arn.split(":")[3:5]
            self.homes[balancer.dimension] = (account, region)
            self.balancers |= {entry.name: balancer.dimension for entry in balancer.listeners}
        self.groups |= {group.name: group.dimension for group in snapshot.groups.values()}


Series = tuple[str, Dimensions, int]  # metric, dimensions, begin of its slot (seconds since the epoch)


@dataclass
class Tally:
    """Counts and response times since the last flush."""

    names: Names
    _counts: Counter[Series] = field(default_factory=Counter)
    _times: dict[Series, Counter[float]] = field(default_factory=dict)

    def add(self, request: Request) -> None:
        """Book one request as an ALB does."""
        balancer = self.names.balancers.get(request.listener)
        if balancer is None:
            return
        whole: Dimensions = (("LoadBalancer", balancer),)
        group = self.names.groups.get(request.group)
        both = [whole, (("LoadBalancer", balancer), ("TargetGroup", group))] if group else [whole]
        slot = int(request.time) // RESOLUTION_SECONDS * RESOLUTION_SECONDS
        for dimensions in both if request.target else ():
            self._counts["RequestCount", dimensions, slot] += 1
        if request.from_target:
            for dimensions in both:
                self._counts[f"HTTPCode_Target_{request.status // 100}XX_Count", dimensions, slot] += 1
                # Three digits are enough for percentiles and keep a batch small.
                times = self._times.setdefault(("TargetResponseTime", dimensions, slot), Counter())
                times[float(f"{request.seconds:.3g}")] += 1
            return
        for metric in _own(request):
            self._counts[metric, whole, slot] += 1
        for dimensions in both if "UF" in request.flags.split(",") else ():
            self._counts["TargetConnectionErrorCount", dimensions, slot] += 1

    def flush(self) -> Iterator[Datum]:
        """Everything booked so far, once."""
        counts, times = self._counts, self._times
        self._counts, self._times = Counter(), {}
        for (metric, dimensions, slot), count in counts.items():
            yield Datum.of_count(NAMESPACE, metric, dimensions, _at(slot), count)
        for (metric, dimensions, slot), samples in times.items():
            yield Datum.of_samples(NAMESPACE, metric, dimensions, _at(slot), samples, "Seconds")


def _at(slot: int) -> datetime:
    """moto keeps times without a zone, in UTC."""
    return datetime.fromtimestamp(slot, UTC).replace(tzinfo=None)


def _own(request: Request) -> Iterator[str]:
    """The metrics of an answer that the load balancer gave by itself."""
    if request.route == "redirect":
        yield "HTTP_Redirect_Count"
    elif request.route == "fixed-response":
        yield "HTTP_Fixed_Response_Count"
    if 300 <= request.status < 400:
        yield "HTTPCode_ELB_3XX_Count"
    elif request.route != "fixed-response" and request.status >= 400:
        yield f"HTTPCode_ELB_{request.status // 100}XX_Count"
        if request.status in {500, 502, 503, 504}:
            yield f"HTTPCode_ELB_{request.status}_Count"


def host_counts(snapshot: Snapshot, members: Mapping[str, Iterable[TargetHealth]], now: datetime) -> Iterator[Datum]:
    """HealthyHostCount and UnHealthyHostCount of every group that is in use."""
    dimensions = {balancer.arn: balancer.dimension for balancer in snapshot.balancers}
    for arn, user in snapshot.users().items():
        group: Group | None = snapshot.groups.get(arn)
        if group is None:
            continue
        states = Counter(health.state for health in members.get(arn, ()))
        place: Dimensions = (("LoadBalancer", dimensions[user]), ("TargetGroup", group.dimension))
        for metric, count in (("HealthyHostCount", states["healthy"]), ("UnHealthyHostCount", states["unhealthy"])):
            yield Datum.of_samples(NAMESPACE, metric, place, now, Counter({float(count): 1}), "Count")
