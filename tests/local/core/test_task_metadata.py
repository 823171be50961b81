"""The task metadata endpoint: a task asks it who it is, as on Fargate."""

import json
import sys

import pytest

from local.images.store import CONFIG, ROOTFS, Images
from tests.support.until import until

pytestmark = pytest.mark.slow

DIGEST = "sha256:" + "6" * 64
ASK = """
import json, os, urllib.request as door
at = os.environ["ECS_CONTAINER_METADATA_URI_V4"]
for path in ("", "/task"):
    print(json.dumps(json.load(door.urlopen(at + path))))
try:
    door.urlopen(at + "/nothing")
except door.HTTPError as error:
    print(error.code)
"""


@pytest.fixture
def asked(embedded):
    """What a task was answered: the container, the task, the status of a path that is not there; and its ARN."""
    images = Images(embedded.folder.root / "images")
    (images.folder(DIGEST) / ROOTFS).mkdir(parents=True, exist_ok=True)
    config = {"Env": {}, "Cmd": [sys.executable, "-c", ASK], "Entrypoint": [], "WorkingDir": "/", "StopSignal": ""}
    (images.folder(DIGEST) / CONFIG).write_text(json.dumps(config))
    images.tag("asker:1", DIGEST)
    ec2, ecs, logs = (embedded.client(name) for name in ("ec2", "ecs", "logs"))
    vpc = ec2.create_vpc(CidrBlock="10.251.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.251.0.0/24")["Subnet"]["SubnetId"]
    ecs.create_cluster(clusterName="askers")
    logs.create_log_group(logGroupName="/asker")
    role = embedded.client("iam").create_role(
        RoleName="asker",
        AssumeRolePolicyDocument=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Principal": {"Service": "ecs-tasks.amazonaws.com"},
                        "Action": "sts:AssumeRole",
                    }
                ],
            }
        ),
    )["Role"]["Arn"]
    options = {"awslogs-group": "/asker", "awslogs-region": "eu-west-1", "awslogs-stream-prefix": "m"}
    ecs.register_task_definition(
        family="asker",
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        cpu="256",
        memory="512",
        executionRoleArn=role,
        containerDefinitions=[
            {
                "name": "app",
                "image": "asker:1",
                "essential": True,
                "logConfiguration": {"logDriver": "awslogs", "options": options},
            }
        ],
    )
    arn = ecs.run_task(
        cluster="askers",
        taskDefinition="asker",
        launchType="FARGATE",
        networkConfiguration={"awsvpcConfiguration": {"subnets": [subnet]}},
    )["tasks"][0]["taskArn"]
    until(lambda: ecs.describe_tasks(cluster="askers", tasks=[arn])["tasks"][0]["lastStatus"] == "STOPPED")
    events = logs.get_log_events(logGroupName="/asker", logStreamName=f"m/app/{arn.rsplit('/', 1)[-1]}")["events"]
    found = ecs.describe_tasks(cluster="askers", tasks=[arn])["tasks"][0]
    return [json.loads(event["message"]) for event in events], found


def test_a_task_is_told_who_it_is(asked):
    (container, task, missing), described = asked
    assert task["TaskARN"] == described["taskArn"]
    assert task["Cluster"] == described["clusterArn"]
    assert (task["Family"], task["Revision"]) == ("asker", "1")
    assert task["Limits"] == {"CPU": 0.25, "Memory": 512}
    assert (task["LaunchType"], task["DesiredStatus"]) == ("FARGATE", "RUNNING")
    assert "ServiceName" not in task
    assert [one["Name"] for one in task["Containers"]] == ["app"]
    assert container["ContainerARN"] == described["containers"][0]["containerArn"]
    assert container["DockerId"] == described["containers"][0]["runtimeId"]
    assert container["DockerId"].startswith(described["taskArn"].rsplit("/", 1)[-1])
    assert container["Labels"]["com.amazonaws.ecs.task-arn"] == described["taskArn"]
    assert container["LogOptions"]["awslogs-stream"].endswith(described["taskArn"].rsplit("/", 1)[-1])
    assert missing == 404
