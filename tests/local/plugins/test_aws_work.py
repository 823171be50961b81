"""The aws plugin at work on an AWS API, request by request."""

import json

import boto3
import pytest

from tests.local.plugins.plugin_cache import PluginError, cached_plugin

pytestmark = pytest.mark.slow

VPC = "aws:ec2/vpc:Vpc"
SUBNET = "aws:ec2/subnet:Subnet"
GROUP = "aws:lb/targetGroup:TargetGroup"
BALANCER = "aws:lb/loadBalancer:LoadBalancer"
LISTENER = "aws:lb/listener:Listener"
RULE = "aws:lb/listenerRule:ListenerRule"
FIREWALL = "aws:ec2/securityGroup:SecurityGroup"
LOGS = "aws:cloudwatch/logGroup:LogGroup"
ROLE = "aws:iam/role:Role"
SECRET = "aws:secretsmanager/secret:Secret"
VERSION = "aws:secretsmanager/secretVersion:SecretVersion"
CLUSTER = "aws:ecs/cluster:Cluster"
REPOSITORY = "aws:ecr/repository:Repository"
ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
TASK = "aws:ecs/taskDefinition:TaskDefinition"
TRUST = json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"},
]})  # fmt: skip


@pytest.fixture(scope="module")
def aws(api):
    def make(service):
        return boto3.client(
            service, endpoint_url=api["AWS_ENDPOINT_URL"], region_name="eu-west-1",
            aws_access_key_id="test", aws_secret_access_key="test",
        )  # fmt: skip

    return make


@pytest.fixture(scope="module")
def vpc(worker):
    return worker.make(VPC, {"cidrBlock": "10.9.0.0/16", "enableDnsHostnames": True})[0]


@pytest.fixture(scope="module")
def subnets(worker, vpc):
    return [
        worker.make(SUBNET, {"vpcId": vpc, "cidrBlock": f"10.9.{n}.0/24", "availabilityZone": f"eu-west-1{zone}"})[0]
        for n, zone in enumerate("abc")
    ]


@pytest.fixture(scope="module")
def balancer(worker, subnets):
    return worker.make(BALANCER, {"name": "work", "subnets": subnets[:2]})


@pytest.fixture(scope="module")
def rule(worker, vpc, balancer):
    """A rule with two groups: id, inputs, state, ARNs of the groups."""
    groups = [
        worker.make(GROUP, {"name": f"work-{n}", "port": 80, "protocol": "HTTP", "vpcId": vpc, "targetType": "ip"})[0]
        for n in range(2)
    ]
    not_found = {"contentType": "text/plain", "statusCode": "404", "messageBody": "no"}
    listener = {
        "loadBalancerArn": balancer[0], "port": 80,
        "defaultActions": [{"type": "fixed-response", "fixedResponse": not_found}],
    }  # fmt: skip
    forward = {"targetGroups": [{"arn": arn, "weight": weight} for arn, weight in zip(groups, (100, 0), strict=True)]}
    inputs = {
        "listenerArn": worker.make(LISTENER, listener)[0], "priority": 10,
        "conditions": [{"pathPattern": {"values": ["/*"]}}], "actions": [{"type": "forward", "forward": forward}],
    }  # fmt: skip
    return (*worker.make(RULE, inputs), groups)


def test_outputs_have_region_tags_and_what_only_aws_knows(worker, vpc):
    _, inputs, state = worker.read(VPC, vpc, {"cidrBlock": "10.9.0.0/16", "enableDnsHostnames": True}, {})
    assert state["region"] == "eu-west-1"
    assert state["tagsAll"] == {"Project": "orders"}
    assert state["arn"].endswith(f":vpc/{vpc}")
    assert state["defaultSecurityGroupId"].startswith("sg-")
    assert inputs == {"cidrBlock": "10.9.0.0/16", "enableDnsHostnames": True}


def test_lists_that_are_sets_keep_the_order_of_the_program(worker, subnets, balancer):
    id_, given, state = balancer
    backwards = {**given, "subnets": subnets[1::-1]}
    _, inputs, outputs = worker.read(BALANCER, id_, backwards, {**state, "subnets": backwards["subnets"]})
    assert inputs["subnets"] == outputs["subnets"] == subnets[1::-1]
    assert not worker.diff(BALANCER, inputs, backwards, outputs).diffs


def test_drift_of_a_set_shows_what_was_added(worker, aws, subnets, balancer):
    id_, given, state = balancer
    aws("elbv2").set_subnets(LoadBalancerArn=id_, Subnets=subnets)
    _, inputs, outputs = worker.read(BALANCER, id_, given, state)
    assert inputs["subnets"] == subnets
    assert list(worker.diff(BALANCER, inputs, given, outputs).diffs) == ["subnets"]
    worker.update(BALANCER, id_, given, inputs, outputs)
    assert sorted(worker.read(BALANCER, id_, given, state)[1]["subnets"]) == sorted(given["subnets"])


def test_an_update_sends_only_what_changed(worker, aws, rule):
    """Weights that another owner moved stay when something else of the rule changes."""
    id_, inputs, state, groups = rule
    moved = [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in zip(groups, (10, 90), strict=True)]
    aws("elbv2").modify_rule(RuleArn=id_, Actions=[{"Type": "forward", "ForwardConfig": {"TargetGroups": moved}}])
    new = {**inputs, "conditions": [{"pathPattern": {"values": ["/v3/*"]}}]}
    worker.update(RULE, id_, new, inputs, state)
    live = aws("elbv2").describe_rules(RuleArns=[id_])["Rules"][0]
    assert [group["Weight"] for group in live["Actions"][0]["ForwardConfig"]["TargetGroups"]] == [10, 90]
    assert live["Conditions"][0]["PathPatternConfig"]["Values"] == ["/v3/*"]
    worker.update(RULE, id_, inputs, new, state)


def test_a_read_puts_live_values_into_the_inputs(worker, aws, rule):
    id_, inputs, state, groups = rule
    moved = [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in zip(groups, (60, 40), strict=True)]
    aws("elbv2").modify_rule(RuleArn=id_, Actions=[{"Type": "forward", "ForwardConfig": {"TargetGroups": moved}}])
    _, found, outputs = worker.read(RULE, id_, inputs, state)
    for values in (found, outputs):
        assert [one["weight"] for one in values["actions"][0]["forward"]["targetGroups"]] == [60, 40]
    assert {key: found[key] for key in found if key != "actions"} == {
        key: inputs[key] for key in inputs if key != "actions"
    }


def test_tags_that_are_to_be_ignored_are_not_seen_and_stay(plugin_home, api, aws):
    with cached_plugin("aws", plugin_home, **api) as plugin:
        plugin.configure(ignoreTags='{"keys": ["by-hand"], "keyPrefixes": ["note"]}')
        id_, inputs, state = plugin.make(VPC, {"cidrBlock": "10.9.0.0/16", "tags": {"a": "1"}})
        tags = [{"Key": key, "Value": "x"} for key in ("by-hand", "note-of-somebody", "drift")]
        aws("ec2").create_tags(Resources=[id_], Tags=tags)
        _, found, outputs = plugin.read(VPC, id_, inputs, state)
        assert found["tags"] == outputs["tagsAll"] == {"a": "1", "drift": "x"}  # the twin: not ignored, so seen
        plugin.update(VPC, id_, {**inputs, "tags": {"a": "2"}}, found, outputs)
        live = {tag["Key"]: tag["Value"] for tag in aws("ec2").describe_vpcs(VpcIds=[id_])["Vpcs"][0]["Tags"]}
        assert live == {"a": "2", "by-hand": "x", "note-of-somebody": "x"}
        plugin.delete(VPC, id_, inputs, state)


def test_tags_are_added_changed_and_taken_away(worker, aws, vpc):
    id_, old, state = worker.make(FIREWALL, {"vpcId": vpc, "tags": {"a": "1", "b": "1"}})
    new = {**old, "tags": {"a": "2", "c": "1"}}
    state = worker.update(FIREWALL, id_, new, old, state)
    live = aws("ec2").describe_security_groups(GroupIds=[id_])["SecurityGroups"][0]["Tags"]
    assert {tag["Key"]: tag["Value"] for tag in live} == {"a": "2", "c": "1", "Project": "orders"}
    assert state["tagsAll"] == {"a": "2", "c": "1", "Project": "orders"}
    assert worker.read(FIREWALL, id_, new, state)[1]["tags"] == {"a": "2", "c": "1"}
    worker.delete(FIREWALL, id_, new, state)


def test_a_property_that_goes_away_is_put_back(worker, aws):
    id_, old, state = worker.make(LOGS, {"name": "/gone", "retentionInDays": 3})
    new = worker.checked(LOGS, {"name": "/gone"}, old)
    worker.update(LOGS, id_, new, old, state)
    assert "retentionInDays" not in aws("logs").describe_log_groups(logGroupNamePrefix="/gone")["logGroups"][0]


def test_what_cannot_be_put_back_is_refused_with_its_name(worker, rule):
    id_, inputs, state, _ = rule
    with pytest.raises(PluginError, match="conditions cannot be taken away"):
        worker.update(RULE, id_, {key: inputs[key] for key in inputs if key != "conditions"}, inputs, state)


def test_gone_is_read_as_gone_and_deleted_without_error(worker):
    id_, inputs, state = worker.make(LOGS, {"name": "/short"})
    worker.delete(LOGS, id_, inputs, state)
    worker.delete(LOGS, id_, inputs, state)
    assert worker.read(LOGS, id_, inputs, state)[0] == ""


def test_a_refusal_of_aws_is_one_line_with_its_code(worker, vpc):
    with pytest.raises(PluginError) as error:
        worker.make(SUBNET, {"vpcId": vpc, "cidrBlock": "10.9.0.0/24"})
    assert error.value.text.startswith("CreateSubnet: InvalidSubnet.Conflict: ")
    assert "\n" not in error.value.text
    assert error.value.kept == ""


def test_secrets_reach_aws_and_come_back_for_the_engine_to_mark(worker, aws):
    secret, *_ = worker.make(SECRET, {"name": "work/app", "recoveryWindowInDays": 0})
    id_, inputs, state = worker.make(VERSION, {"secretId": secret, "secretString": "hush"})
    assert state["secretString"] == "hush"
    assert aws("secretsmanager").get_secret_value(SecretId=secret)["SecretString"] == "hush"
    assert worker.read(VERSION, id_, inputs, state)[1]["secretString"] == "hush"
    assert worker.read(SECRET, secret, {"name": "work/app", "recoveryWindowInDays": 0}, {})[0] == secret


@pytest.mark.parametrize(
    ("kind", "inputs"),
    [
        (VPC, {"cidrBlock": "10.10.0.0/16", "enableDnsHostnames": True, "tags": {"a": "b"}}),
        (LOGS, {"name": "/imported", "retentionInDays": 7}),
        (ROLE, {"name": "imported", "assumeRolePolicy": TRUST, "description": "d"}),
        (CLUSTER, {"name": "imported", "settings": [{"name": "containerInsights", "value": "disabled"}]}),
        (REPOSITORY, {"name": "imported", "imageTagMutability": "IMMUTABLE"}),
        (SECRET, {"name": "imported", "description": "d"}),
        (ALARM, {"name": "imported", "comparisonOperator": "GreaterThanThreshold", "evaluationPeriods": 1,
                 "threshold": 5, "metricName": "m", "namespace": "n", "period": 60, "statistic": "Sum"}),
    ],
)  # fmt: skip
def test_import_by_id_needs_no_change_after_it(worker, kind, inputs):
    id_, checked, _ = worker.make(kind, inputs)
    found_id, imported, state = worker.read(kind, id_)
    assert found_id == id_
    again = worker.checked(kind, inputs, imported)
    assert list(worker.diff(kind, imported, again, state).diffs) == []
    assert checked.keys() >= inputs.keys()


def test_import_of_what_is_not_there_finds_nothing(worker):
    assert worker.read(VPC, "vpc-00000000")[0] == ""


def test_container_definitions_are_compared_by_what_they_say(worker):
    """AWS adds defaults and may order the environment in its own way; neither is a change."""
    definitions = json.dumps([{"name": "a", "image": "i", "memory": 64, "environment": [
        {"name": "B", "value": "1"}, {"name": "A", "value": "2"},
    ]}])  # fmt: skip
    id_, inputs, state = worker.make(TASK, {"family": "f", "containerDefinitions": definitions})
    _, found, outputs = worker.read(TASK, id_, inputs, state)
    assert found["containerDefinitions"] == outputs["containerDefinitions"] == definitions
    assert state["arnWithoutRevision"] == state["arn"].rsplit(":", 1)[0]


def test_a_resource_may_name_a_region_of_its_own(worker):
    """The embedded AWS has one region, so the call is refused there; that it got there is the point."""
    with pytest.raises(PluginError, match=r"InvalidRegion: .*eu-north-1"):
        worker.make(LOGS, {"name": "/north", "region": "eu-north-1"})


def test_functions(worker):
    assert worker.invoke("aws:index/getRegion:getRegion")["region"] == "eu-west-1"
    assert worker.invoke("aws:index/getCallerIdentity:getCallerIdentity")["accountId"] == "123456789012"
    zones = worker.invoke("aws:index/getAvailabilityZones:getAvailabilityZones", state="available")
    assert zones["names"] == ["eu-west-1a", "eu-west-1b", "eu-west-1c"]
    token = worker.invoke("aws:ecr/getAuthorizationToken:getAuthorizationToken")
    assert token["userName"] == "AWS"
    password = worker.invoke("aws:secretsmanager/getRandomPassword:getRandomPassword", passwordLength=40)
    assert len(password["randomPassword"]) == 40


def test_another_account_than_allowed_is_refused(plugin_home, api):
    with cached_plugin("aws", plugin_home, **api) as plugin:
        plugin.configure(allowedAccountIds='["111111111111"]')
        with pytest.raises(PluginError, match="has the account 123456789012; the provider's allowedAccountIds are 1"):
            plugin.make(LOGS, {"name": "/other"})


def test_a_lost_aws_is_named(plugin_home, api):
    with cached_plugin("aws", plugin_home, **{**api, "AWS_ENDPOINT_URL": "http://127.0.0.1:1"}) as plugin:
        plugin.configure()
        with pytest.raises(PluginError, match=r"no answer from the embedded AWS at http://127\.0\.0\.1:1"):
            plugin.invoke("aws:index/getCallerIdentity:getCallerIdentity")
