"""The peer of the bench: Terraform's plan of the same resources, on the same endpoint, in the same run.

Terraform takes over what Pulumi has made, by import, so that both look at literally the same things. Only required
arguments are written down and every change is ignored: what is timed is a plan that finds nothing to do. The image and
the release have no counterpart in Terraform and are left out of it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

Json = dict[str, Any]
_LIMIT_SECONDS = 300
_MIRROR: Final = "TERRAFORM_PROVIDER_MIRROR"  # environment: a folder of providers, where no registry is in reach


class PeerError(Exception):
    """Terraform can't be measured here; one line."""


def _nothing(_: Json) -> Json:
    return {}


@dataclass(frozen=True, kw_only=True)
class _Type:
    """How one of Pulumi's types is called in Terraform: its name, its id for an import, its required arguments."""

    name: str
    identity: Callable[[Json], str] = lambda outputs: str(outputs["id"])
    required: Callable[[Json], Json] = field(default=_nothing)
    ignored: Any = "all"


def _copied(**names: str) -> Callable[[Json], Json]:
    return lambda outputs: {ours: outputs[theirs] for ours, theirs in names.items()}


def _always(**values: Any) -> Callable[[Json], Json]:
    return lambda _: values


def _route(outputs: Json) -> Json:
    gateways = {"gateway_id": "gatewayId", "nat_gateway_id": "natGatewayId"}
    via = {ours: outputs[theirs] for ours, theirs in gateways.items() if outputs.get(theirs)}
    return {
        "route_table_id": outputs["routeTableId"],
        "destination_cidr_block": outputs["destinationCidrBlock"],
        **via,
    }


def _rule(outputs: Json) -> Json:
    peer = (
        {"cidr_ipv4": outputs["cidrIpv4"]}
        if outputs.get("cidrIpv4")
        else {"referenced_security_group_id": outputs["referencedSecurityGroupId"]}
    )
    return {"security_group_id": outputs["securityGroupId"], "ip_protocol": outputs["ipProtocol"], **peer}


_ACTION: Final = {"type": "fixed-response", "fixed_response": {"content_type": "text/plain"}}
_TYPES: Final[Mapping[str, _Type]] = {
    "aws:cloudwatch/logGroup:LogGroup": _Type(name="aws_cloudwatch_log_group"),
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": _Type(name="aws_default_security_group"),
    "aws:ec2/eip:Eip": _Type(name="aws_eip"),
    "aws:ec2/internetGateway:InternetGateway": _Type(name="aws_internet_gateway"),
    "aws:ec2/natGateway:NatGateway": _Type(
        name="aws_nat_gateway",
        required=_copied(subnet_id="subnetId", allocation_id="allocationId"),
        ignored=["tags", "tags_all"],  # its own check fails when the rest is ignored
    ),
    "aws:ec2/route:Route": _Type(
        name="aws_route",
        identity=lambda outputs: f"{outputs['routeTableId']}_{outputs['destinationCidrBlock']}",
        required=_route,
    ),
    "aws:ec2/routeTable:RouteTable": _Type(name="aws_route_table", required=_copied(vpc_id="vpcId")),
    "aws:ec2/routeTableAssociation:RouteTableAssociation": _Type(
        name="aws_route_table_association",
        identity=lambda outputs: f"{outputs['subnetId']}/{outputs['routeTableId']}",
        required=_copied(route_table_id="routeTableId", subnet_id="subnetId"),
    ),
    "aws:ec2/securityGroup:SecurityGroup": _Type(name="aws_security_group"),
    "aws:ec2/subnet:Subnet": _Type(name="aws_subnet", required=_copied(vpc_id="vpcId", cidr_block="cidrBlock")),
    "aws:ec2/vpc:Vpc": _Type(name="aws_vpc", required=_copied(cidr_block="cidrBlock")),
    "aws:ecr/lifecyclePolicy:LifecyclePolicy": _Type(
        name="aws_ecr_lifecycle_policy", required=_copied(repository="repository", policy="policy")
    ),
    "aws:ecr/repository:Repository": _Type(name="aws_ecr_repository", required=_copied(name="name")),
    "aws:ecs/cluster:Cluster": _Type(
        name="aws_ecs_cluster", identity=lambda outputs: str(outputs["name"]), required=_copied(name="name")
    ),
    "aws:ecs/service:Service": _Type(
        name="aws_ecs_service",
        identity=lambda outputs: str(outputs["id"]).partition("service/")[2],
        required=_copied(name="name"),
    ),
    "aws:ecs/taskDefinition:TaskDefinition": _Type(
        name="aws_ecs_task_definition",
        identity=lambda outputs: str(outputs["arn"]),
        required=_copied(family="family", container_definitions="containerDefinitions"),
    ),
    "aws:iam/role:Role": _Type(name="aws_iam_role", required=_copied(assume_role_policy="assumeRolePolicy")),
    "aws:iam/rolePolicy:RolePolicy": _Type(name="aws_iam_role_policy", required=_copied(role="role", policy="policy")),
    "aws:lb/listener:Listener": _Type(
        name="aws_lb_listener",
        required=lambda outputs: {"load_balancer_arn": outputs["loadBalancerArn"], "default_action": _ACTION},
    ),
    "aws:lb/listenerRule:ListenerRule": _Type(
        name="aws_lb_listener_rule",
        required=lambda outputs: {
            "listener_arn": outputs["listenerArn"],
            "action": _ACTION,
            "condition": {"path_pattern": {"values": ["/*"]}},
        },
    ),
    "aws:lb/loadBalancer:LoadBalancer": _Type(name="aws_lb", required=_copied(subnets="subnets")),
    "aws:lb/targetGroup:TargetGroup": _Type(name="aws_lb_target_group"),
    "aws:rds/instance:Instance": _Type(
        name="aws_db_instance",
        identity=lambda outputs: str(outputs["identifier"]),
        required=_copied(instance_class="instanceClass"),
    ),
    "aws:rds/parameterGroup:ParameterGroup": _Type(name="aws_db_parameter_group", required=_copied(family="family")),
    "aws:rds/subnetGroup:SubnetGroup": _Type(name="aws_db_subnet_group", required=_copied(subnet_ids="subnetIds")),
    "aws:secretsmanager/secret:Secret": _Type(name="aws_secretsmanager_secret"),
    "aws:secretsmanager/secretVersion:SecretVersion": _Type(
        name="aws_secretsmanager_secret_version",
        required=_copied(secret_id="secretId"),  # noqa: S106  an ARN
    ),
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": _Type(
        name="aws_vpc_security_group_egress_rule", required=_rule
    ),
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": _Type(
        name="aws_vpc_security_group_ingress_rule", required=_rule
    ),
}


def configuration(resources: list[Json]) -> tuple[Json, int]:
    """Terraform's configuration (JSON syntax) for the resources of a Pulumi state, and how many it covers.

    Raises PeerError for a type of the `aws` provider that has no counterpart here: then the two would not be the same.
    """
    found: dict[str, Json] = {}
    imports: list[Json] = []
    for resource in resources:
        kind = resource["type"]
        if not resource.get("custom") or not kind.startswith("aws:"):
            continue
        if kind not in _TYPES:
            raise PeerError(
                f"{kind}: no counterpart in terraform is written down, expected one in rehearsal/terraform.py"
            )
        known, outputs = _TYPES[kind], {**resource["outputs"], "id": resource["id"]}
        name = f"r{len(imports)}"
        body = {**known.required(outputs), "lifecycle": {"ignore_changes": known.ignored}}
        found.setdefault(known.name, {})[name] = body
        imports.append({"to": f"{known.name}.{name}", "id": known.identity(outputs)})
    return {"resource": found, "import": imports}, len(imports)


def _provider(region: str) -> Json:
    return {
        "terraform": {"required_providers": {"aws": {"source": "hashicorp/aws"}}},
        "provider": {"aws": {"region": region, "skip_credentials_validation": True, "skip_metadata_api_check": True}},
    }


@dataclass(kw_only=True)
class Peer:
    """Terraform in a folder of its own. `covered`: how many resources it has taken over."""

    program: str
    folder: Path
    environment: Mapping[str, str]
    covered: int = 0

    def prepare(self, resources: list[Json]) -> None:
        """Take over the resources. Raises PeerError."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        found, self.covered = configuration(resources)
        settings = {**_provider(self.environment["AWS_REGION"]), **found}
        (self.folder / "main.tf.json").write_text(json.dumps(settings, indent=1), encoding="utf-8")
        if folder := os.environ.get(_MIRROR):
            mirror = f'provider_installation {{\n  filesystem_mirror {{\n    path = "{folder}"\n  }}\n}}\n'
            (self.folder / "terraform.rc").write_text(mirror, encoding="utf-8")
        self._call("init", "-input=false")
        self._call("apply", "-input=false", "-auto-approve")

    def plan_seconds(self) -> float:
        """The time of a plan that finds nothing to do. Raises PeerError when it finds something."""
        began = time.monotonic()
        self._call("plan", "-input=false", "-detailed-exitcode")
        return time.monotonic() - began

    def _call(self, *arguments: str) -> None:
        rc = self.folder / "terraform.rc"
        extra = {"TF_CLI_CONFIG_FILE": str(rc)} if rc.exists() else {}
        try:
            done = subprocess.run(  # noqa: S603  words of our own
                [self.program, *arguments, "-no-color"],
                cwd=self.folder, env={**self.environment, **extra, "CHECKPOINT_DISABLE": "1"}, stdin=subprocess.DEVNULL,
                capture_output=True, text=True, timeout=_LIMIT_SECONDS, check=False,
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired) as error:
            raise PeerError(f"terraform {arguments[0]}: {error}") from error
        (self.folder / f"{arguments[0]}.log").write_text(done.stdout + done.stderr, encoding="utf-8")
        if done.returncode:
            errors = [line for line in (done.stderr + done.stdout).splitlines() if line.startswith("Error:")]
            reason = errors[0] if errors else "it wants changes" if done.returncode == 2 else "no message"
            raise PeerError(f"terraform {arguments[0]}: exit code {done.returncode}: {reason}")
