"""An embedded ECS for tests: moto and the scheduler in this process, over HTTP."""

import itertools
import json
import threading
import time
from pathlib import Path

import boto3
import pytest
from botocore.config import Config

from tests.local.ecs.stand_ins import StubImages, StubTargets
from tests.support.until import BOUND_SECONDS

ACCOUNT, REGION = "123456789012", "eu-west-1"
REGISTRY = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"


class Door:
    """moto behind HTTP, and clients for it: dear to make, so all tests share them."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self._clients: dict[str, object] = {}

    def client(self, name: str):
        if name not in self._clients:
            self._clients[name] = boto3.client(
                name,
                endpoint_url=self.endpoint,
                region_name=REGION,
                aws_access_key_id="test",
                aws_secret_access_key="test",
                config=Config(retries={"total_max_attempts": 1}),
            )
        return self._clients[name]


class Ecs:
    """The running thing, its clients, and the resources that most tests need."""

    def __init__(self, root: Path, door: "Door", images: StubImages, targets: StubTargets) -> None:
        self.root, self.client, self.images, self.targets = root, door.client, images, targets
        self._counter = itertools.count(1)
        self.image = images.add(f"{REGISTRY}/app:1")
        self.cluster = self.client("ecs").create_cluster(clusterName="c")["cluster"]["clusterArn"]
        ec2 = self.client("ec2")
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        self.vpc = vpc
        self.subnets = [
            ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{n}.0/24", AvailabilityZone=f"{REGION}{'ab'[n]}")["Subnet"][
                "SubnetId"
            ]
            for n in range(2)
        ]
        self.group = ec2.create_security_group(VpcId=vpc, GroupName="tasks", Description="t")["GroupId"]
        self.client("logs").create_log_group(logGroupName="/app")
        self.role = self.new_role("execution", "ecs-tasks.amazonaws.com")
        self.network = {"awsvpcConfiguration": {"subnets": self.subnets, "securityGroups": [self.group]}}

    def new_role(self, name: str, principal: str) -> str:
        statement = {"Effect": "Allow", "Principal": {"Service": principal}, "Action": "sts:AssumeRole"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        made = self.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=policy)
        return made["Role"]["Arn"]

    @property
    def ecs(self):
        return self.client("ecs")

    def container(self, name="app", command=("serve",), **fields):
        return {
            "name": name,
            "image": self.image,
            "command": list(command),
            "essential": True,
            "portMappings": [{"containerPort": 8080}] if name == "app" else [],
            "logConfiguration": {
                "logDriver": "awslogs",
                "options": {"awslogs-group": "/app", "awslogs-region": REGION, "awslogs-stream-prefix": "blue"},
            },
            **fields,
        }

    def define(self, *command: str, containers=None, family=None, **fields):
        """A task definition; its ARN."""
        given = {
            "family": family or f"f{next(self._counter)}",
            "networkMode": "awsvpc",
            "requiresCompatibilities": ["FARGATE"],
            "cpu": "256",
            "memory": "512",
            "executionRoleArn": self.role,
            "containerDefinitions": containers or [self.container(command=command or ("serve",))],
            **fields,
        }
        return self.ecs.register_task_definition(**given)["taskDefinition"]["taskDefinitionArn"]

    def run(self, definition: str, **fields):
        """Run one task; its ARN."""
        answer = self.ecs.run_task(
            cluster="c",
            taskDefinition=definition,
            launchType="FARGATE",
            networkConfiguration=self.network,
            **fields,
        )
        assert answer["failures"] == []
        return answer["tasks"][0]["taskArn"]

    def task(self, arn: str):
        return self.ecs.describe_tasks(cluster="c", tasks=[arn])["tasks"][0]

    def until(self, look, what: str = "", seconds: float = BOUND_SECONDS, *, look_at_services: bool = True):
        """The first true answer of a look, repeated until then."""
        end = time.monotonic() + seconds
        while True:
            answer = look()
            if answer:
                return answer
            if time.monotonic() > end:
                services = self.describe_all() if look_at_services else "not asked for"
                pytest.fail(f"not within {seconds:.0f} s: {what or look}; services: {services}")
            threading.Event().wait(0.02)

    def describe_all(self):
        arns = self.ecs.list_services(cluster="c")["serviceArns"]
        if not arns:
            return []
        return [
            (
                service["serviceName"],
                service["runningCount"],
                [(one["status"], one["rolloutState"], one["failedTasks"]) for one in service["deployments"]],
                [event["message"][:80] for event in service["events"][:8]],
            )
            for service in self.ecs.describe_services(cluster="c", services=arns)["services"]
        ]

    @staticmethod
    def address(task) -> str:
        details = {one["name"]: one["value"] for one in task["attachments"][0]["details"]}
        return details["privateIPv4Address"]

    def stopped(self, arn: str):
        return self.until(lambda: (found := self.task(arn))["lastStatus"] == "STOPPED" and found, f"{arn} STOPPED")

    def running(self, arn: str):
        return self.until(lambda: (found := self.task(arn))["lastStatus"] == "RUNNING" and found, f"{arn} RUNNING")

    def lines(self, arn: str, container="app", prefix="blue"):
        stream = f"{prefix}/{container}/{arn.rsplit('/', 1)[-1]}"
        answer = self.client("logs").get_log_events(logGroupName="/app", logStreamName=stream, startFromHead=True)
        return [event["message"] for event in answer["events"]]

    def pid(self, arn: str) -> int:
        """The number of the process that a serving task runs as: it prints it."""
        self.running(arn)
        line = self.until(lambda: next((one for one in self.lines(arn) if one.startswith("ready")), None), "ready")
        return int(line.split()[1])

    def target_group(self, *, attached: bool = True) -> str:
        elb = self.client("elbv2")
        number = next(self._counter)
        arn = elb.create_target_group(Name=f"tg{number}", Protocol="HTTP", Port=80, VpcId=self.vpc, TargetType="ip")[
            "TargetGroups"
        ][0]["TargetGroupArn"]
        if attached:
            balancer = elb.create_load_balancer(Name=f"lb{number}", Subnets=self.subnets)["LoadBalancers"][0]
            elb.create_listener(
                LoadBalancerArn=balancer["LoadBalancerArn"],
                Protocol="HTTP",
                Port=80,
                DefaultActions=[{"Type": "forward", "TargetGroupArn": arn}],
            )
        return arn

    def service(self, definition: str, name="s", count=2, group: str | None = None, **fields):
        balancers = [{"targetGroupArn": group, "containerName": "app", "containerPort": 8080}] if group else []
        return self.ecs.create_service(
            cluster="c",
            serviceName=name,
            taskDefinition=definition,
            desiredCount=count,
            launchType="FARGATE",
            networkConfiguration=self.network,
            loadBalancers=balancers,
            **fields,
        )["service"]

    def look(self, name="s"):
        return self.ecs.describe_services(cluster="c", services=[name])["services"][0]

    def steady(self, name="s"):
        """Wait for the PRIMARY deployment to complete with all its tasks."""

        def look():
            found = self.look(name)
            primary = found["deployments"][0]
            done = primary["rolloutState"] == "COMPLETED" and len(found["deployments"]) == 1
            return found if done and found["runningCount"] == found["desiredCount"] else None

        return self.until(look, f"{name} steady")

    def tasks_of(self, name="s", status="RUNNING"):
        arns = self.ecs.list_tasks(cluster="c", serviceName=name, desiredStatus=status)["taskArns"]
        return self.ecs.describe_tasks(cluster="c", tasks=arns)["tasks"] if arns else []
