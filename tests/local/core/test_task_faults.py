"""Faults of tasks, through the command line and the API."""

import json

import pytest

from local.images.store import CONFIG, ROOTFS, Images
from tests.support.until import until

pytestmark = pytest.mark.slow

DIGEST = "sha256:" + "5" * 64


@pytest.fixture
def task(embedded):
    """The ARN of a task that sleeps."""
    images = Images(embedded.folder.root / "images")
    (images.folder(DIGEST) / ROOTFS).mkdir(parents=True, exist_ok=True)
    config = {"Env": {}, "Cmd": ["sleep", "600"], "Entrypoint": [], "WorkingDir": "/", "StopSignal": "SIGTERM"}
    (images.folder(DIGEST) / CONFIG).write_text(json.dumps(config))
    images.tag("sleeper:1", DIGEST)
    ec2, ecs = embedded.client("ec2"), embedded.client("ecs")
    vpc = ec2.create_vpc(CidrBlock="10.250.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.250.0.0/24")["Subnet"]["SubnetId"]
    ecs.create_cluster(clusterName="faults")
    ecs.register_task_definition(
        family="sleeper",
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        cpu="256",
        memory="512",
        containerDefinitions=[{"name": "app", "image": "sleeper:1", "essential": True}],
    )
    arn = ecs.run_task(
        cluster="faults",
        taskDefinition="sleeper",
        launchType="FARGATE",
        networkConfiguration={"awsvpcConfiguration": {"subnets": [subnet]}},
    )["tasks"][0]["taskArn"]
    until(lambda: status(ecs, arn) == "RUNNING")
    yield arn
    ecs.stop_task(cluster="faults", task=arn)
    until(lambda: status(ecs, arn) == "STOPPED")


def status(ecs, arn):
    return ecs.describe_tasks(cluster="faults", tasks=[arn])["tasks"][0]["lastStatus"]


def test_a_killed_task_is_one_that_died(embedded, task):
    done = embedded.run("faults", "task", task, "kill")
    assert (done.returncode, done.stderr) == (0, "")
    ecs = embedded.client("ecs")
    until(lambda: status(ecs, task) == "STOPPED")
    found = ecs.describe_tasks(cluster="faults", tasks=[task])["tasks"][0]
    assert (found["stopCode"], found["containers"][0]["exitCode"]) == ("EssentialContainerExited", 137)
    again = embedded.run("faults", "task", task, "kill")
    assert again.returncode == 1
    assert "runs; there is" in again.stderr


def test_a_paused_task_goes_on_when_it_is_resumed(embedded, task):
    assert "standing still" in embedded.run("faults", "task", task.rsplit("/", 1)[1], "pause").stdout
    assert "going on" in embedded.run("faults", "task", task, "resume").stdout
    assert embedded.client("ecs").describe_tasks(cluster="faults", tasks=[task])["tasks"][0]["lastStatus"] == "RUNNING"
