"""Load balancers, target groups, listeners and rules (service ELBv2)."""

from collections.abc import Mapping
from typing import Any

from local.plugins.aws.blocks import Attributes, Block, Blocks, pascal
from local.plugins.aws.codec import SET, After, Choice, Number, is_unknown
from local.plugins.aws.model import Call, Look, Property, Type, Wait, fixed, plain
from local.plugins.aws.types import tagging


def attribute(key: str, kind: type, **more: Any) -> Property:
    """A property that ELBv2 keeps in the list of attributes."""
    return Property(attribute=True, codec=Attributes({"": (key, kind)}), **more)


def attributes(prefix: str, keys: Mapping[str, tuple[str, type]], **more: Any) -> Property:
    """A structure whose fields are attributes."""
    return Property(
        attribute=True,
        codec=Attributes({wire: (f"{prefix}.{key}", kind) for wire, (key, kind) in keys.items()}),
        **more,
    )


_LB_ATTRIBUTES = {
    "idleTimeout": attribute("idle_timeout.timeout_seconds", int, default=60),
    "clientKeepAlive": attribute("client_keep_alive.seconds", int, computed=True),
    "dropInvalidHeaderFields": attribute("routing.http.drop_invalid_header_fields.enabled", bool, default=False),
    "desyncMitigationMode": attribute("routing.http.desync_mitigation_mode", str, default="defensive"),
    "preserveHostHeader": attribute("routing.http.preserve_host_header.enabled", bool, default=False),
    "xffHeaderProcessingMode": attribute("routing.http.xff_header_processing.mode", str, computed=True),
    "enableHttp2": attribute("routing.http2.enabled", bool, default=True),
    "enableDeletionProtection": attribute("deletion_protection.enabled", bool, default=False),
    "accessLogs": attributes(
        "access_logs.s3",
        {"bucket": ("bucket", str), "prefix": ("prefix", str), "enabled": ("enabled", bool)},
        computed=True,
    ),
}

LOAD_BALANCER = Type(
    kind="aws:lb/loadBalancer:LoadBalancer",
    service="elbv2",
    properties={
        "name": fixed("Name", read="LoadBalancerName"),
        "internal": fixed("Scheme", Choice({True: "internal", False: "internet-facing"}), default=False),
        "loadBalancerType": fixed("Type", default="application"),
        "subnets": plain("Subnets", SET, read="AvailabilityZones[].SubnetId", computed=True),
        "securityGroups": plain("SecurityGroups", SET, computed=True),
        "ipAddressType": plain("IpAddressType", computed=True),
        **_LB_ATTRIBUTES,
    },
    outputs={
        "arn": "LoadBalancerArn",
        "arnSuffix": ("LoadBalancerArn", After(":loadbalancer/")),
        "dnsName": "DNSName",
        "zoneId": "CanonicalHostedZoneId",
        "vpcId": "VpcId",
    },
    id="LoadBalancers[0].LoadBalancerArn",
    create=Call(
        operation="create_load_balancer",
        sends="name internal loadBalancerType subnets securityGroups ipAddressType",
    ),
    created=Wait(path="State.Code", until=("active", "active_impaired"), failed=("failed",)),
    read=Look(operation="describe_load_balancers", params={"LoadBalancerArns": ["{id}"]}, path="LoadBalancers[0]"),
    looks=(
        Look(
            operation="describe_load_balancer_attributes",
            params={"LoadBalancerArn": "{id}"},
            path="Attributes",
            attributes=True,
        ),
    ),
    update=(
        Call(operation="set_subnets", sends="subnets", params={"LoadBalancerArn": "{id}"}),
        Call(operation="set_security_groups", sends="securityGroups", params={"LoadBalancerArn": "{id}"}),
        Call(operation="set_ip_address_type", sends="ipAddressType", params={"LoadBalancerArn": "{id}"}),
        Call(
            operation="modify_load_balancer_attributes",
            attributes="Attributes",
            params={"LoadBalancerArn": "{id}"},
        ),
    ),
    delete=(Call(operation="delete_load_balancer", params={"LoadBalancerArn": "{id}"}),),
    deleted=Wait(path="State.Code", until=()),
    gone=("LoadBalancerNotFound",),
    name="name",
    name_length=32,
    tags=tagging.ELB,
)

_HEALTH_CHECK = Block(
    pascal(
        "",
        healthyThreshold="HealthyThresholdCount",
        unhealthyThreshold="UnhealthyThresholdCount",
        enabled="HealthCheckEnabled",
        protocol="HealthCheckProtocol",
        port="HealthCheckPort",
        path="HealthCheckPath",
        interval="HealthCheckIntervalSeconds",
        timeout="HealthCheckTimeoutSeconds",
        matcher="Matcher.HttpCode",
    )
)

TARGET_GROUP = Type(
    kind="aws:lb/targetGroup:TargetGroup",
    service="elbv2",
    properties={
        "name": fixed("Name", read="TargetGroupName"),
        "port": fixed("Port"),
        "protocol": fixed("Protocol"),
        "protocolVersion": fixed("ProtocolVersion", computed=True),
        "vpcId": fixed("VpcId"),
        "targetType": fixed("TargetType", default="instance"),
        "ipAddressType": fixed("IpAddressType", computed=True),
        "healthCheck": plain("", _HEALTH_CHECK, computed=True),
        "deregistrationDelay": attribute("deregistration_delay.timeout_seconds", int, default=300),
        "slowStart": attribute("slow_start.duration_seconds", int, default=0),
        "loadBalancingAlgorithmType": attribute("load_balancing.algorithm.type", str, computed=True),
        "stickiness": attributes(
            "stickiness",
            {
                "enabled": ("enabled", bool),
                "type": ("type", str),
                "cookieDuration": ("lb_cookie.duration_seconds", int),
            },
            computed=True,
        ),
    },
    outputs={
        "arn": "TargetGroupArn",
        "arnSuffix": ("TargetGroupArn", After(":")),
        "loadBalancerArns": "LoadBalancerArns",
    },
    id="TargetGroups[0].TargetGroupArn",
    create=Call(
        operation="create_target_group",
        sends="name port protocol protocolVersion vpcId targetType ipAddressType healthCheck",
    ),
    read=Look(operation="describe_target_groups", params={"TargetGroupArns": ["{id}"]}, path="TargetGroups[0]"),
    looks=(
        Look(
            operation="describe_target_group_attributes",
            params={"TargetGroupArn": "{id}"},
            path="Attributes",
            attributes=True,
        ),
    ),
    update=(
        Call(operation="modify_target_group", sends="healthCheck", params={"TargetGroupArn": "{id}"}),
        Call(operation="modify_target_group_attributes", attributes="Attributes", params={"TargetGroupArn": "{id}"}),
    ),
    delete=(Call(operation="delete_target_group", params={"TargetGroupArn": "{id}"}),),
    gone=("TargetGroupNotFound",),
    name="name",
    name_length=32,
    tags=tagging.ELB,
)

_FORWARD = Block(
    pascal(
        "",
        targetGroups=("TargetGroups", Blocks(pascal("weight", arn="TargetGroupArn"), ordered=False)),
        stickiness=("TargetGroupStickinessConfig", Block(pascal("enabled", duration="DurationSeconds"))),
    )
)
_ACTIONS = Blocks(
    pascal(
        "type order targetGroupArn",
        forward=("ForwardConfig", _FORWARD),
        fixedResponse=("FixedResponseConfig", Block(pascal("contentType messageBody statusCode"))),
        redirect=("RedirectConfig", Block(pascal("host path port protocol query statusCode"))),
    )
)

LISTENER = Type(
    kind="aws:lb/listener:Listener",
    service="elbv2",
    properties={
        "loadBalancerArn": fixed("LoadBalancerArn"),
        "port": plain("Port"),
        "protocol": plain("Protocol", default="HTTP"),
        "sslPolicy": plain("SslPolicy", computed=True),
        "certificateArn": plain("CertificateArn", read="Certificates[0].CertificateArn", absent=None),
        "defaultActions": plain("DefaultActions", _ACTIONS),
    },
    outputs={"arn": "ListenerArn"},
    id="Listeners[0].ListenerArn",
    create=Call(
        operation="create_listener",
        sends="loadBalancerArn port protocol sslPolicy defaultActions",
        params={"Certificates": [{"CertificateArn": "{certificateArn}"}]},
    ),
    read=Look(operation="describe_listeners", params={"ListenerArns": ["{id}"]}, path="Listeners[0]"),
    update=(
        Call(
            operation="modify_listener",
            sends="port protocol sslPolicy defaultActions",
            params={"ListenerArn": "{id}", "Certificates": [{"CertificateArn": "{certificateArn}"}]},
        ),
    ),
    delete=(Call(operation="delete_listener", params={"ListenerArn": "{id}"}),),
    gone=("ListenerNotFound", "LoadBalancerNotFound"),
    # One listener for each port of a load balancer.
    unique=("loadBalancerArn", "port"),
    tags=tagging.ELB,
)

_FIELDS = {
    "HostHeaderConfig": "host-header",
    "PathPatternConfig": "path-pattern",
    "HttpHeaderConfig": "http-header",
    "HttpRequestMethodConfig": "http-request-method",
    "QueryStringConfig": "query-string",
    "SourceIpConfig": "source-ip",
}
_VALUES = Block(pascal("", values=("Values", SET)))


class Conditions(Blocks):
    """Conditions of a rule. The API wants the kind of each one named once more."""

    def __init__(self) -> None:
        fields = pascal(
            "",
            hostHeader=("HostHeaderConfig", _VALUES),
            pathPattern=("PathPatternConfig", _VALUES),
            httpHeader=("HttpHeaderConfig", Block(pascal("httpHeaderName", values=("Values", SET)))),
            httpRequestMethod=("HttpRequestMethodConfig", _VALUES),
            queryStrings=("QueryStringConfig.Values", Blocks(pascal("key value"), ordered=False)),
            sourceIp=("SourceIpConfig", _VALUES),
        )
        super().__init__(fields, ordered=False)

    def encode(self, value: Any) -> Any:
        if is_unknown(value):
            return value
        return [{"Field": next((_FIELDS[key] for key in one), ""), **one} for one in super().encode(value)]


LISTENER_RULE = Type(
    kind="aws:lb/listenerRule:ListenerRule",
    service="elbv2",
    properties={
        "listenerArn": fixed("ListenerArn", read=""),
        "priority": plain("Priority", Number()),
        "conditions": plain("Conditions", Conditions()),
        "actions": plain("Actions", _ACTIONS),
    },
    outputs={"arn": "RuleArn"},
    id="Rules[0].RuleArn",
    create=Call(operation="create_rule", sends="listenerArn priority conditions actions"),
    read=Look(operation="describe_rules", params={"RuleArns": ["{id}"]}, path="Rules[0]"),
    update=(
        Call(
            operation="set_rule_priorities",
            params={"RulePriorities": [{"RuleArn": "{id}", "Priority": "{priority}"}]},
        ),
        Call(operation="modify_rule", sends="conditions actions", params={"RuleArn": "{id}"}),
    ),
    delete=(Call(operation="delete_rule", params={"RuleArn": "{id}"}),),
    gone=("RuleNotFound", "ListenerNotFound"),
    unique=("listenerArn", "priority"),
    tags=tagging.ELB,
)

TYPES = (LOAD_BALANCER, TARGET_GROUP, LISTENER, LISTENER_RULE)
