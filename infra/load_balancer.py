"""The load balancer: where clients and tests come in, and the one rule that divides traffic between the colors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_aws as aws

from infra import naming
from infra.naming import COLORS, Color

TEST_HEADER: Final = "bluegreen-color"
"""A request on the test listener names the color that is to answer it in this header."""
TLS_POLICY: Final = "ELBSecurityPolicy-TLS13-1-2-2021-06"
TRAFFIC_PRIORITY: Final = 100
START_WEIGHTS: Final[Mapping[Color, int]] = {"blue": 100, "green": 0}
TEST_PRIORITIES: Final[Mapping[Color, int]] = {"blue": 100, "green": 110}
# The application keeps idle connections longer than this, or clients would now and then be answered 502.
IDLE_SECONDS: Final = 60
MISMATCH: Final = "No color named by this request"


@dataclass(frozen=True, kw_only=True)
class LoadBalancerArgs:
    """`prefix` names it. With a certificate the listeners speak HTTPS and redirect_port leads there;
    host_name is the name in it, for the URLs."""

    prefix: str
    subnet_ids: Sequence[pulumi.Input[str]]
    security_group_id: pulumi.Input[str]
    target_group_arns: Mapping[str, pulumi.Input[str]]
    port: int
    test_port: int
    redirect_port: int
    certificate_arn: str | None
    host_name: str | None
    internal: bool
    protect: bool


class LoadBalancer(pulumi.ComponentResource):
    """`bluegreen:infra:LoadBalancer`: ALB, production and test listener, the weighted rule, a rule for each color's
    tests.

    Outputs: url, test_url, rule (the weighted rule, which services depend on) and rule_arn.
    """

    load_balancer: aws.lb.LoadBalancer
    rule: aws.lb.ListenerRule
    test_rules: dict[Color, aws.lb.ListenerRule]
    rule_arn: pulumi.Output[str]
    url: pulumi.Output[str]
    test_url: pulumi.Output[str]

    def __init__(self, name: str, args: LoadBalancerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("bluegreen:infra:LoadBalancer", name, {}, opts)
        self._name = name
        self._args = args
        self.load_balancer = self._balancer()
        production = self._listener("production", args.port)
        test = self._listener("test", args.test_port)
        if args.certificate_arn is not None:
            self._redirect()
        self.rule = self._traffic(production)
        self.test_rules = {color: self._test_rule(test, color) for color in COLORS}
        scheme = "http" if args.certificate_arn is None else "https"
        address = args.host_name or self.load_balancer.dns_name
        self.rule_arn = self.rule.arn
        self.url = pulumi.Output.concat(f"{scheme}://", address, f":{args.port}")
        self.test_url = pulumi.Output.concat(f"{scheme}://", address, f":{args.test_port}")
        self.register_outputs({"ruleArn": self.rule_arn, "url": self.url, "testUrl": self.test_url})

    def _balancer(self) -> aws.lb.LoadBalancer:
        return aws.lb.LoadBalancer(
            self._name,
            name=naming.load_balancer(self._args.prefix),
            load_balancer_type="application",
            internal=self._args.internal,
            subnets=list(self._args.subnet_ids),
            security_groups=[self._args.security_group_id],
            idle_timeout=IDLE_SECONDS,
            drop_invalid_header_fields=True,
            desync_mitigation_mode="defensive",
            enable_deletion_protection=self._args.protect,
            opts=pulumi.ResourceOptions(parent=self, protect=self._args.protect),
        )

    def _listener(self, role: str, port: int) -> aws.lb.Listener:
        tls = self._args.certificate_arn is not None
        return aws.lb.Listener(
            f"{self._name}-{role}",
            load_balancer_arn=self.load_balancer.arn,
            port=port,
            protocol="HTTPS" if tls else "HTTP",
            certificate_arn=self._args.certificate_arn,
            ssl_policy=TLS_POLICY if tls else None,
            default_actions=[
                {
                    "type": "fixed-response",
                    "fixed_response": {"content_type": "text/plain", "message_body": MISMATCH, "status_code": "404"},
                }
            ],
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _redirect(self) -> None:
        aws.lb.Listener(
            f"{self._name}-redirect",
            load_balancer_arn=self.load_balancer.arn,
            port=self._args.redirect_port,
            protocol="HTTP",
            default_actions=[
                {
                    "type": "redirect",
                    "redirect": {"port": str(self._args.port), "protocol": "HTTPS", "status_code": "HTTP_301"},
                }
            ],
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _traffic(self, listener: aws.lb.Listener) -> aws.lb.ListenerRule:
        groups = [
            aws.lb.ListenerRuleActionForwardTargetGroupArgs(arn=self._args.target_group_arns[color], weight=weight)
            for color, weight in START_WEIGHTS.items()
        ]
        return aws.lb.ListenerRule(
            f"{self._name}-traffic",
            listener_arn=listener.arn,
            priority=TRAFFIC_PRIORITY,
            conditions=[{"path_pattern": {"values": ["/*"]}}],
            # Both colors, also at weight 0: only a group that some rule names has its targets' health checked.
            actions=[
                aws.lb.ListenerRuleActionArgs(
                    type="forward", forward=aws.lb.ListenerRuleActionForwardArgs(target_groups=groups)
                )
            ],
            # The weights belong to `bluegreen:index:TrafficShift`; what stands above is only where they start.
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["actions"]),
        )

    def _test_rule(self, listener: aws.lb.Listener, color: Color) -> aws.lb.ListenerRule:
        return aws.lb.ListenerRule(
            f"{self._name}-test-{color}",
            listener_arn=listener.arn,
            priority=TEST_PRIORITIES[color],
            conditions=[{"http_header": {"http_header_name": TEST_HEADER, "values": [color]}}],
            actions=[{"type": "forward", "target_group_arn": self._args.target_group_arns[color]}],
            opts=pulumi.ResourceOptions(parent=self),
        )
