"""Scheduler, load balancer and images together, as `python -m local start` runs them, with requests coming in."""

import http.client
import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import boto3
import pytest

from local.images.build import build
from local.images.recipe import read
from local.images.store import Images

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]
PROJECT = Path(__file__).parents[3]
REGION, ACCOUNT, PORT = "eu-west-1", "123456789012", 8090
WAIT_SECONDS = 60.0

SERVER = """
import os, signal, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = os.environ["APP_VERSION"].encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass

server = ThreadingHTTPServer((os.environ["HOST"], 8080), Handler)
server.daemon_threads = True
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
server.serve_forever()
print("ended", flush=True)
"""
DOCKERFILE = 'FROM python:3.12-slim\nWORKDIR /srv\nCOPY server.py .\nCMD ["python", "server.py"]\n'


def local(folder, *arguments):
    environment = {"PATH": os.environ["PATH"], "BLUEGREEN_LOCAL_DIR": str(folder)}
    done = subprocess.run(
        [sys.executable, "-m", "local", *arguments], cwd=PROJECT, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("together") / "aws"
    local(folder, "start")
    try:
        yield folder
    finally:
        local(folder, "stop")


class World:
    """A load balancer with one target group, and the means to run a service behind it."""

    def __init__(self, folder, context):
        self.endpoint = json.loads((folder / "control.json").read_text())["endpoint"]
        self.ecs, elb, ec2 = self.client("ecs"), self.client("elbv2"), self.client("ec2")
        (context / "server.py").write_text(SERVER)
        (context / "Dockerfile").write_text(DOCKERFILE)
        images = Images(folder / "images")
        images.tag("app:1", build(images, read(context, context / "Dockerfile", arguments={})))
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        self.subnets = [
            ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{n}.0/24", AvailabilityZone=f"{REGION}{zone}")["Subnet"][
                "SubnetId"
            ]
            for n, zone in enumerate("ab")
        ]
        self.group = elb.create_target_group(
            Name="app",
            Protocol="HTTP",
            Port=80,
            VpcId=vpc,
            TargetType="ip",
            HealthCheckPath="/",
            HealthCheckIntervalSeconds=5,
            HealthCheckTimeoutSeconds=2,
        )["TargetGroups"][0]["TargetGroupArn"]
        balancer = elb.create_load_balancer(Name="app", Subnets=self.subnets)["LoadBalancers"][0]
        elb.create_listener(
            LoadBalancerArn=balancer["LoadBalancerArn"],
            Protocol="HTTP",
            Port=PORT,
            DefaultActions=[{"Type": "forward", "TargetGroupArn": self.group}],
        )
        self.address = balancer["DNSName"]
        self.client("logs").create_log_group(logGroupName="/app")
        trust = {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}
        self.role = self.client("iam").create_role(
            RoleName="tasks", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        )["Role"]["Arn"]
        self.ecs.create_cluster(clusterName="c")

    def client(self, name):
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        return boto3.client(name, endpoint_url=self.endpoint, region_name=REGION, **keys)

    def define(self, version):
        options = {"awslogs-group": "/app", "awslogs-region": REGION, "awslogs-stream-prefix": "blue"}
        container = {
            "name": "app",
            "image": "app:1",
            "portMappings": [{"containerPort": 8080}],
            "environment": [{"name": "APP_VERSION", "value": version}],
            "logConfiguration": {"logDriver": "awslogs", "options": options},
        }
        return self.ecs.register_task_definition(
            family="app",
            networkMode="awsvpc",
            requiresCompatibilities=["FARGATE"],
            cpu="256",
            memory="512",
            executionRoleArn=self.role,
            containerDefinitions=[container],
        )["taskDefinition"]["taskDefinitionArn"]

    def steady(self, definition):
        end = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < end:
            found = self.ecs.describe_services(cluster="c", services=["s"])["services"][0]
            primary = found["deployments"][0]
            if primary["rolloutState"] == "COMPLETED" and found["runningCount"] == found["desiredCount"]:
                assert primary["taskDefinition"] == definition
                return found
            threading.Event().wait(0.05)
        pytest.fail(f"not steady: {found['deployments']} {found['events'][:5]}")
        return None


class Load:
    """Requests without a pause between them, over connections that are kept; every answer is noted."""

    def __init__(self, address, clients=3):
        self.address, self.answers, self._end = address, [], threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(clients)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        for thread in self._threads:
            thread.join()

    def _ask(self):
        connection = http.client.HTTPConnection(self.address, PORT, timeout=20)
        while not self._end.wait(0.005):
            connection.request("GET", "/")
            answer = connection.getresponse()
            self.answers.append((answer.status, answer.read().decode()))
        connection.close()


def test_a_rolling_update_loses_no_request(folder, tmp_path):
    world = World(folder, tmp_path)
    first, second = world.define("v1"), world.define("v2")
    world.ecs.create_service(
        cluster="c",
        serviceName="s",
        taskDefinition=first,
        desiredCount=2,
        launchType="FARGATE",
        networkConfiguration={"awsvpcConfiguration": {"subnets": world.subnets}},
        loadBalancers=[{"targetGroupArn": world.group, "containerName": "app", "containerPort": 8080}],
    )
    world.steady(first)
    with Load(world.address) as load:
        world.ecs.update_service(cluster="c", service="s", taskDefinition=second)
        world.steady(second)
        seen = len(load.answers)
        world.ecs.update_service(cluster="c", service="s", desiredCount=1)
        world.steady(second)
    counted = Counter(load.answers)
    assert {status for status, _ in counted} == {200}, counted
    assert {version for _, version in load.answers[seen:]} == {"v2"}
    health = world.client("elbv2").describe_target_health(TargetGroupArn=world.group)["TargetHealthDescriptions"]
    assert "healthy" in [one["TargetHealth"]["State"] for one in health]
