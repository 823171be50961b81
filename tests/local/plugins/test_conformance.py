"""Every type of the table through its life, with the real CLI and the embedded AWS. The tests follow each other."""

import json
import os
import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import boto3
import pytest

from local.plugins.aws.types import TABLE
from tools import cli

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = Path(__file__).parent / "program"
PROJECT = f"name: conformance\nruntime: {{name: python, options: {{toolchain: pip, virtualenv: {sys.prefix}}}}}\n"
SECONDS = 600
# Types of which nothing changes in place.
ONLY_REPLACED = {
    "aws:ec2/routeTableAssociation:RouteTableAssociation",
    "aws:secretsmanager/secretVersion:SecretVersion",
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
}
# Types of which everything changes in place, or that have one value only to be replaced with.
NEVER_REPLACED = {"aws:ec2/internetGateway:InternetGateway", "aws:ec2/eip:Eip"}
OPERATIONS = {"create-replacement": "replace", "replace": "replace", "delete-replaced": "replace"}


class Stack:
    """The stack, and what each command did: operation to the types it was done to."""

    def __init__(self, folder, environment):
        self.folder, self.environment, self.pulumi = folder, environment, str(cli.path())

    def run(self, *arguments, code=0):
        done = subprocess.run(
            [self.pulumi, *arguments], cwd=self.folder, env=self.environment, capture_output=True, text=True,
            timeout=SECONDS, check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stdout[-6000:] + done.stderr[-3000:]
        return done.stdout

    def step(self, number):
        self.run("config", "set", "step", str(number))

    def operations(self, *arguments):
        """Run with --json; types by operation, a replacement counted once as such."""
        found = defaultdict(set)
        for line in self.run(*arguments, "--json", "--yes", "--skip-preview").splitlines():
            event = json.loads(line) if line.startswith("{") else {}
            made = event.get("resOutputsEvent", {}).get("metadata") or {}
            if made.get("type", "").startswith("aws:"):
                found[OPERATIONS.get(made["op"], made["op"])].add(made["type"])
        return found

    def unchanged(self, *arguments):
        self.run("preview", "--expect-no-changes", *arguments)


@pytest.fixture(scope="module")
def embedded(tmp_path_factory):
    """A whole embedded AWS; the environment that points at it."""
    folder = tmp_path_factory.mktemp("embedded")
    environment = {**os.environ, "BLUEGREEN_LOCAL_DIR": str(folder)}

    def local(*arguments):
        done = subprocess.run(
            [sys.executable, "-m", "local", *arguments], cwd=ROOT, env=environment, capture_output=True, text=True,
            timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    local("start")
    try:
        lines = [line.removeprefix("export ").partition("=") for line in local("env").splitlines() if "=" in line]
        yield {**environment, **{key: value.strip("'\"") for key, _, value in lines}}
    finally:
        local("stop")


@pytest.fixture(scope="module")
def stack(embedded, tmp_path_factory):
    folder = tmp_path_factory.mktemp("conformance")
    shutil.copytree(PROGRAM, folder, dirs_exist_ok=True)
    (folder / "Pulumi.yaml").write_text(PROJECT)
    made = Stack(folder, {**embedded, "PULUMI_SKIP_CONFIRMATIONS": "true", "NO_COLOR": "1"})
    made.run("stack", "init", "test")
    made.run("config", "set", "aws:region", "eu-west-1")
    made.run("config", "set", "--path", "aws:defaultTags.tags.Project", "conformance")
    return made


@pytest.fixture(scope="module")
def client(embedded):
    def make(service):
        return boto3.client(
            service, endpoint_url=embedded["AWS_ENDPOINT_URL"], region_name="eu-west-1",
            aws_access_key_id="test", aws_secret_access_key="test",
        )  # fmt: skip

    return make


def outputs(stack, name):
    """Id and outputs of one resource of the state."""
    state = json.loads(stack.run("stack", "export"))
    found = next(one for one in state["deployment"]["resources"] if one["urn"].endswith(f"::{name}"))
    return {**found["outputs"], "id": found["id"]}


def test_every_type_is_created(stack):
    stack.step(1)
    assert stack.operations("up")["create"] == set(TABLE)


def test_nothing_changes_after_it(stack):
    stack.unchanged()
    stack.unchanged("--refresh")


def test_a_secret_stays_one(stack):
    state = stack.run("stack", "export")
    assert "hush-1" not in state


def test_every_type_is_changed_in_place(stack):
    stack.step(2)
    found = stack.operations("up")
    assert found["update"] == set(TABLE) - ONLY_REPLACED
    assert found["replace"] <= ONLY_REPLACED
    stack.unchanged()
    stack.unchanged("--refresh")


def _drift(client, stack):
    """Change one thing of many types behind the engine's back; the types."""
    ec2, elb, ecs = client("ec2"), client("elbv2"), client("ecs")
    ec2.modify_vpc_attribute(VpcId=outputs(stack, "v")["id"], EnableDnsHostnames={"Value": False})
    ec2.modify_subnet_attribute(SubnetId=outputs(stack, "s2")["id"], MapPublicIpOnLaunch={"Value": False})
    ec2.create_tags(Resources=[outputs(stack, "rt")["id"]], Tags=[{"Key": "step", "Value": "by hand"}])
    anywhere = [{"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
    ec2.authorize_security_group_ingress(GroupId=outputs(stack, "dsg")["id"], IpPermissions=anywhere)
    ec2.authorize_security_group_ingress(GroupId=outputs(stack, "inline")["id"], IpPermissions=anywhere)
    blue, green = outputs(stack, "blue")["arn"], outputs(stack, "green")["arn"]
    weights = {"TargetGroups": [{"TargetGroupArn": blue, "Weight": 1}, {"TargetGroupArn": green, "Weight": 99}]}
    elb.modify_rule(RuleArn=outputs(stack, "rule")["arn"], Actions=[{"Type": "forward", "ForwardConfig": weights}])
    delay = [{"Key": "deregistration_delay.timeout_seconds", "Value": "9"}]
    elb.modify_target_group_attributes(TargetGroupArn=green, Attributes=delay)
    idle = [{"Key": "idle_timeout.timeout_seconds", "Value": "99"}]
    elb.modify_load_balancer_attributes(LoadBalancerArn=outputs(stack, "lb")["arn"], Attributes=idle)
    insights = [{"name": "containerInsights", "value": "enhanced"}]
    ecs.update_cluster(cluster="conformance", settings=insights)
    client("logs").put_retention_policy(logGroupName="/conformance/1", retentionInDays=30)
    client("iam").update_role(RoleName="conformance", Description="by hand", MaxSessionDuration=7200)
    client("kms").update_key_description(KeyId=outputs(stack, "key")["keyId"], Description="by hand")
    client("secretsmanager").update_secret(SecretId="conformance/1", Description="by hand")
    client("ecr").put_image_tag_mutability(repositoryName="conformance", imageTagMutability="IMMUTABLE")
    client("rds").modify_db_instance(DBInstanceIdentifier="conformance", BackupRetentionPeriod=9, ApplyImmediately=True)
    return {
        "aws:ec2/vpc:Vpc", "aws:ec2/subnet:Subnet", "aws:ec2/routeTable:RouteTable",
        "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup", "aws:ec2/securityGroup:SecurityGroup",
        "aws:lb/listenerRule:ListenerRule", "aws:lb/targetGroup:TargetGroup", "aws:lb/loadBalancer:LoadBalancer",
        "aws:ecs/cluster:Cluster", "aws:cloudwatch/logGroup:LogGroup", "aws:iam/role:Role", "aws:kms/key:Key",
        "aws:secretsmanager/secret:Secret", "aws:ecr/repository:Repository", "aws:rds/instance:Instance",
    }  # fmt: skip


def test_drift_is_seen_by_a_refresh_and_repaired(stack, client):
    drifted = _drift(client, stack)
    stack.unchanged()  # a plain preview does not ask AWS
    found = stack.operations("up", "--refresh")
    assert found["update"] == drifted
    stack.unchanged("--refresh")


def test_what_vanished_is_made_again(stack, client):
    client("cloudwatch").delete_alarms(AlarmNames=["conformance"])
    client("logs").delete_log_group(logGroupName="/conformance/1")
    found = stack.operations("up", "--refresh")
    assert found["create"] == {"aws:cloudwatch/metricAlarm:MetricAlarm", "aws:cloudwatch/logGroup:LogGroup"}
    stack.unchanged("--refresh")


def test_every_type_is_replaced(stack):
    stack.step(3)
    assert stack.operations("up")["replace"] == set(TABLE) - NEVER_REPLACED
    stack.unchanged("--refresh")


def test_destroy_leaves_nothing(stack, client):
    ec2 = client("ec2")
    stack.operations("destroy")
    assert not [vpc for vpc in ec2.describe_vpcs()["Vpcs"] if not vpc["IsDefault"]]
    assert not client("elbv2").describe_load_balancers()["LoadBalancers"]
    assert not client("rds").describe_db_instances()["DBInstances"]
    assert not client("ecs").list_clusters()["clusterArns"]
    assert not client("ecr").describe_repositories()["repositories"]
    assert not client("iam").list_roles()["Roles"]
    assert not client("secretsmanager").list_secrets()["SecretList"]
