"""What AWS refuses and moto does not, and what moto forgets, asked of the running embedded AWS."""

import json

import pytest
from botocore.exceptions import ClientError

pytestmark = pytest.mark.slow


class Network:
    """A VPC of its own."""

    def __init__(self, ec2, block):
        self.ec2 = ec2
        self.vpc = ec2.create_vpc(CidrBlock=f"{block}.0.0/16")["Vpc"]["VpcId"]
        self.subnets = [
            ec2.create_subnet(VpcId=self.vpc, CidrBlock=f"{block}.{place}.0/24", AvailabilityZone=f"eu-west-1{zone}")[
                "Subnet"
            ]["SubnetId"]
            for place, zone in enumerate("ab")
        ]

    def group(self, name):
        return self.ec2.create_security_group(GroupName=name, Description=name, VpcId=self.vpc)["GroupId"]


@pytest.fixture
def network(embedded, request):
    return Network(embedded.client("ec2"), f"10.{50 + sum(map(ord, request.node.name)) % 150}")


def refused_code(call, **arguments):
    with pytest.raises(ClientError) as refused:
        call(**arguments)
    return refused.value.response["Error"]["Code"]


def test_a_security_group_in_use_is_kept(network):
    ec2, used, user = network.ec2, network.group("used"), network.group("user")
    rule = {
        "IpProtocol": "tcp",
        "FromPort": 1,
        "ToPort": 1,
        "UserIdGroupPairs": [{"GroupId": used, "Description": "why"}],
    }
    own = {"IpProtocol": "tcp", "FromPort": 2, "ToPort": 2, "UserIdGroupPairs": [{"GroupId": used}]}
    ec2.authorize_security_group_ingress(GroupId=user, IpPermissions=[rule])
    ec2.authorize_security_group_ingress(GroupId=used, IpPermissions=[own])  # a rule of its own keeps nothing
    rules = ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [user]}])["SecurityGroupRules"]
    assert "why" in [one.get("Description") for one in rules]
    assert refused_code(ec2.delete_security_group, GroupId=used) == "DependencyViolation"
    interface = ec2.create_network_interface(SubnetId=network.subnets[0], Groups=[user])["NetworkInterface"]
    assert refused_code(ec2.delete_security_group, GroupId=user) == "DependencyViolation"
    assert refused_code(ec2.delete_subnet, SubnetId=network.subnets[0]) == "DependencyViolation"
    ec2.delete_network_interface(NetworkInterfaceId=interface["NetworkInterfaceId"])
    ec2.delete_security_group(GroupId=user)
    ec2.delete_security_group(GroupId=used)
    default = ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [network.vpc]}])["SecurityGroups"]
    assert refused_code(ec2.delete_security_group, GroupId=default[0]["GroupId"]) == "CannotDelete"


def test_a_network_goes_in_the_order_that_aws_wants(network):
    ec2 = network.ec2
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=network.vpc)
    allocation = ec2.allocate_address(Domain="vpc")["AllocationId"]
    nat = ec2.create_nat_gateway(SubnetId=network.subnets[0], AllocationId=allocation)["NatGateway"]["NatGatewayId"]
    table = ec2.create_route_table(VpcId=network.vpc)["RouteTable"]["RouteTableId"]
    route = {"RouteTableId": table, "DestinationCidrBlock": "0.0.0.0/0", "GatewayId": gateway}
    ec2.create_route(**route)
    assert refused_code(ec2.create_route, **route) == "RouteAlreadyExists"
    assert refused_code(ec2.delete_subnet, SubnetId=network.subnets[0]) == "DependencyViolation"
    ec2.delete_nat_gateway(NatGatewayId=nat)
    ec2.release_address(AllocationId=allocation)
    assert refused_code(ec2.delete_nat_gateway, NatGatewayId="nat-00000000000000000") == "NatGatewayNotFound"
    for subnet in network.subnets:
        ec2.delete_subnet(SubnetId=subnet)
    ec2.delete_route_table(RouteTableId=table)
    assert refused_code(ec2.delete_vpc, VpcId=network.vpc) == "DependencyViolation"
    ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=network.vpc)
    group = network.group("left")
    assert refused_code(ec2.delete_vpc, VpcId=network.vpc) == "DependencyViolation"
    ec2.delete_security_group(GroupId=group)
    ec2.delete_vpc(VpcId=network.vpc)


def test_a_subnet_group_needs_two_zones_and_stays_while_used(embedded, network):
    rds = embedded.client("rds")
    wanted = {"DBSubnetGroupName": "zones", "DBSubnetGroupDescription": "of the tests"}
    assert refused_code(rds.create_db_subnet_group, **wanted, SubnetIds=network.subnets[:1]) == (
        "DBSubnetGroupDoesNotCoverEnoughAZs"
    )
    rds.create_db_subnet_group(**wanted, SubnetIds=network.subnets)
    group = network.group("database")
    rds.create_db_instance(
        DBInstanceIdentifier="placed",
        Engine="postgres",
        DBInstanceClass="db.t4g.micro",
        AllocatedStorage=20,
        MasterUsername="owner",
        ManageMasterUserPassword=True,
        DBSubnetGroupName="zones",
        VpcSecurityGroupIds=[group],
    )
    assert refused_code(rds.delete_db_subnet_group, DBSubnetGroupName="zones") == "InvalidDBSubnetGroupStateFault"
    assert refused_code(network.ec2.delete_security_group, GroupId=group) == "DependencyViolation"
    assert refused_code(network.ec2.delete_subnet, SubnetId=network.subnets[1]) == "DependencyViolation"
    rds.delete_db_instance(DBInstanceIdentifier="placed", SkipFinalSnapshot=True)
    embedded.database("placed", "deleted")
    rds.delete_db_subnet_group(DBSubnetGroupName="zones")
    network.ec2.delete_security_group(GroupId=group)


def test_a_subnet_group_that_is_changed_is_still_there(embedded, network):
    rds = embedded.client("rds")
    rds.create_db_subnet_group(
        DBSubnetGroupName="changing", DBSubnetGroupDescription="before", SubnetIds=network.subnets
    )
    rds.modify_db_subnet_group(
        DBSubnetGroupName="changing", DBSubnetGroupDescription="after", SubnetIds=network.subnets
    )
    found = rds.describe_db_subnet_groups(DBSubnetGroupName="changing")["DBSubnetGroups"]
    assert [one["DBSubnetGroupDescription"] for one in found] == ["after"]
    rds.delete_db_subnet_group(DBSubnetGroupName="changing")


def test_a_gateway_endpoint_takes_and_leaves_route_tables(network):
    ec2 = network.ec2
    tables = [ec2.create_route_table(VpcId=network.vpc)["RouteTable"]["RouteTableId"] for _ in range(2)]
    service = "com.amazonaws.eu-west-1.s3"
    made = ec2.create_vpc_endpoint(VpcId=network.vpc, ServiceName=service, RouteTableIds=tables[:1])["VpcEndpoint"]
    endpoint = made["VpcEndpointId"]

    def routed():
        found = ec2.describe_route_tables(RouteTableIds=tables)["RouteTables"]
        return {one["RouteTableId"] for one in found if any(r.get("GatewayId") == endpoint for r in one["Routes"])}

    assert made["VpcEndpointType"] == "Gateway"
    assert routed() == {tables[0]}
    ec2.modify_vpc_endpoint(VpcEndpointId=endpoint, AddRouteTableIds=tables[1:], RemoveRouteTableIds=tables[:1])
    assert routed() == {tables[1]}
    assert ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint])["Unsuccessful"] == []
    assert routed() == set()


def test_policies_of_aws_are_known_by_name(embedded):
    iam = embedded.client("iam")
    trust = {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}
    iam.create_role(
        RoleName="runs", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    )
    arn = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
    iam.attach_role_policy(RoleName="runs", PolicyArn=arn)
    assert [one["PolicyArn"] for one in iam.list_attached_role_policies(RoleName="runs")["AttachedPolicies"]] == [arn]
    version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    document = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
    assert "ecr:GetAuthorizationToken" in json.dumps(document)
    for wrong in ("arn:aws:iam::aws:policy/AmazonECSTaskExecutionRolePolicy", "arn:aws:iam::aws:policy/NoSuchPolicy"):
        assert refused_code(iam.get_policy, PolicyArn=wrong) == "NoSuchEntity"
    iam.detach_role_policy(RoleName="runs", PolicyArn=arn)
    iam.delete_role(RoleName="runs")


@pytest.mark.parametrize(
    ("trusted", "permitted"),
    [
        ({"Service": "ecs-tasks.amazonaws.com"}, False),
        ({"AWS": "arn:aws:iam::123456789012:user/other"}, False),
        ({"AWS": ["arn:aws:iam::123456789012:user/me", "arn:aws:iam::123456789012:user/other"]}, True),
        ({"AWS": "*"}, True),
    ],
)
def test_a_role_is_for_those_it_trusts_and_not_for_everybody(monkeypatch, trusted, permitted):
    """Asked of moto's own check: it decides only once a program has turned on its authorization."""
    from moto.iam.access_control import IAMPolicy, IAMPolicyStatement, PermissionResult

    from local.moto_ext import iam

    monkeypatch.setattr(IAMPolicyStatement, "_check_principal", None)  # put back at the end
    iam.service_principals()
    statement = {"Effect": "Allow", "Principal": trusted, "Action": "sts:AssumeRole"}
    trust = IAMPolicy(json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    result = trust.is_action_permitted("sts:AssumeRole", "*", "arn:aws:iam::123456789012:user/me")
    assert (result == PermissionResult.PERMITTED) is permitted


def test_a_secret_without_a_function_does_not_rotate(embedded):
    secrets = embedded.client("secretsmanager")
    arn = secrets.create_secret(Name="still", SecretString="one")["ARN"]
    assert refused_code(secrets.rotate_secret, SecretId=arn) == "InvalidRequestException"
    secrets.delete_secret(SecretId=arn, ForceDeleteWithoutRecovery=True)


def test_scalable_targets_keep_their_tags(embedded):
    scaling = embedded.client("application-autoscaling")
    where = {
        "ServiceNamespace": "dynamodb",
        "ResourceId": "table/orders",
        "ScalableDimension": "dynamodb:table:ReadCapacityUnits",
    }
    arn = scaling.register_scalable_target(**where, MinCapacity=1, MaxCapacity=2, Tags={"team": "a"})[
        "ScalableTargetARN"
    ]
    scaling.tag_resource(ResourceARN=arn, Tags={"color": "blue"})
    scaling.untag_resource(ResourceARN=arn, TagKeys=["team"])
    assert scaling.list_tags_for_resource(ResourceARN=arn)["Tags"] == {"color": "blue"}


def test_composite_alarms_are_stored(embedded):
    cloudwatch = embedded.client("cloudwatch")
    cloudwatch.put_composite_alarm(AlarmName="both", AlarmRule="ALARM(one) AND ALARM(two)")
    found = cloudwatch.describe_alarms(AlarmNames=["both"], AlarmTypes=["CompositeAlarm"])["CompositeAlarms"]
    assert [one["AlarmRule"] for one in found] == ["ALARM(one) AND ALARM(two)"]
    cloudwatch.delete_alarms(AlarmNames=["both"])
