"""The generic engine on answers written down here: which calls, in which order, and what a failure leaves."""

import threading
from types import SimpleNamespace

import pytest

from local.plugins.aws import engine as engine_module
from local.plugins.aws.client import Refused
from local.plugins.aws.engine import Engine, Incomplete
from local.plugins.aws.resource import Resource
from local.plugins.aws.types import TABLE
from provider.rpc.messages import Fail

GROUP = TABLE["aws:lb/targetGroup:TargetGroup"]
BALANCER = TABLE["aws:lb/loadBalancer:LoadBalancer"]
GATEWAY = TABLE["aws:ec2/internetGateway:InternetGateway"]
DEFAULT_GROUP = TABLE["aws:ec2/defaultSecurityGroup:DefaultSecurityGroup"]
PARAMETERS = TABLE["aws:rds/parameterGroup:ParameterGroup"]
SERVICE = TABLE["aws:ecs/service:Service"]
SECRET = TABLE["aws:secretsmanager/secret:Secret"]
KEY = TABLE["aws:kms/key:Key"]
GONE = Refused("Describe", "TargetGroupNotFound", "gone")


class WrittenDown:
    """Stands for the clients: answers by operation (a list answers one after the other), and what was called."""

    region, account = "eu-west-1", "123456789012"

    def __init__(self, **answers):
        self.answers, self.made = answers, []

    def call(self, _service, operation, _region="", /, **params):
        self.made.append((operation, params))
        answer = self.answers.get(operation, {})
        if isinstance(answer, list):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def writes(self):
        return [(name, params) for name, params in self.made if not name.startswith(("describe", "get", "list"))]


def resource(kind, clients, inputs, **more):
    return Resource(type=kind, clients=clients, inputs=inputs, **more)


GROUP_INPUTS = {"name": "n", "port": 80, "protocol": "HTTP", "targetType": "ip", "slowStart": 30}
GROUP_ANSWERS = {
    "create_target_group": {"TargetGroups": [{"TargetGroupArn": "the arn"}]},
    "describe_target_groups": {"TargetGroups": [{"TargetGroupArn": "the arn", "Port": 80}]},
}


def test_attributes_follow_the_create():
    clients = WrittenDown(**GROUP_ANSWERS)
    made = resource(GROUP, clients, GROUP_INPUTS, tags={"a": "b"})
    Engine(made).create()
    (create, sent), (modify, attributes) = clients.writes
    assert (create, modify) == ("create_target_group", "modify_target_group_attributes")
    assert sent["Tags"] == [{"Key": "a", "Value": "b"}]
    assert attributes["Attributes"] == [{"Key": "slow_start.duration_seconds", "Value": "30"}]
    assert made.id == "the arn"


@pytest.mark.parametrize("failure", [Refused("Modify", "Throttled", "x"), KeyError("a defect of ours")])
def test_what_was_made_is_kept_when_something_after_it_fails(failure):
    clients = WrittenDown(**GROUP_ANSWERS, modify_target_group_attributes=failure)
    with pytest.raises(Incomplete) as error:
        Engine(resource(GROUP, clients, GROUP_INPUTS)).create()
    assert error.value.id == "the arn"


def test_a_repair_sends_again_what_follows_a_create():
    clients = WrittenDown(**GROUP_ANSWERS)
    same = resource(GROUP, clients, GROUP_INPUTS, old=GROUP_INPUTS, id="the arn")
    Engine(same).update(repair=True)
    assert [name for name, _ in clients.writes] == ["modify_target_group_attributes"]


def test_nothing_is_called_when_an_input_is_wrong():
    clients = WrittenDown()
    with pytest.raises(Fail, match="port"):
        Engine(resource(GROUP, clients, {**GROUP_INPUTS, "port": "eighty"})).create()
    assert clients.made == []


def test_a_wait_looks_until_it_is_there(monkeypatch):
    monkeypatch.setattr(engine_module, "FIRST_PAUSE", 0.0)
    states = [{"LoadBalancers": [{"State": {"Code": code}}]} for code in ("provisioning", "provisioning", "active")]
    created = {"LoadBalancers": [{"LoadBalancerArn": "the arn"}]}
    clients = WrittenDown(create_load_balancer=created, describe_load_balancers=states)
    Engine(resource(BALANCER, clients, {"name": "n", "subnets": ["s"]})).create()
    assert [name for name, _ in clients.made].count("describe_load_balancers") >= 3


@pytest.mark.parametrize(
    ("state", "timeout", "cancel", "sentence"),
    [("failed", 0, False, "became failed"), ("provisioning", 0, True, "canceled while waiting"),
     ("provisioning", 0.001, False, "waited 0 s for active")],
)  # fmt: skip
def test_a_wait_ends(monkeypatch, state, timeout, cancel, sentence):
    monkeypatch.setattr(engine_module, "FIRST_PAUSE", 0.0)
    cancelled = threading.Event()
    if cancel:
        cancelled.set()
    clients = WrittenDown(
        create_load_balancer={"LoadBalancers": [{"LoadBalancerArn": "the arn"}]},
        describe_load_balancers={"LoadBalancers": [{"State": {"Code": state}}]},
    )
    made = resource(BALANCER, clients, {"name": "n", "subnets": ["s"]}, timeout=timeout, cancelled=cancelled)
    with pytest.raises(Incomplete, match=sentence):
        Engine(made).create()


def test_a_delete_waits_for_the_end(monkeypatch):
    monkeypatch.setattr(engine_module, "FIRST_PAUSE", 0.0)
    looks = [{"services": [{"status": "DRAINING"}]}, {"services": [{"status": "INACTIVE"}]}]
    clients = WrittenDown(describe_services=looks)
    Engine(resource(SERVICE, clients, {"cluster": "c", "name": "n"}, id="the arn")).delete()
    assert clients.writes == [("delete_service", {"cluster": "c", "service": "the arn", "force": True})]


def test_a_delete_of_what_is_gone_is_no_error():
    Engine(resource(GROUP, WrittenDown(delete_target_group=GONE), {}, id="the arn")).delete()


def test_a_delete_of_what_is_in_use_is_tried_again_for_a_while(monkeypatch):
    monkeypatch.setattr(engine_module, "FIRST_PAUSE", 0.0)
    busy = Refused("Delete", "ResourceInUse", "x")
    clients = WrittenDown(delete_target_group=[busy, busy, {}])
    Engine(resource(GROUP, clients, {}, id="the arn")).delete()
    assert len(clients.writes) == 3
    with pytest.raises(Refused):
        Engine(resource(GROUP, WrittenDown(delete_target_group=busy), {}, id="the arn", timeout=0.01)).delete()


def test_a_delete_that_is_refused_for_another_reason_is_not(monkeypatch):
    monkeypatch.setattr(engine_module, "BUSY_SECONDS", 0.0)
    clients = WrittenDown(delete_target_group=Refused("Delete", "AccessDenied", "x"))
    with pytest.raises(Refused):
        Engine(resource(GROUP, clients, {}, id="the arn")).delete()
    assert len(clients.writes) == 1


def test_a_gateway_moves_from_one_network_to_the_other():
    clients = WrittenDown(describe_internet_gateways={"InternetGateways": [{"InternetGatewayId": "igw"}]})
    Engine(resource(GATEWAY, clients, {"vpcId": "b"}, old={"vpcId": "a"}, id="igw")).update(repair=False)
    assert clients.writes == [
        ("detach_internet_gateway", {"InternetGatewayId": "igw", "VpcId": "a"}),
        ("attach_internet_gateway", {"InternetGatewayId": "igw", "VpcId": "b"}),
    ]


def test_a_default_group_is_adopted_and_emptied():
    opened = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
    found = {"SecurityGroups": [{"GroupId": "sg", "IpPermissions": [], "IpPermissionsEgress": opened, "Tags": []}]}
    clients = WrittenDown(describe_security_groups=found)
    made = resource(DEFAULT_GROUP, clients, {"vpcId": "v", "ingress": [], "egress": []}, tags={"a": "b"})
    Engine(made).create()
    assert made.id == "sg"
    revoke, tag = clients.writes
    assert revoke == ("revoke_security_group_egress", {"GroupId": "sg", "IpPermissions": opened})
    assert tag == ("create_tags", {"Resources": ["sg"], "Tags": [{"Key": "a", "Value": "b"}]})


def parameter(name, value):
    return {"name": name, "value": value, "applyMethod": "immediate"}


def test_a_list_with_keys_resets_what_left_it_and_sends_what_changed():
    clients = WrittenDown(describe_db_parameter_groups={"DBParameterGroups": [{"DBParameterGroupArn": "arn"}]})
    old = {"name": "n", "parameters": [parameter("a", "1"), parameter("b", "1"), parameter("c", "1")]}
    new = {"name": "n", "parameters": [parameter("c", "1"), parameter("a", "2")]}
    Engine(resource(PARAMETERS, clients, new, old=old, id="n")).update(repair=False)
    (reset, gone), (modify, sent) = clients.writes
    assert (reset, modify) == ("reset_db_parameter_group", "modify_db_parameter_group")
    assert [one["ParameterName"] for one in gone["Parameters"]] == ["b"]
    assert [one["ParameterName"] for one in sent["Parameters"]] == ["a"]


def test_a_structure_of_the_api_goes_whole():
    """AWS takes the parts that a deploymentConfiguration leaves out for their defaults."""
    clients = WrittenDown(describe_services={"services": [{"status": "ACTIVE", "serviceArn": "arn"}]})
    old = {
        "cluster": "c", "name": "n", "desiredCount": 0, "taskDefinition": "t:1", "deploymentMaximumPercent": 200,
        "deploymentMinimumHealthyPercent": 100, "deploymentCircuitBreaker": {"enable": True, "rollback": False},
    }  # fmt: skip
    new = {**old, "deploymentMinimumHealthyPercent": 50}
    Engine(resource(SERVICE, clients, new, old=old, id="arn")).update(repair=False)
    ((_, sent),) = clients.writes
    assert sent == {
        "cluster": "c",
        "service": "arn",
        "deploymentConfiguration": {
            "maximumPercent": 200,
            "minimumHealthyPercent": 50,
            "deploymentCircuitBreaker": {"enable": True, "rollback": False},
        },
    }


@pytest.mark.parametrize(("days", "sent"), [
    (0, {"SecretId": "s", "ForceDeleteWithoutRecovery": True}), (7, {"SecretId": "s", "RecoveryWindowInDays": 7}),
])  # fmt: skip
def test_a_call_may_depend_on_a_value(days, sent):
    clients = WrittenDown()
    Engine(resource(SECRET, clients, {"recoveryWindowInDays": days}, id="s")).delete()
    assert clients.writes == [("delete_secret", sent)]


def test_switches_have_a_call_each():
    clients = WrittenDown(describe_key={"KeyMetadata": {"KeyId": "k", "Arn": "a"}})
    old = {"enableKeyRotation": True, "isEnabled": True}
    Engine(resource(KEY, clients, {"enableKeyRotation": False, "isEnabled": False}, old=old, id="k")).update(
        repair=False
    )
    assert [name for name, _ in clients.writes] == ["disable_key_rotation", "disable_key"]


def test_partitions_follow_the_region():
    clients = SimpleNamespace(region="cn-north-1", account="1")
    assert resource(GROUP, clients, {}).scope("partition") == "aws-cn"
