"""The network and its security groups."""

import pulumi_aws as aws
from steps import ANYWHERE, TAGS, changed, replaced


def network() -> tuple[aws.ec2.Vpc, list[aws.ec2.Subnet], aws.ec2.SecurityGroup]:
    vpc = aws.ec2.Vpc("v", cidr_block="10.0.0.0/16", enable_dns_hostnames=True, tags=TAGS)
    subnets = [
        aws.ec2.Subnet(
            f"s{n}",
            vpc_id=vpc.id,
            cidr_block=f"10.0.{n + (10 if replaced and n == 2 else 0)}.0/24",
            availability_zone=f"eu-west-1{'abc'[n]}",
            map_public_ip_on_launch=changed,
            tags=TAGS,
        )
        for n in range(3)
    ]
    gateway = aws.ec2.InternetGateway("igw", vpc_id=vpc.id, tags=TAGS)
    address = aws.ec2.Eip("eip", domain="vpc", tags=TAGS)
    other_address = aws.ec2.Eip("eip2", domain="vpc")
    nat = aws.ec2.NatGateway(
        "nat", allocation_id=(other_address if replaced else address).id, subnet_id=subnets[0].id, tags=TAGS
    )
    table = aws.ec2.RouteTable("rt", vpc_id=vpc.id, tags=TAGS)
    other = aws.ec2.RouteTable("rt2", vpc_id=vpc.id, tags=TAGS)
    aws.ec2.Route(
        "r",
        route_table_id=table.id,
        destination_cidr_block="192.168.0.0/16" if replaced else ANYWHERE,
        gateway_id=None if changed else gateway.id,
        nat_gateway_id=nat.id if changed else None,
    )
    aws.ec2.RouteTableAssociation("rta", subnet_id=subnets[0].id, route_table_id=other.id if replaced else table.id)
    group = security_groups(vpc)
    aws.ec2.VpcEndpoint(
        "s3",
        vpc_id=vpc.id,
        service_name="com.amazonaws.eu-west-1.s3",
        vpc_endpoint_type="Gateway",
        route_table_ids=[table.id],
        tags=TAGS,
    )
    aws.ec2.VpcEndpoint(
        "logs",
        vpc_id=vpc.id,
        service_name="com.amazonaws.eu-west-1.secretsmanager" if replaced else "com.amazonaws.eu-west-1.logs",
        vpc_endpoint_type="Interface",
        private_dns_enabled=True,
        subnet_ids=[s.id for s in (subnets[1::-1] if changed else subnets[:1])],
        security_group_ids=[group.id],
        tags=TAGS,
    )
    return vpc, subnets, group


def security_groups(vpc: aws.ec2.Vpc) -> aws.ec2.SecurityGroup:
    aws.ec2.DefaultSecurityGroup("dsg", vpc_id=vpc.id, ingress=[], egress=[], tags=TAGS)
    inside = [
        {"protocol": "tcp", "from_port": 22, "to_port": 22, "cidr_blocks": ["10.0.0.0/8", "192.168.0.0/16"]},
        {"protocol": "tcp", "from_port": 8443 if changed else 443, "to_port": 8443, "cidr_blocks": [ANYWHERE]},
    ]
    aws.ec2.SecurityGroup("inline", vpc_id=vpc.id, ingress=inside, description="rules inside", tags=TAGS)
    group = aws.ec2.SecurityGroup("sg", vpc_id=vpc.id, description="3" if replaced else "1", tags=TAGS)
    aws.vpc.SecurityGroupIngressRule(
        "in",
        security_group_id=group.id,
        ip_protocol="tcp",
        from_port=443,
        to_port=8443 if changed else 443,
        cidr_ipv4=ANYWHERE,
        description="two" if changed else "one",
        tags=TAGS,
    )
    aws.vpc.SecurityGroupEgressRule(
        "out",
        security_group_id=group.id,
        ip_protocol="tcp",
        from_port=5432,
        to_port=5432,
        referenced_security_group_id=group.id,
        description="two" if changed else "one",
    )
    return group


def throw_away() -> None:
    """What cannot be replaced without everything in it."""
    vpc = aws.ec2.Vpc("v2", cidr_block="10.2.0.0/16" if replaced else "10.1.0.0/16")
    aws.ec2.DefaultSecurityGroup("dsg2", vpc_id=vpc.id, ingress=[], egress=[])
    aws.ec2.RouteTable("rt3", vpc_id=vpc.id)
    aws.ecs.Cluster("cluster2", name="conformance-3" if replaced else "conformance-2")
