"""What the data plane must do, as plain values: read from the control plane once, then independent of it.

The names are those of the Elastic Load Balancing API. Everything here is immutable, so that a snapshot can be taken
under the lock and used without it, and so that two snapshots can be compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

DEFAULT_PRIORITY = 50_001  # after every rule: the API's highest priority is 50000


@dataclass(frozen=True, kw_only=True)
class WeightedGroup:
    """One target group of a forward action. A weight of 0 sends it nothing and keeps its health checks running."""

    arn: str
    weight: int


@dataclass(frozen=True, kw_only=True)
class Forward:
    """A forward action. `sticky_seconds` is the duration of the target group stickiness, 0 when it is off."""

    groups: tuple[WeightedGroup, ...]
    sticky_seconds: int = 0

    @property
    def serving(self) -> tuple[WeightedGroup, ...]:
        """The groups that get requests."""
        return tuple(group for group in self.groups if group.weight > 0)


@dataclass(frozen=True, kw_only=True)
class FixedResponse:
    """A response the load balancer gives by itself."""

    status: int
    body: str = ""
    content_type: str = "text/plain"


@dataclass(frozen=True, kw_only=True)
class Redirect:
    """A redirect; the parts are templates in which `#{host}` and the like stand for those of the request."""

    status: int
    protocol: str = "#{protocol}"
    host: str = "#{host}"
    port: str = "#{port}"
    path: str = "/#{path}"
    query: str = "#{query}"


Action = Forward | FixedResponse | Redirect


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One rule of a listener; `conditions` as the API stores them (all of them must hold)."""

    arn: str
    priority: int
    conditions: tuple[Mapping[str, Any], ...]
    action: Action


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """Certificate chain and private key of an HTTPS listener, PEM."""

    chain: str
    key: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Listener:
    """One listener with its rules in the order in which they are tried; the last one is the default."""

    arn: str
    port: int
    protocol: str
    rules: tuple[Rule, ...]
    certificate: Certificate | None = None

    @property
    def name(self) -> str:
        """Unique among all listeners and safe in a file name."""
        return "-".join(self.arn.rpartition(":listener/")[2].split("/")[1:])


@dataclass(frozen=True, kw_only=True)
class Balancer:
    """One application load balancer, listening on its own loopback address."""

    arn: str
    address: str
    attributes: Mapping[str, str]
    listeners: tuple[Listener, ...]

    @property
    def dimension(self) -> str:
        """Value of the CloudWatch dimension `LoadBalancer`."""
        return self.arn.rpartition(":loadbalancer/")[2]

    @property
    def idle_seconds(self) -> int:
        """`idle_timeout.timeout_seconds`."""
        return int(self.attributes.get("idle_timeout.timeout_seconds", "60"))


@dataclass(frozen=True, kw_only=True)
class HealthCheck:
    """How the targets of one group are checked. Times in seconds; `port` None is the target's own port."""

    path: str
    port: int | None
    interval: float
    timeout: float
    healthy_threshold: int
    unhealthy_threshold: int
    matcher: str


@dataclass(frozen=True, kw_only=True)
class Group:
    """One target group."""

    arn: str
    port: int
    check: HealthCheck
    deregistration_delay: float
    sticky_cookie_seconds: int

    @property
    def name(self) -> str:
        """Unique among all target groups and safe in a file name; the name of the Envoy cluster."""
        return self.dimension.partition("/")[2].replace("/", "-")

    @property
    def dimension(self) -> str:
        """Value of the CloudWatch dimension `TargetGroup`."""
        return self.arn.rpartition(":")[2]


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """Every load balancer and target group at one moment."""

    balancers: tuple[Balancer, ...] = ()
    groups: Mapping[str, Group] = field(default_factory=dict)

    def rules(self) -> Iterator[tuple[Balancer, Listener, Rule]]:
        """Every rule with where it belongs."""
        for balancer in self.balancers:
            for listener in balancer.listeners:
                for rule in listener.rules:
                    yield balancer, listener, rule

    def users(self) -> dict[str, str]:
        """The load balancer (ARN) of every target group that a rule or listener forwards to, whatever its weight."""
        return {
            group.arn: balancer.arn
            for balancer, _, rule in self.rules()
            if isinstance(rule.action, Forward)
            for group in rule.action.groups
        }
