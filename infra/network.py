"""The VPC: three tiers of subnets over the zones, and the tasks' one way to AWS's APIs.

Public subnets hold the load balancer, private ones the tasks, isolated ones (no route out at all) the database.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.addressing import Tier, subnet_range

# What a Fargate task needs to start: image layers come from S3, which has a gateway of its own kind.
ENDPOINT_SERVICES = ("ecr.api", "ecr.dkr", "logs", "secretsmanager")
ANYWHERE = "0.0.0.0/0"


@dataclass(frozen=True, kw_only=True)
class NetworkArgs:
    """`zones` are zone letters. Exactly one of nat_gateway, vpc_endpoints and public_tasks is true.

    nat_gateway: one NAT gateway, in the first zone; cheap, and a zone's loss can cut the tasks' way out.
    vpc_endpoints: AWS's APIs through interface endpoints in every zone; no way to the internet.
    public_tasks: tasks sit in the public subnets with public addresses of their own; for throw-away stacks.
    """

    region: str
    cidr: str
    zones: tuple[str, ...]
    nat_gateway: bool
    vpc_endpoints: bool
    public_tasks: bool

    def __post_init__(self) -> None:
        """Refuse a network in which tasks can't start, or whose way out is ambiguous. Raises ValueError."""
        if len(self.zones) < 2 or len(set(self.zones)) != len(self.zones):
            raise ValueError(f"zones: found {self.zones}; a load balancer needs at least 2 different ones")
        if [self.nat_gateway, self.vpc_endpoints, self.public_tasks].count(True) != 1:
            raise ValueError("nat_gateway, vpc_endpoints, public_tasks: tasks need exactly one way to AWS's APIs")


class Network(pulumi.ComponentResource):
    """`bluegreen:infra:Network`: VPC, internet gateway, subnets, route tables, NAT gateway or endpoints.

    Outputs: vpc_id; subnet ids by tier; task_subnet_ids (where tasks belong); nat_address (None without NAT).
    """

    vpc: aws.ec2.Vpc
    subnets: dict[Tier, dict[str, aws.ec2.Subnet]]
    nat_address: pulumi.Output[str] | None

    def __init__(self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("bluegreen:infra:Network", name, {}, opts)
        self._name = name
        self._args = args
        self.vpc = self._vpc()
        self.subnets = {tier: self._tier(tier) for tier in ("public", "private", "isolated")}
        self.nat_address = None
        self._route_public()
        private = self._route_table("private")
        self._route_table("isolated")
        if args.nat_gateway:
            self.nat_address = self._nat(private)
        if args.vpc_endpoints:
            self._endpoints(private)
        self.register_outputs({"vpcId": self.vpc.id, "taskSubnetIds": self.task_subnet_ids})

    def subnet_ids(self, tier: Tier) -> list[pulumi.Output[str]]:
        """Ids of that tier's subnets, in the order of the zones."""
        return [subnet.id for subnet in self.subnets[tier].values()]

    @property
    def task_subnet_ids(self) -> list[pulumi.Output[str]]:
        """The subnets that tasks belong in."""
        return self.subnet_ids("public" if self._args.public_tasks else "private")

    def _vpc(self) -> aws.ec2.Vpc:
        vpc = aws.ec2.Vpc(
            self._name,
            cidr_block=self._args.cidr,
            enable_dns_support=True,
            enable_dns_hostnames=True,  # private names of endpoints need it
            tags={"Name": self._name},
            opts=pulumi.ResourceOptions(parent=self),
        )
        # Adopted and emptied: what forgets to name a group lands in it, and must then reach nothing.
        aws.ec2.DefaultSecurityGroup(
            f"{self._name}-default",
            vpc_id=vpc.id,
            ingress=[],
            egress=[],
            tags={"Name": f"{self._name}-default-unused"},
            opts=pulumi.ResourceOptions(parent=self),
        )
        return vpc

    def _tier(self, tier: Tier) -> dict[str, aws.ec2.Subnet]:
        return {letter: self._subnet(tier, letter) for letter in self._args.zones}

    def _subnet(self, tier: Tier, letter: str) -> aws.ec2.Subnet:
        subnet_name = f"{self._name}-{tier}-{letter}"
        return aws.ec2.Subnet(
            subnet_name,
            vpc_id=self.vpc.id,
            availability_zone=f"{self._args.region}{letter}",
            cidr_block=subnet_range(self._args.cidr, tier, letter),
            map_public_ip_on_launch=False,  # in the public tier too: what needs an address asks for it
            tags={"Name": subnet_name, "Tier": tier},
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _route_table(self, tier: Tier) -> aws.ec2.RouteTable:
        table_name = f"{self._name}-{tier}"
        table = aws.ec2.RouteTable(
            table_name, vpc_id=self.vpc.id, tags={"Name": table_name}, opts=pulumi.ResourceOptions(parent=self)
        )
        for letter, subnet in self.subnets[tier].items():
            aws.ec2.RouteTableAssociation(
                f"{table_name}-{letter}",
                subnet_id=subnet.id,
                route_table_id=table.id,
                opts=pulumi.ResourceOptions(parent=self),
            )
        return table

    def _route_public(self) -> None:
        gateway = aws.ec2.InternetGateway(
            self._name, vpc_id=self.vpc.id, tags={"Name": self._name}, opts=pulumi.ResourceOptions(parent=self)
        )
        self._default_route = aws.ec2.Route(
            f"{self._name}-public",
            route_table_id=self._route_table("public").id,
            destination_cidr_block=ANYWHERE,
            gateway_id=gateway.id,
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _nat(self, private: aws.ec2.RouteTable) -> pulumi.Output[str]:
        address = aws.ec2.Eip(
            f"{self._name}-nat",
            domain="vpc",
            tags={"Name": f"{self._name}-nat"},
            opts=pulumi.ResourceOptions(parent=self),
        )
        gateway = aws.ec2.NatGateway(
            f"{self._name}-nat",
            allocation_id=address.id,
            subnet_id=self.subnet_ids("public")[0],
            tags={"Name": f"{self._name}-nat"},
            # Without the way out it comes up and forwards nothing.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[self._default_route]),
        )
        aws.ec2.Route(
            f"{self._name}-private",
            route_table_id=private.id,
            destination_cidr_block=ANYWHERE,
            nat_gateway_id=gateway.id,
            opts=pulumi.ResourceOptions(parent=self),
        )
        return address.public_ip

    def _endpoints(self, private: aws.ec2.RouteTable) -> None:
        aws.ec2.VpcEndpoint(
            f"{self._name}-s3",
            vpc_id=self.vpc.id,
            service_name=f"com.amazonaws.{self._args.region}.s3",
            vpc_endpoint_type="Gateway",
            route_table_ids=[private.id],
            tags={"Name": f"{self._name}-s3"},
            opts=pulumi.ResourceOptions(parent=self),
        )
        group = self._endpoint_group()
        for service in ENDPOINT_SERVICES:
            aws.ec2.VpcEndpoint(
                f"{self._name}-{service}",
                vpc_id=self.vpc.id,
                service_name=f"com.amazonaws.{self._args.region}.{service}",
                vpc_endpoint_type="Interface",
                private_dns_enabled=True,
                subnet_ids=self.subnet_ids("private"),
                security_group_ids=[group.id],
                tags={"Name": f"{self._name}-{service}"},
                opts=pulumi.ResourceOptions(parent=self),
            )

    def _endpoint_group(self) -> aws.ec2.SecurityGroup:
        group = aws.ec2.SecurityGroup(
            f"{self._name}-endpoints",
            vpc_id=self.vpc.id,
            description="Interface endpoints of AWS services",
            tags={"Name": f"{self._name}-endpoints"},
            opts=pulumi.ResourceOptions(parent=self),
        )
        aws.vpc.SecurityGroupIngressRule(
            f"{self._name}-endpoints-https",
            security_group_id=group.id,
            description="HTTPS from inside the VPC",
            ip_protocol="tcp",
            from_port=443,
            to_port=443,
            cidr_ipv4=self._args.cidr,
            opts=pulumi.ResourceOptions(parent=self),
        )
        return group
