"""Loads only the parts of `pulumi_aws` that are in use, which takes half a second less in every preview.

The SDK loads a service as a whole at the first look at it: 180 modules for EC2, of which this program uses eleven.
Nothing else depends on this module: without it, or after an update of the SDK that changes how it loads, all works as
before, slower.
"""

from __future__ import annotations

import functools
import gc
import importlib
import sys
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any, Final

USED: Final[Mapping[str, Mapping[str, Sequence[str]]]] = {
    "cloudwatch": {"log_group": ["LogGroup"]},
    "ec2": {
        "default_security_group": ["DefaultSecurityGroup"],
        "eip": ["Eip"],
        "internet_gateway": ["InternetGateway"],
        "nat_gateway": ["NatGateway"],
        "route": ["Route"],
        "route_table": ["RouteTable"],
        "route_table_association": ["RouteTableAssociation"],
        "security_group": ["SecurityGroup"],
        "subnet": ["Subnet"],
        "vpc": ["Vpc"],
        "vpc_endpoint": ["VpcEndpoint"],
    },
    "ecr": {
        "get_authorization_token": ["get_authorization_token_output"],
        "lifecycle_policy": ["LifecyclePolicy"],
        "repository": ["Repository"],
    },
    "ecs": {
        "_inputs": ["ServiceLoadBalancerArgs"],
        "cluster": ["Cluster"],
        "service": ["Service"],
        "task_definition": ["TaskDefinition"],
    },
    "iam": {"role": ["Role"], "role_policy": ["RolePolicy"]},
    "lb": {
        "_inputs": [
            "ListenerRuleActionArgs",
            "ListenerRuleActionForwardArgs",
            "ListenerRuleActionForwardTargetGroupArgs",
            "TargetGroupHealthCheckArgs",
        ],
        "listener": ["Listener"],
        "listener_rule": ["ListenerRule"],
        "load_balancer": ["LoadBalancer"],
        "target_group": ["TargetGroup"],
    },
    "rds": {"instance": ["Instance"], "parameter_group": ["ParameterGroup"], "subnet_group": ["SubnetGroup"]},
    "secretsmanager": {
        "get_random_password": ["get_random_password_output"],
        "secret": ["Secret"],
        "secret_version": ["SecretVersion"],
    },
    "vpc": {
        "security_group_egress_rule": ["SecurityGroupEgressRule"],
        "security_group_ingress_rule": ["SecurityGroupIngressRule"],
    },
}


def narrow() -> None:
    """Load what is in use. Any other name of a service still loads the service as a whole."""
    collecting = gc.isenabled()
    gc.disable()  # thousands of classes that all stay: looking for garbage among them is a quarter of the time
    try:
        for service, modules in USED.items():
            _narrow(service, modules)
    finally:
        if collecting:
            gc.enable()


def _narrow(service: str, modules: Mapping[str, Sequence[str]]) -> None:
    package = sys.modules.get(f"pulumi_aws.{service}")
    if package is None or type(package) is ModuleType:
        return  # loaded already, or by other means than today's
    # An ordinary module: importing a part of it no longer counts as the first look.
    package.__class__ = ModuleType
    for module, names in modules.items():
        part = importlib.import_module(f"{package.__name__}.{module}")
        for name in names:
            setattr(package, name, getattr(part, name))
    package.__dict__["__getattr__"] = functools.partial(_whole, package)


def _whole(package: ModuleType, name: str) -> Any:
    """Load the rest of a service, as the SDK would have, for a name that is not in use so far."""
    del package.__dict__["__getattr__"]
    spec = package.__spec__
    if spec is not None and spec.loader is not None:
        spec.loader.exec_module(package)
    return getattr(package, name)
