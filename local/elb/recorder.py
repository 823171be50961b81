"""What follows from traffic and health, every few seconds: metrics in CloudWatch, and the alarms over them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping

from moto.cloudwatch.models import cloudwatch_backends

from local.contracts import TargetHealth
from local.elb.accesslog import AccessLog
from local.elb.alarms import Alarms
from local.elb.datapoints import Datum, now, put
from local.elb.metrics import Names, Tally, host_counts
from local.elb.model import Snapshot
from local.server import LOCK

FLUSH_SECONDS = 5.0
HOSTS_SECONDS = 60.0  # unless they change; once a minute as AWS

Members = Callable[[str], Mapping[tuple[str, int], TargetHealth]]


class Recorder:
    """Called often; does something when it is time.

    Args:
        access_log: the requests.
        members: the targets of a group and their health.
    """

    def __init__(self, access_log: AccessLog, members: Members) -> None:
        self._access_log = access_log
        self._members = members
        self._names = Names()
        self._tally = Tally(self._names)
        self._alarms = Alarms()
        self._flush_due = 0.0
        self._hosts_due = 0.0
        self._hosts: Mapping[str, list[TargetHealth]] = {}

    def turn(self, snapshot: Snapshot) -> None:
        """Read what was logged; when it is time, publish it and evaluate the alarms."""
        self._names.learn(snapshot)
        for request in self._access_log.read():
            self._tally.add(request)
        if time.monotonic() >= self._flush_due:
            self._flush_due = time.monotonic() + FLUSH_SECONDS
            self.publish(snapshot)

    def publish(self, snapshot: Snapshot) -> None:
        """Put what was counted into CloudWatch and evaluate the alarms."""
        data = [*self._tally.flush(), *self._host_data(snapshot)]
        with LOCK:
            self._put(data)
            self._alarms.evaluate()

    def close(self) -> None:
        """Close the access log."""
        self._access_log.close()

    def _host_data(self, snapshot: Snapshot) -> Iterable[Datum]:
        hosts = {arn: sorted(self._members(arn).values(), key=str) for arn in snapshot.users()}
        if hosts == self._hosts and time.monotonic() < self._hosts_due:
            return ()
        self._hosts, self._hosts_due = hosts, time.monotonic() + HOSTS_SECONDS
        return host_counts(snapshot, hosts, now())

    def _put(self, data: Iterable[Datum]) -> None:
        by_home: dict[tuple[str, str], list[Datum]] = {}
        for datum in data:
            balancer = next(one.value for one in datum.dimensions if one.name == "LoadBalancer")
            by_home.setdefault(self._names.homes[balancer], []).append(datum)
        for (account, region), found in by_home.items():
            put(cloudwatch_backends[account][region], found)
