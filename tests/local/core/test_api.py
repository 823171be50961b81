"""The API's door: keep-alive, the log of calls, faults in each protocol's form, and what moto gets wrong, mended."""

import http.client
import json
import threading
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError

from local import lifecycle
from local.folder import LocalError

pytestmark = pytest.mark.slow


@pytest.fixture
def faults(embedded):
    """Adds faults; none is left behind."""
    endpoint = embedded.control["endpoint"]
    yield lambda **wanted: lifecycle.ask(endpoint, "POST", "faults", wanted)
    lifecycle.ask(endpoint, "DELETE", "faults")


@pytest.fixture
def calls(embedded):
    """What was called since the test began, as ["ecs:ListClusters 200", ...]."""
    endpoint = embedded.control["endpoint"]
    since = lifecycle.ask(endpoint, "GET", "calls")["last"]

    def made(query=""):
        report = lifecycle.ask(endpoint, "GET", f"calls?since={since}{query}")
        return [f"{one['service']}:{one['action']} {one['status']}" for one in report["calls"]]

    return made


# One call of each protocol: JSON, query, EC2's own, and CBOR.
PROTOCOLS = [
    ("ecs", "ListClusters", lambda client: client.list_clusters(), "ThrottlingException"),
    ("logs", "DescribeLogGroups", lambda client: client.describe_log_groups(), "ThrottlingException"),
    ("elbv2", "DescribeLoadBalancers", lambda client: client.describe_load_balancers(), "Throttling"),
    ("rds", "DescribeDBInstances", lambda client: client.describe_db_instances(), "Throttling"),
    ("iam", "ListRoles", lambda client: client.list_roles(), "Throttling"),
    ("ec2", "DescribeVpcs", lambda client: client.describe_vpcs(), "RequestLimitExceeded"),
    ("cloudwatch", "DescribeAlarms", lambda client: client.describe_alarms(), "Throttling"),
]


@pytest.mark.parametrize(("service", "action", "call", "code"), PROTOCOLS, ids=[one[0] for one in PROTOCOLS])
def test_a_throttled_call_is_refused_in_its_protocol_and_retried_by_clients(
    embedded, faults, calls, service, action, call, code
):
    faults(service=service, action=action, kind="throttle", times=2)
    with pytest.raises(ClientError) as refused:
        call(embedded.client(service))
    assert refused.value.response["Error"]["Code"] == code
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    call(embedded.client(service, attempts=3))
    assert calls() == [f"{service}:{action} 400", f"{service}:{action} 400", f"{service}:{action} 200"]


@pytest.mark.parametrize(("service", "action", "call", "_"), PROTOCOLS, ids=[one[0] for one in PROTOCOLS])
def test_a_call_fails_with_the_error_that_was_asked_for(embedded, faults, service, action, call, _):
    faults(service=service, action=action, kind="fail", code="AccessDeniedException", message="not you", status=403)
    with pytest.raises(ClientError) as refused:
        call(embedded.client(service))
    assert refused.value.response["Error"] == {**refused.value.response["Error"], "Message": "not you"}
    assert refused.value.response["Error"]["Code"] == "AccessDeniedException"
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    call(embedded.client(service))


def test_a_lost_answer_is_of_a_call_that_was_made(embedded, faults):
    faults(service="ecs", action="CreateCluster", kind="lose")
    ecs = embedded.client("ecs")
    with pytest.raises(ClientError, match="InternalFailure"):
        ecs.create_cluster(clusterName="lost")
    assert ecs.describe_clusters(clusters=["lost"])["clusters"][0]["status"] == "ACTIVE"
    ecs.delete_cluster(cluster="lost")


def test_a_delayed_call_keeps_nobody_else_waiting(embedded, faults):
    faults(service="ecs", action="ListClusters", kind="delay", seconds=5)
    delayed = threading.Event()
    asking = threading.Thread(target=lambda: (embedded.client("ecs").list_clusters(), delayed.set()))
    asking.start()
    while lifecycle.ask(embedded.control["endpoint"], "GET", "faults")["faults"]:
        pass  # until the call has met its fault
    embedded.client("ecs").list_clusters()
    assert not delayed.is_set()
    asking.join()
    assert delayed.is_set()


def test_skipped_calls_and_wildcards(embedded, faults):
    faults(service="*", action="*", kind="fail", skip=1)
    ecs = embedded.client("ecs")
    ecs.list_clusters()
    with pytest.raises(ClientError, match="InternalFailure"):
        ecs.list_clusters()
    ecs.list_clusters()


def test_faults_from_the_command_line(embedded):
    assert embedded.run("faults", "add", "ecs", "RunTask", "throttle", "--times", "3").returncode == 0
    listed = json.loads(embedded.run("faults", "list").stdout)
    assert [(one["service"], one["action"], one["kind"], one["times"]) for one in listed] == [
        ("ecs", "RunTask", "throttle", 3)
    ]
    assert embedded.run("faults", "clear").stdout == "1 faults cleared\n"
    refused = embedded.run("faults", "add", "ecs", "RunTask", "delay")
    assert (refused.returncode, refused.stderr) == (1, "error: a delay needs seconds\n")


def test_the_log_of_calls_can_be_narrowed(embedded, calls):
    embedded.client("ecs").list_clusters()
    embedded.client("sts").get_caller_identity()
    assert calls() == ["ecs:ListClusters 200", "sts:GetCallerIdentity 200"]
    assert calls("&service=sts") == ["sts:GetCallerIdentity 200"]
    assert calls("&action=ListClusters") == ["ecs:ListClusters 200"]


def test_our_own_paths_refuse_what_they_do_not_know(embedded):
    endpoint = embedded.control["endpoint"]
    with pytest.raises(LocalError, match="no GET /_local/nothing; there are"):
        lifecycle.ask(endpoint, "GET", "nothing")
    with pytest.raises(LocalError, match="a fault needs action, kind, service"):
        lifecycle.ask(endpoint, "POST", "faults", {})
    with pytest.raises(LocalError, match="since is the number of a call"):
        lifecycle.ask(endpoint, "GET", "calls?since=then")
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(urllib.request.Request(f"{endpoint}/_local/faults", b"no json", method="POST"))  # noqa: S310
    with refused.value as answer:
        assert answer.code == 400


def test_a_connection_serves_many_requests(embedded):
    where = urlsplit(embedded.control["endpoint"])
    connection = http.client.HTTPConnection(where.hostname, where.port, timeout=10)
    ports = set()
    for _ in range(3):
        connection.request("GET", "/_local/status")
        answer = connection.getresponse()
        assert answer.version == 11
        answer.read()
        assert connection.sock, "the server closed the connection"
        ports.add(connection.sock.getsockname()[1])
    assert len(ports) == 1
    connection.close()


def test_an_action_that_is_not_there_is_refused_once_and_by_name(embedded, calls):
    with pytest.raises(ClientError) as refused:
        embedded.client("elbv2", attempts=5).describe_trust_stores()
    assert refused.value.response["Error"]["Code"] == "UnknownOperationException"
    assert "does not have elbv2:DescribeTrustStores" in refused.value.response["Error"]["Message"]
    assert len(calls()) == 1  # not retried


def test_another_region_is_refused_by_name(embedded):
    ecs = embedded.client("ecs", region="ap-south-1")
    with pytest.raises(ClientError, match="has the region eu-west-1 only; ap-south-1 was asked for"):
        ecs.list_clusters()


def test_concurrent_calls_lose_nothing(embedded):
    ecs = embedded.client("ecs")
    names = [f"crowd-{number}" for number in range(40)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: ecs.create_cluster(clusterName=name), names))
        found = {arn.rsplit("/", 1)[1] for arn in ecs.list_clusters()["clusterArns"]}
        assert found >= set(names)
        list(pool.map(lambda name: ecs.delete_cluster(cluster=name), names))


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


def test_a_role_of_a_service_is_not_for_everybody(embedded):
    iam = embedded.client("iam")
    trust = {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}
    iam.create_role(
        RoleName="of-ecs", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    )
    embedded.client("sts").assume_role(RoleArn="arn:aws:iam::123456789012:role/of-ecs", RoleSessionName="me")
    iam.delete_role(RoleName="of-ecs")


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
