"""The whole program under mocks, and the outputs that each AWS type answers in them."""

from __future__ import annotations

import functools
import json
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pulumi_aws  # noqa: F401 - what is made narrow below

from infra import sdk
from tests.unit.recording import Recording, record

ROOT = Path(__file__).parents[2]
REGION, ACCOUNT = "eu-west-1", "123456789012"


def _arn(service: str, kind: str = "") -> Callable[[str, Any], dict[str, Any]]:
    return lambda name, _inputs: {"arn": f"arn:aws:{service}:{REGION}:{ACCOUNT}:{kind}{name}"}


def _nothing(_name: str, _inputs: Any) -> dict[str, Any]:
    return {}


def _release(_name: str, inputs: Any) -> dict[str, Any]:
    """A second release: blue serves v1, green is to get the wanted version."""
    image = inputs.get("image") or f"repository@sha256:{'0' * 64}"
    holds = {"blue": "v1", "green": inputs["version"]}
    return {
        "action": "release",
        "gate": "expand",
        "rollback": False,
        "liveColor": "blue",
        "targetColor": "green",
        "previousColor": "blue",
        "previousVersion": "v1",
        "colors": {color: {"version": version, "image": image, "desiredCount": 2} for color, version in holds.items()},
        "weights": {"blue": 0, "green": 100},
        "liveWeights": {"blue": 100, "green": 0},
        "firstRelease": False,
        "reset": False,
        "targetCount": 2,
        "previousCount": 2,
        "lineage": ["v1", inputs["version"]],
        "actor": "somebody",
    }


FILLS = {"schema-backfill": "b0", "cutover-backfill": "b1"}
OUTPUTS: dict[str, Callable[[str, Any], dict[str, Any]]] = {
    "pulumi:providers:aws": _nothing,
    "pulumi:providers:docker": _nothing,
    "pulumi:providers:bluegreen": _nothing,
    "aws:ec2/vpc:Vpc": _arn("ec2", "vpc/"),
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": _nothing,
    "aws:ec2/subnet:Subnet": _arn("ec2", "subnet/"),
    "aws:ec2/internetGateway:InternetGateway": _nothing,
    "aws:ec2/routeTable:RouteTable": _nothing,
    "aws:ec2/route:Route": _nothing,
    "aws:ec2/routeTableAssociation:RouteTableAssociation": _nothing,
    "aws:ec2/eip:Eip": lambda _name, _inputs: {"publicIp": "198.51.100.7"},
    "aws:ec2/natGateway:NatGateway": _nothing,
    "aws:ec2/vpcEndpoint:VpcEndpoint": _nothing,
    "aws:ec2/securityGroup:SecurityGroup": _arn("ec2", "security-group/"),
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": _nothing,
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": _nothing,
    "aws:rds/subnetGroup:SubnetGroup": lambda name, _inputs: {"name": f"{name}-group"},
    "aws:rds/parameterGroup:ParameterGroup": lambda name, _inputs: {"name": f"{name}-parameters"},
    "aws:rds/instance:Instance": lambda name, _inputs: {
        "address": f"{name}.rds.test",
        "resourceId": "db-ABC",
        "masterUserSecrets": [{"secretArn": f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:rds!db-1-aBcDeF"}],
    },
    "aws:secretsmanager/secret:Secret": lambda _name, inputs: {
        "arn": f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{inputs['name']}-aBcDeF"
    },
    "aws:secretsmanager/secretVersion:SecretVersion": lambda _name, _inputs: {
        "secretArn": f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:bluegreen-test/app-db-aBcDeF",
        "versionId": "first",
    },
    "aws:ecs/cluster:Cluster": _arn("ecs", "cluster/"),
    "aws:ecs/taskDefinition:TaskDefinition": lambda _name, inputs: {
        "arn": f"arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/{inputs['family']}:1"
    },
    "aws:ecs/service:Service": _nothing,
    "aws:cloudwatch/logGroup:LogGroup": lambda _name, inputs: {
        "arn": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{inputs['name']}"
    },
    "aws:ecr/repository:Repository": lambda _name, inputs: {
        "arn": f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/{inputs['name']}",
        "registryId": ACCOUNT,
        "repositoryUrl": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{inputs['name']}",
    },
    "aws:ecr/lifecyclePolicy:LifecyclePolicy": _nothing,
    "docker:index/image:Image": lambda _name, inputs: {
        "repoDigest": f"{inputs['imageName'].rpartition(':')[0]}@sha256:{'0' * 64}"
    },
    "aws:iam/role:Role": lambda _name, inputs: {"arn": f"arn:aws:iam::{ACCOUNT}:role/{inputs['name']}"},
    "aws:iam/rolePolicy:RolePolicy": _nothing,
    "aws:lb/loadBalancer:LoadBalancer": lambda name, _inputs: {"arn": f"arn:{name}", "dnsName": "lb.test"},
    "aws:lb/listener:Listener": _arn("elasticloadbalancing", "listener/"),
    "aws:lb/listenerRule:ListenerRule": _arn("elasticloadbalancing", "listener-rule/"),
    "aws:lb/targetGroup:TargetGroup": _arn("elasticloadbalancing", "targetgroup/"),
    "bluegreen:index:Release": _release,
    "bluegreen:index:TaskRun": lambda name, _inputs: {
        "taskArn": f"arn:task/{name}",
        "exitCode": 0,
        "seconds": 1.5,
        "logGroup": "/bluegreen-test/migrate",
        "logStream": "green/migrate/1",
        "result": {
            "revision": "e2",
            "pendingContracts": ["c1"],
            "pendingBackfills": ["b0", "b1"],
            "neededBackfills": ["b0"],
            "laterBackfills": ["b1"],
            **({"backfills": {FILLS[name]: {"rows": 3, "seconds": 0.5, "rowsPerSecond": 6}}} if name in FILLS else {}),
        },
        "startedAt": "2026-01-01T00:00:00Z",
    },
    "bluegreen:index:ServiceCapacity": lambda _name, inputs: {
        "runningCount": inputs["desiredCount"],
        "seconds": 3.0,
    },
    "bluegreen:index:ReleaseReport": lambda _name, _inputs: {"facts": {"takenAt": "2026-01-01T00:00:00+00:00"}},
    "bluegreen:index:TrafficShift": lambda _name, _inputs: {"plan": "blue 100 -> green 100", "seconds": 4.0},
}

CALLS = {
    "aws:secretsmanager/getRandomPassword:getRandomPassword": {"randomPassword": "not-so-random", "id": "x"},
    "aws:ecr/getAuthorizationToken:getAuthorizationToken": {
        "userName": "AWS",
        "password": "token",
        "authorizationToken": "QVdTOnRva2Vu",
        "proxyEndpoint": f"https://{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com",
        "expiresAt": "2026-01-01T12:00:00Z",
        "id": REGION,
    },
}


sdk.narrow()


def run_program(*, cached: bool = True, **config: Any) -> Recording:
    """`__main__.py` as Pulumi runs it, with these settings beside the region. The same settings are run once."""
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in config.items()}
    settings = {"region": REGION, "context": str(ROOT), **texts}
    run = _recorded if cached else _recorded.__wrapped__
    return run(tuple(sorted(settings.items())))


@functools.cache
def _recorded(settings: tuple[tuple[str, str], ...]) -> Recording:
    return record(_main, OUTPUTS, CALLS, dict(settings))


def run_part(part: Callable[[], object]) -> Recording:
    """Only what this function makes."""
    return record(lambda: _call(part), OUTPUTS, CALLS)


def _main() -> None:
    runpy.run_path(str(ROOT / "__main__.py"), run_name="__main__")


def _call(part: Callable[[], object]) -> None:
    part()
