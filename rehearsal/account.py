"""What of a stack is still in the account, by name. Only reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from infra import naming
from infra.naming import COLORS

Client = Callable[[str], Any]  # by name of the service, as Live.client


def leftovers(client: Client, prefix: str) -> list[str]:
    """All of it, sorted; on the rehearsal's own account that is everything which is not AWS's own default."""
    parts = (_cluster(client("ecs"), prefix), _release(client), _platform(client, prefix), _network(client("ec2")))
    return sorted({each for part in parts for each in part})


def _cluster(ecs: Any, prefix: str) -> Iterator[str]:
    """A deleted cluster stays as INACTIVE for a while, and what is in it may outlive it."""
    for cluster in ecs.describe_clusters(clusters=[prefix])["clusters"]:
        if cluster["status"] == "ACTIVE":
            yield f"cluster {cluster['clusterName']}"
    with suppress(ecs.exceptions.ClusterNotFoundException):
        for status in ("RUNNING", "STOPPED"):  # what should run, and what was told to stop
            arns = ecs.list_tasks(cluster=prefix, desiredStatus=status)["taskArns"]
            tasks = ecs.describe_tasks(cluster=prefix, tasks=arns)["tasks"] if arns else []
            yield from (f"task {each['taskArn']}" for each in tasks if each["lastStatus"] != "STOPPED")
    with suppress(ecs.exceptions.ClusterNotFoundException):
        names = [naming.service(prefix, color) for color in COLORS]
        for service in ecs.describe_services(cluster=prefix, services=names)["services"]:
            if service["status"] != "INACTIVE":
                yield f"service {service['serviceName']}"


def _release(client: Client) -> Iterator[str]:
    ecs, elb = client("ecs"), client("elbv2")
    yield from (f"load balancer {each['LoadBalancerName']}" for each in elb.describe_load_balancers()["LoadBalancers"])
    yield from (f"target group {each['TargetGroupName']}" for each in elb.describe_target_groups()["TargetGroups"])
    for definition in ecs.list_task_definitions(status="ACTIVE")["taskDefinitionArns"]:
        yield f"task definition {definition.rsplit('/', 1)[-1]}"


def _platform(client: Client, prefix: str) -> Iterator[str]:
    yield from _databases(client("rds"))
    repositories = client("ecr").describe_repositories()["repositories"]
    yield from (f"repository {each['repositoryName']}" for each in repositories)
    secrets = client("secretsmanager").list_secrets()["SecretList"]
    yield from (f"secret {each['Name']}" for each in secrets if "DeletedDate" not in each)
    groups = client("logs").describe_log_groups()["logGroups"]
    yield from (f"log group {each['logGroupName']}" for each in groups)
    roles = client("iam").list_roles()["Roles"]
    yield from (f"role {each['RoleName']}" for each in roles if each["RoleName"].startswith(prefix))


def _databases(rds: Any) -> Iterator[str]:
    yield from (f"database {each['DBInstanceIdentifier']}" for each in rds.describe_db_instances()["DBInstances"])
    for each in rds.describe_db_subnet_groups()["DBSubnetGroups"]:
        if each["DBSubnetGroupName"] != "default":
            yield f"DB subnet group {each['DBSubnetGroupName']}"
    for each in rds.describe_db_parameter_groups()["DBParameterGroups"]:
        if not each["DBParameterGroupName"].startswith("default."):
            yield f"DB parameter group {each['DBParameterGroupName']}"


def _network(ec2: Any) -> Iterator[str]:
    vpcs = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["false"]}])["Vpcs"]
    yield from (f"VPC {each['VpcId']}" for each in vpcs)
    yield from (f"address {each['PublicIp']}" for each in ec2.describe_addresses()["Addresses"])
    gateways = ec2.describe_nat_gateways()["NatGateways"]
    yield from (f"NAT gateway {each['NatGatewayId']}" for each in gateways if each["State"] != "deleted")
