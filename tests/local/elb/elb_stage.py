"""moto over HTTP in this process, our load balancing with a real Envoy, and small targets on loopback."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from local.addresses import Addresses, Pool
from local.elb.controller import LoadBalancing
from tests.support.until import until


class _Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one segment
    server: Site

    def do_GET(self) -> None:
        self.server.answer(self)

    do_POST = do_DELETE = do_GET  # noqa: N815  (http.server names it)

    def log_message(self, *_: Any) -> None:
        pass


class Site(ThreadingHTTPServer):
    """A target: /health as told, /slow waits for `release`, everything else answers its name."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: str, name: str) -> None:
        self.name, self.health, self.seen, self.release = name, 200, [], threading.Event()
        self.started = threading.Semaphore(0)
        self.status = 200
        self.last: dict[str, str] = {}
        super().__init__((address, 8080), _Answer)
        self.address = address
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def answer(self, request: _Answer) -> None:
        status = self.status
        if request.path == "/health":
            status = self.health
        else:
            self.seen.append(request.path)
            self.last = {key.lower(): value for key, value in request.headers.items()}
        if request.path == "/slow":
            self.started.release()
            self.release.wait(20)
        if request.path == "/reset":
            request.connection.shutdown(socket.SHUT_RDWR)
            request.close_connection = True
            return
        body = self.name.encode()
        request.send_response(status)
        request.send_header("content-length", str(len(body)))
        request.send_header("x-site", self.name)
        request.end_headers()
        request.wfile.write(body)

    def handle_error(self, *_: Any) -> None:
        pass

    def close(self) -> None:
        self.release.set()
        self.shutdown()
        self.server_close()


@dataclass
class Answer:
    """What a client got."""

    status: int
    body: str
    headers: http.client.HTTPMessage


@dataclass
class Stage:
    """A running embedded load balancing with a client of its API."""

    elb: Any
    cloudwatch: Any
    balancing: LoadBalancing
    vpc: str
    subnets: list[str]
    addresses: Addresses
    counter: Iterator[int]
    closing: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def unique(self, what: str) -> str:
        return f"{what}-{next(self.counter)}"

    def site(self, name: str) -> Site:
        address = self.addresses.take(Pool.TASK, 8080)
        site = Site(address, name)
        self.closing.callback(self.addresses.give_back, address)
        self.closing.callback(site.close)
        return site

    def balancer(self) -> tuple[str, str]:
        """ARN and address of a new load balancer."""
        one = self.elb.create_load_balancer(Name=self.unique("lb"), Subnets=self.subnets)["LoadBalancers"][0]
        self.closing.callback(self.delete_balancer, one["LoadBalancerArn"])
        return one["LoadBalancerArn"], one["DNSName"]

    def delete_balancer(self, arn: str) -> None:
        self.elb.delete_load_balancer(LoadBalancerArn=arn)

    def group(self, *sites: Site, delay: int = 5, **settings: Any) -> str:
        """ARN of a new target group with these targets."""
        settings = {"HealthCheckIntervalSeconds": 5, "HealthCheckTimeoutSeconds": 2, **settings}
        settings = {"HealthyThresholdCount": 2, "HealthCheckPath": "/health", **settings}
        arn: str = self.elb.create_target_group(
            Name=self.unique("tg"), Protocol="HTTP", Port=8080, VpcId=self.vpc, TargetType="ip", **settings
        )["TargetGroups"][0]["TargetGroupArn"]
        self.closing.callback(self.elb.delete_target_group, TargetGroupArn=arn)
        self.elb.modify_target_group_attributes(
            TargetGroupArn=arn, Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": str(delay)}]
        )
        if sites:
            self.elb.register_targets(TargetGroupArn=arn, Targets=[{"Id": s.address, "Port": 8080} for s in sites])
        return arn

    def listener(self, balancer: str, *actions: dict[str, Any], port: int = 8080) -> str:
        """ARN of a new listener."""
        arn: str = self.elb.create_listener(
            LoadBalancerArn=balancer, Protocol="HTTP", Port=port, DefaultActions=list(actions)
        )["Listeners"][0]["ListenerArn"]
        return arn

    def rule(self, listener: str, priority: int, action: dict[str, Any], *conditions: dict[str, Any]) -> str:
        """ARN of a new rule; without conditions it matches every path."""
        arn: str = self.elb.create_rule(
            ListenerArn=listener, Priority=priority, Actions=[action], Conditions=list(conditions) or [ANY_PATH]
        )["Rules"][0]["RuleArn"]
        return arn

    def states(self, group: str) -> dict[str, tuple[str, str | None]]:
        """State and reason by address."""
        found = self.elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
        return {one["Target"]["Id"]: (one["TargetHealth"]["State"], one["TargetHealth"].get("Reason")) for one in found}

    def healthy(self, group: str) -> None:
        """Wait until every target of the group is healthy."""
        until(lambda: {state for state, _ in self.states(group).values()} == {"healthy"})


ANY_PATH = {"Field": "path-pattern", "PathPatternConfig": {"Values": ["/*"]}}
NOT_FOUND = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404", "MessageBody": "nothing here"}}


def forward(weights: dict[str, int], sticky: int = 0) -> dict[str, Any]:
    """A weighted forward action."""
    config: dict[str, Any] = {"TargetGroups": [{"TargetGroupArn": arn, "Weight": w} for arn, w in weights.items()]}
    if sticky:
        config["TargetGroupStickinessConfig"] = {"Enabled": True, "DurationSeconds": sticky}
    return {"Type": "forward", "ForwardConfig": config}


def request(address: str, path: str = "/", port: int = 8080, method: str = "GET", **headers: str) -> Answer:
    """One request on a new connection; header names with underscores for dashes."""
    connection = http.client.HTTPConnection(address, port, timeout=15)
    try:
        connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        response = connection.getresponse()
        return Answer(response.status, response.read().decode(), response.msg)
    finally:
        connection.close()
