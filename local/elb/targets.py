"""The health of registered targets: states, reasons and thresholds of an Application Load Balancer.

States and reasons are those of DescribeTargetHealth. A new target is healthy after one passed check, as AWS documents;
later changes need the group's thresholds of consecutive checks. See "Target health status" and "Health check reason
codes" in the Application Load Balancer guide.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from local.contracts import TargetHealth
from local.elb.model import Group, HealthCheck

Key = tuple[str, str, int]  # target group ARN, address, port

QUIET_LOOKS = 3  # looks in a row without a request in flight before a target counts as drained

NOT_REGISTERED = TargetHealth(
    state="unused",
    reason="Target.NotRegistered",
    description="Target is not registered to the target group",
)
NOT_IN_USE = TargetHealth(
    state="unused",
    reason="Target.NotInUse",
    description="Target group is not configured to receive traffic from the load balancer",
)
REGISTERING = TargetHealth(
    state="initial", reason="Elb.RegistrationInProgress", description="Target registration is in progress"
)
CHECKING = TargetHealth(
    state="initial", reason="Elb.InitialHealthChecking", description="Initial health checks in progress"
)
DRAINING = TargetHealth(
    state="draining", reason="Target.DeregistrationInProgress", description="Target deregistration is in progress"
)
HEALTHY = TargetHealth(state="healthy", reason=None, description=None)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one health check found; reason and description as the API words them when it failed."""

    passed: bool
    reason: str | None = None
    description: str | None = None


@dataclass
class Target:
    """One registered target. Changed only under the lock of its registry."""

    health: TargetHealth
    passed: int = 0
    failed: int = 0
    drain_until: float = 0.0
    quiet: int = 0
    watch: int = 0  # number of the watch that may report on it; another one is stale

    @property
    def draining(self) -> bool:
        """Whether it gets no new requests and waits for those in flight."""
        return self.health.state == "draining"

    def observe(self, check: HealthCheck, outcome: Outcome) -> None:
        """Count one check and change state where a threshold is reached."""
        self.passed, self.failed = (self.passed + 1, 0) if outcome.passed else (0, self.failed + 1)
        needed = check.healthy_threshold if self.health.state == "unhealthy" else 1
        if self.passed >= needed:
            self.health = HEALTHY
        elif self.failed >= check.unhealthy_threshold or (self.failed and self.health.state == "unhealthy"):
            self.health = TargetHealth(state="unhealthy", reason=outcome.reason, description=outcome.description)
        elif self.health.state == "initial":
            self.health = CHECKING


@dataclass
class Registry:
    """Every registered target, keyed by target group, address and port. Safe to use from any thread.

    `changed` is called, without the lock held, whenever something that the load balancer must know has changed.
    """

    changed: Callable[[], None]
    clock: Callable[[], float] = time.monotonic
    _targets: dict[Key, Target] = field(default_factory=dict)
    _groups: Mapping[str, Group] = field(default_factory=dict)
    _used: frozenset[str] = frozenset()
    _watches: int = 0
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def configure(self, groups: Mapping[str, Group], used: frozenset[str]) -> None:
        """Take over target groups and which of them a load balancer forwards to; forget the targets of deleted ones."""
        with self._lock:
            self._groups, self._used = groups, used
            for key in [key for key in self._targets if key[0] not in groups]:
                del self._targets[key]
            for key, target in self._targets.items():
                self._place(key, target)

    def _place(self, key: Key, target: Target) -> None:
        if target.draining:
            return
        if key[0] not in self._used:
            target.health, target.watch = NOT_IN_USE, 0
        elif target.health is NOT_IN_USE:
            self._begin(target)

    def _begin(self, target: Target) -> None:
        self._watches += 1
        target.health, target.watch, target.passed, target.failed = REGISTERING, self._watches, 0, 0

    def register(self, key: Key) -> None:
        """Add a target; one that is registered stays as it is, one that is draining begins anew."""
        with self._lock:
            known = self._targets.get(key)
            if known and not known.draining:
                return
            target = self._targets[key] = Target(NOT_IN_USE)
            self._place(key, target)
        self.changed()

    def deregister(self, key: Key) -> None:
        """Stop new requests to a target. In a group that nothing forwards to, it is gone at once."""
        with self._lock:
            target = self._targets.get(key)
            if target is None or target.draining:
                return
            if target.health is NOT_IN_USE:
                del self._targets[key]
                return
            delay = self._groups[key[0]].deregistration_delay if key[0] in self._groups else 0.0
            target.health, target.watch = DRAINING, 0
            target.drain_until, target.quiet = self.clock() + delay, 0
        self.changed()

    def health(self, key: Key) -> TargetHealth:
        """What DescribeTargetHealth answers."""
        with self._lock:
            target = self._targets.get(key)
            return target.health if target else NOT_REGISTERED

    def drained(self, key: Key) -> bool:
        """Whether no request is in flight to a target that was deregistered, or its deregistration delay is over."""
        with self._lock:
            return key not in self._targets

    def members(self, arn: str) -> dict[tuple[str, int], TargetHealth]:
        """The targets of a group, draining ones included."""
        with self._lock:
            return {key[1:]: target.health for key, target in self._targets.items() if key[0] == arn}

    def draining(self) -> list[Key]:
        """The targets that wait for the requests in flight."""
        with self._lock:
            return [key for key, target in self._targets.items() if target.draining]

    def look(self, busy: Callable[[Key], bool]) -> bool:
        """One look at the draining targets; those without a request for some looks are forgotten. True if any was."""
        with self._lock:
            before = len(self._targets)
            for key in self.draining():
                target = self._targets[key]
                target.quiet = 0 if busy(key) else target.quiet + 1
                if target.quiet >= QUIET_LOOKS or self.clock() >= target.drain_until:
                    del self._targets[key]
            return len(self._targets) != before

    def watches(self) -> Iterator[tuple[Key, int]]:
        """Every target that must be checked, with the number of the watch that reports on it."""
        with self._lock:
            return iter([(key, target.watch) for key, target in self._targets.items() if target.watch])

    def check(self, key: Key, watch: int) -> tuple[HealthCheck, TargetHealth] | None:
        """How to check a target now, and its health; None when this watch is over."""
        with self._lock:
            target = self._targets.get(key)
            if target is None or target.watch != watch or key[0] not in self._groups:
                return None
            return self._groups[key[0]].check, target.health

    def observe(self, key: Key, watch: int, outcome: Outcome) -> None:
        """Take the outcome of one check, unless its watch is over."""
        with self._lock:
            target = self._targets.get(key)
            if target is None or target.watch != watch or key[0] not in self._groups:
                return
            before = target.health.state
            target.observe(self._groups[key[0]].check, outcome)
            if target.health.state == before:
                return
        self.changed()
