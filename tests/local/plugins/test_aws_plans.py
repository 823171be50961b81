"""Check, Diff and previews of the aws plugin: no AWS is there to be called."""

import json

import pytest
from google.protobuf import struct_pb2

from provider.rpc.values import plain
from tests.local.plugins.plugin_cache import UNKNOWN, PluginError

VPC = "aws:ec2/vpc:Vpc"
SUBNET = "aws:ec2/subnet:Subnet"
GROUP = "aws:lb/targetGroup:TargetGroup"
BALANCER = "aws:lb/loadBalancer:LoadBalancer"
RULE = "aws:lb/listenerRule:ListenerRule"
SERVICE = "aws:ecs/service:Service"
TASK = "aws:ecs/taskDefinition:TaskDefinition"
ROLE = "aws:iam/role:Role"
DATABASE = "aws:rds/instance:Instance"
LOGS = "aws:cloudwatch/logGroup:LogGroup"


def test_an_unknown_type_is_named(planner):
    with pytest.raises(PluginError) as error:
        planner.check("aws:s3/bucket:Bucket", {})
    assert error.value.text == "the aws plugin of the embedded AWS does not know the type aws:s3/bucket:Bucket"


def test_an_unknown_function_is_named(planner):
    with pytest.raises(PluginError, match="does not know the function aws:ec2/getAmi:getAmi"):
        planner.invoke("aws:ec2/getAmi:getAmi")


@pytest.mark.parametrize(
    ("kind", "inputs", "property_"),
    [
        (VPC, {"cidrBlok": "10.0.0.0/16"}, "cidrBlok"),
        (VPC, {"cidrBlock": "10.0.0.0/16", "ipv4IpamPoolId": "x"}, "ipv4IpamPoolId"),
        (GROUP, {"healthCheck": {"pth": "/"}}, "healthCheck.pth"),
        (RULE, {"actions": [{"type": "forward", "forward": {"targetGroups": [{"arm": "x"}]}}]},
         "actions[0].forward.targetGroups[0].arm"),
        (RULE, {"conditions": [{"pathPattern": {"values": ["/"]}}, {"header": {}}]}, "conditions[1].header"),
        (SERVICE, {"networkConfiguration": {"subnet": "x"}}, "networkConfiguration.subnet"),
        (ROLE, {"tags": {}, "region": "eu-west-1"}, "region"),
        (LOGS, {"name": "x", "retention": 3}, "retention"),
    ],
)  # fmt: skip
def test_an_unknown_property_is_named_with_those_that_are_known(planner, kind, inputs, property_):
    _, failures = planner.check(kind, inputs)
    assert list(failures) == [property_]
    assert "known are" in failures[property_]


@pytest.mark.parametrize(
    ("kind", "inputs", "property_", "reason"),
    [
        (GROUP, {"healthCheck": "x"}, "healthCheck", "expected an object"),
        (RULE, {"actions": {"type": "forward"}}, "actions", "expected a list"),
        (TASK, {"family": "f", "containerDefinitions": "[{]"}, "containerDefinitions", "is not JSON"),
        (VPC, {"tags": ["x"]}, "tags", "is not a map"),
        (VPC, {"cidrBlock": {"x": 1}}, "cidrBlock", "an object was given"),
    ],
)
def test_a_value_of_the_wrong_form_is_named(planner, kind, inputs, property_, reason):
    _, failures = planner.check(kind, inputs)
    assert reason in failures[property_]


def test_names_are_made_from_the_logical_name_and_kept(planner):
    found = planner.checked(GROUP, {"port": 80, "protocol": "HTTP", "vpcId": "v"})
    assert found["name"].startswith("it-")
    assert len(found["name"]) == len("it-") + 7
    assert found["__defaults"] == ["name"]
    again = planner.checked(GROUP, {"port": 81, "protocol": "HTTP", "vpcId": "v"}, old=found)
    assert again["name"] == found["name"]


def test_made_names_obey_length_and_letters(planner):
    balancer, _ = planner.check(BALANCER, {"subnets": ["s"]}, name="A_very.long-name-that-does-not-fit-into-32")
    assert len(balancer["name"]) <= 32
    assert balancer["name"].replace("-", "").isalnum()
    database, _ = planner.check(DATABASE, {"instanceClass": "db.t4g.micro"}, name="Orders_DB")
    assert database["identifier"].startswith("orders-db-")
    alias, _ = planner.check("aws:kms/alias:Alias", {"targetKeyId": "k"}, name="orders")
    assert alias["name"].startswith("alias/orders-")


def test_defaults_are_filled_in_and_a_given_value_stays(planner):
    found = planner.checked(VPC, {"cidrBlock": "10.0.0.0/16", "enableDnsHostnames": True})
    assert found["enableDnsHostnames"] is True
    assert found["enableDnsSupport"] is True
    assert found["instanceTenancy"] == "default"


def changes(answer):
    return sorted(answer.diffs), sorted(answer.replaces), answer.deleteBeforeReplace


@pytest.mark.parametrize(
    ("kind", "old", "new", "diffs", "replaces", "first"),
    [
        (VPC, {"cidrBlock": "a"}, {"cidrBlock": "a"}, [], [], False),
        (VPC, {"cidrBlock": "a"}, {"cidrBlock": "b"}, ["cidrBlock"], ["cidrBlock"], False),
        (VPC, {"cidrBlock": "a"}, {"cidrBlock": "a", "tags": {"x": "y"}}, ["tags"], [], False),
        (GROUP, {"name": "n", "port": 1}, {"name": "n", "port": 2}, ["port"], ["port"], True),
        (GROUP, {"name": "n", "port": 1}, {"name": "m", "port": 2}, ["name", "port"], ["name", "port"], False),
        (GROUP, {"name": "n", "port": 1, "__defaults": ["name"]}, {"name": "n", "port": 2, "__defaults": ["name"]},
         ["port"], ["port"], False),
        (SUBNET, {"vpcId": "v", "cidrBlock": "c", "availabilityZone": "a"},
         {"vpcId": "v", "cidrBlock": "c", "availabilityZone": "b"}, ["availabilityZone"], ["availabilityZone"], True),
        (SUBNET, {"vpcId": "v", "availabilityZone": "a"}, {"vpcId": "v"}, [], [], False),
        (BALANCER, {"name": "n", "subnets": ["a", "b"]}, {"name": "n", "subnets": ["b", "a"]}, [], [], False),
        (BALANCER, {"name": "n", "subnets": ["a", "b"]}, {"name": "n", "subnets": ["a", "c"]}, ["subnets"], [], False),
        (ROLE, {"assumeRolePolicy": '{"a": 1, "b": 2}'}, {"assumeRolePolicy": '{"b":2,"a":1}'}, [], [], False),
        (DATABASE, {"engineVersion": "16.4"}, {"engineVersion": "16"}, [], [], False),
        (DATABASE, {"engineVersion": "16.4"}, {"engineVersion": "17"}, ["engineVersion"], [], False),
        (TASK, {"cpu": "256"}, {"cpu": 256}, [], [], False),
        (VPC, {"cidrBlock": "a"}, {"cidrBlock": "a", "region": "eu-north-1"}, ["region"], ["region"], False),
        (VPC, {"cidrBlock": "a"}, {"cidrBlock": UNKNOWN}, ["cidrBlock"], ["cidrBlock"], False),
    ],
)  # fmt: skip
def test_what_differs(planner, kind, old, new, diffs, replaces, first):
    answer = planner.diff(kind, old, new, {**old, "tagsAll": old.get("tags", {})})
    assert changes(answer) == (diffs, replaces, first)


def test_ignored_changes_are_none(planner):
    old = {"listenerArn": "l", "priority": 1, "actions": []}
    new = {**old, "actions": [{"type": "forward", "targetGroupArn": "t"}]}
    assert changes(planner.diff(RULE, old, new, {**old, "tagsAll": {}}, ignore=("actions",)))[0] == []


def test_default_tags_of_the_provider_are_a_change_of_all_tags(worker):
    old = {"cidrBlock": "a", "tags": {"x": "y"}}
    same = worker.diff(VPC, old, old, {**old, "tagsAll": {"x": "y", "Project": "orders"}})
    assert not same.diffs
    missing = worker.diff(VPC, old, old, {**old, "tagsAll": {"x": "y"}})
    assert list(missing.diffs) == ["tagsAll"]
    assert not missing.detailedDiff["tagsAll"].inputDiff


def test_a_preview_of_a_create_knows_inputs_and_does_not_know_the_rest(planner):
    checked = planner.checked(VPC, {"cidrBlock": "10.0.0.0/16", "tags": {"a": "b"}})
    id_, state = planner.create(VPC, checked, preview=True)
    assert id_ == ""
    assert state["cidrBlock"] == "10.0.0.0/16"
    assert state["tagsAll"] == {"a": "b"}
    assert state["region"] == "eu-west-1"
    assert state["arn"] == state["defaultSecurityGroupId"] == UNKNOWN
    assert not [key for key in state if key.startswith("__")]


def test_a_preview_of_an_update_keeps_what_stays(planner):
    old = planner.checked(VPC, {"cidrBlock": "10.0.0.0/16"})
    new = {**old, "enableDnsHostnames": True}
    state = planner.update(VPC, "vpc-1", new, old, {**old, "arn": "the arn", "tagsAll": {}}, preview=True)
    assert state["arn"] == "the arn"
    assert state["enableDnsHostnames"] is True


@pytest.mark.parametrize(
    ("kind", "inputs", "sentence"),
    [
        (SUBNET, {"cidrBlock": "10.0.0.0/24"}, "vpcId (CreateSubnet VpcId) is required"),
        (VPC, {"cidrBlock": 5}, "cidrBlock (CreateVpc CidrBlock) expected a string, found 5"),
        (VPC, {"cidrBlock": "x", "enableDnsHostnames": "yes"},
         "enableDnsHostnames (ModifyVpcAttribute EnableDnsHostnames.Value) expected a boolean, found 'yes'"),
        (GROUP, {"name": "n", "port": "eighty", "protocol": "HTTP"},
         "port (CreateTargetGroup Port) expected an integer, found 'eighty'"),
        (GROUP, {"name": "n", "port": 80, "protocol": "HTPP"}, "protocol (CreateTargetGroup Protocol) expected one of"),
        (GROUP, {"name": "n", "port": 80, "protocol": "HTTP", "healthCheck": {"interval": 1}},
         "healthCheck.interval (CreateTargetGroup HealthCheckIntervalSeconds) expected at least 5, found 1"),
        (RULE, {"listenerArn": "l", "priority": 1, "conditions": [],
                "actions": [{"type": "forward", "forward": {"targetGroups": [{"arn": "t", "weight": "half"}]}}]},
         "actions[0].forward.targetGroups[0].weight (CreateRule Actions[0].ForwardConfig.TargetGroups[0].Weight)"),
        (RULE, {"listenerArn": "l", "conditions": [], "actions": []}, "priority (CreateRule Priority) is required"),
        ("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
         {"securityGroupId": "g", "ipProtocol": "tcp", "fromPort": "80", "toPort": 80, "cidrIpv4": "0.0.0.0/0"},
         "fromPort (AuthorizeSecurityGroupIngress IpPermissions[0].FromPort) expected an integer, found '80'"),
    ],
)  # fmt: skip
def test_a_preview_names_what_aws_would_not_take(planner, kind, inputs, sentence):
    with pytest.raises(PluginError) as error:
        planner.create(kind, planner.checked(kind, inputs), preview=True)
    assert sentence in error.value.text


def test_what_is_not_known_yet_passes(planner):
    inputs = {
        "listenerArn": UNKNOWN,
        "priority": 1,
        "conditions": [{"pathPattern": {"values": ["/*"]}}],
        "actions": [{"type": "forward", "forward": {"targetGroups": [{"arn": UNKNOWN, "weight": 100}]}}],
    }
    _, state = planner.create(RULE, planner.checked(RULE, inputs), preview=True)
    assert state["actions"] == inputs["actions"]
    _, state = planner.create(VPC, planner.checked(VPC, {"cidrBlock": UNKNOWN, "tags": UNKNOWN}), preview=True)
    assert state["tagsAll"] == UNKNOWN
    task = {"family": "f", "containerDefinitions": UNKNOWN, "cpu": UNKNOWN}
    _, state = planner.create(TASK, planner.checked(TASK, task), preview=True)
    assert state["containerDefinitions"] == UNKNOWN


def test_a_sensitive_value_is_not_shown(planner):
    inputs = {"secretId": "s", "secretString": 12345}
    with pytest.raises(PluginError) as error:
        planner.create("aws:secretsmanager/secretVersion:SecretVersion", inputs, preview=True)
    assert "secretString" in error.value.text
    assert "12345" not in error.value.text


def test_secrets_are_opened_by_the_engine_not_by_us(planner):
    """Answering that secrets are not accepted makes the engine strip them, and mark outputs of the same name again."""
    from pulumi.runtime.proto import provider_pb2

    answer = planner.ask("Configure", provider_pb2.ConfigureRequest(args=struct_pb2.Struct()))
    assert not answer.acceptSecrets
    assert not planner.ask("Handshake", provider_pb2.ProviderHandshakeRequest()).accept_secrets
    planner.configure()


def test_a_secret_that_comes_all_the_same_is_not_taken_for_an_object(planner):
    secret = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "value": "hush"}
    found = planner.checked("aws:secretsmanager/secretVersion:SecretVersion", {"secretId": "s", "secretString": secret})
    assert found["secretString"] == "hush"


def test_provider_settings(planner):
    accepted = {
        "region": "eu-west-1", "version": "7.51.1", "skipRegionValidation": "true", "skipMetadataApiCheck": "true",
        "endpoints": json.dumps([{"ecs": "http://127.0.0.1:1"}]), "allowedAccountIds": '["123456789012"]',
        "defaultTags": json.dumps({"tags": {"a": "b"}}), "ignoreTags": json.dumps({"keys": ["c"]}),
        "accessKey": "test", "secretKey": "test",
    }  # fmt: skip
    assert planner.config_failures(**accepted) == {}
    assert "assumeRoles" in planner.config_failures(region="eu-west-1", assumeRoles="[]")
    assert "is not JSON" in planner.config_failures(endpoints="[{")["endpoints"]


def test_without_an_endpoint_nothing_is_called(planner):
    with pytest.raises(PluginError) as error:
        planner.create(VPC, planner.checked(VPC, {"cidrBlock": "10.0.0.0/16"}))
    assert error.value.text.startswith("AWS_ENDPOINT_URL is not set")


def test_real_aws_is_refused(planner):
    planner.configure(endpoints=json.dumps([{"ec2": "https://ec2.eu-west-1.amazonaws.com"}]))
    try:
        with pytest.raises(PluginError, match="is AWS itself"):
            planner.create(VPC, planner.checked(VPC, {"cidrBlock": "10.0.0.0/16"}))
    finally:
        planner.configure()


def test_numbers_arrive_whole(planner):
    found = planner.checked(LOGS, {"name": "n", "retentionInDays": 3})
    assert plain(struct_pb2.Value(number_value=3.0)) == found["retentionInDays"] == 3
