"""What AWS refuses is refused with AWS's code."""

import pytest
from botocore.exceptions import ClientError

pytestmark = pytest.mark.slow
ABSENT = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/absent/0123456789abcdef"


def refused(code, text, call, *args, **fields):
    with pytest.raises(ClientError) as caught:
        call(*args, **fields)
    assert caught.value.response["Error"]["Code"] == code
    assert text in caught.value.response["Error"]["Message"]


def test_a_second_service_of_the_same_name(aws):
    aws.service(aws.define(), count=0)
    refused("InvalidParameterException", "Creation of service was not idempotent.", aws.service, aws.define(), count=0)


def test_a_target_group_that_is_not_there_or_not_used(aws):
    definition, loose = aws.define(), aws.target_group(attached=False)
    refused("InvalidParameterException", "targetGroupArn", aws.service, definition, group=ABSENT)
    refused(
        "InvalidParameterException",
        f"The target group with targetGroupArn {loose} does not have an associated load balancer.",
        aws.service,
        definition,
        group=loose,
    )


def test_a_container_or_port_that_the_task_definition_does_not_have(aws):
    group, definition = aws.target_group(), aws.define(containers=[aws.container(name="other")])
    refused(
        "InvalidParameterException",
        "The container app does not exist in the task definition.",
        aws.service,
        definition,
        group=group,
    )
    definition = aws.define(containers=[aws.container(portMappings=[{"containerPort": 9000}])])
    refused(
        "InvalidParameterException",
        "The container app did not have a container port 8080 defined.",
        aws.service,
        definition,
        group=group,
    )


def test_a_grace_period_without_a_load_balancer(aws):
    refused("InvalidParameterException", "grace period", aws.service, aws.define(), healthCheckGracePeriodSeconds=5)


def test_a_service_that_is_not_there(aws):
    refused("ServiceNotFoundException", "Service not found.", aws.ecs.update_service, cluster="c", service="s")
    refused("ServiceNotFoundException", "Service not found.", aws.ecs.delete_service, cluster="c", service="s")
    refused("ClusterNotFoundException", "Cluster not found.", aws.ecs.update_service, cluster="none", service="s")
    assert aws.ecs.describe_services(cluster="c", services=["s"])["failures"][0]["reason"] == "MISSING"


def test_a_cluster_in_use(aws):
    aws.service(aws.define(), count=0)
    refused("ClusterContainsServicesException", "Services are active", aws.ecs.delete_cluster, cluster="c")
    aws.ecs.delete_service(cluster="c", service="s")
    aws.until(lambda: aws.look()["status"] == "INACTIVE", "INACTIVE")
    arn = aws.run(aws.define())
    refused("ClusterContainsTasksException", "Tasks are active", aws.ecs.delete_cluster, cluster="c")
    aws.ecs.stop_task(cluster="c", task=arn)
    aws.stopped(arn)
    assert aws.ecs.delete_cluster(cluster="c")["cluster"]["status"] == "INACTIVE"
    assert aws.ecs.list_clusters()["clusterArns"] == []
    refused("ClusterNotFoundException", "Cluster not found.", aws.run, aws.define())


@pytest.mark.parametrize(
    ("cpu", "memory", "legal"),
    [
        ("256", "512", True),
        ("0.25 vCPU", "1 GB", True),
        ("256", "4096", False),
        ("300", "512", False),
        ("1024", "2048", True),
        ("1024", "1024", False),
        ("8192", "20480", True),
        ("8192", "17408", False),
    ],
)
def test_fargate_sizes(aws, cpu, memory, legal):
    if legal:
        aws.define(cpu=cpu, memory=memory)
    else:
        refused("ClientException", "No Fargate configuration exists", aws.define, cpu=cpu, memory=memory)


def test_a_task_definition_that_ecs_would_not_take(aws):
    two = [aws.container(), aws.container()]
    refused("ClientException", "unique", aws.define, containers=two)
    refused("ClientException", "essential", aws.define, containers=[aws.container(essential=False)])
    refused("ClientException", "execution role ARN to support log driver awslogs", aws.define, executionRoleArn="")
    options = {"awslogs-group": "/app", "awslogs-region": "eu-west-1"}
    log = {"logDriver": "awslogs", "options": options}
    refused("ClientException", "awslogs-stream-prefix", aws.define, containers=[aws.container(logConfiguration=log)])
    circle = [
        aws.container(name="app", dependsOn=[{"containerName": "b", "condition": "START"}]),
        aws.container(name="b", dependsOn=[{"containerName": "app", "condition": "START"}]),
    ]
    refused("ClientException", "Cycle", aws.define, containers=circle)
    healthy = [
        aws.container(dependsOn=[{"containerName": "b", "condition": "HEALTHY"}]),
        aws.container(name="b"),
    ]
    refused("ClientException", "HEALTHY", aws.define, containers=healthy)
    for check in ({"command": ["echo"]}, {"command": ["CMD"]}, {"command": ["CMD", "x"], "interval": 1}):
        refused("ClientException", "healthCheck", aws.define, containers=[aws.container(healthCheck=check)])


def test_a_deregistered_task_definition_starts_nothing_new(aws):
    definition = aws.define()
    aws.ecs.deregister_task_definition(taskDefinition=definition)
    refused("ClientException", "TaskDefinition is inactive", aws.run, definition)
    refused("ClientException", "TaskDefinition is inactive", aws.service, definition)
    refused("ClientException", "Unable to describe task definition.", aws.run, "absent:1")


def test_run_task_is_checked_before_anything_starts(aws):
    definition = aws.define()
    network = {"awsvpcConfiguration": {"subnets": ["subnet-absent"]}}
    run = aws.ecs.run_task
    fargate = {"cluster": "c", "taskDefinition": definition, "launchType": "FARGATE"}
    refused("InvalidParameterException", "InvalidSubnetID.NotFound", run, **fargate, networkConfiguration=network)
    refused("InvalidParameterException", "Network Configuration must be provided", run, **fargate)
    refused("InvalidParameterException", "No Container Instances", run, cluster="c", taskDefinition=definition)
    refused("InvalidParameterException", "Count", aws.run, definition, count=11)
    other = {"containerOverrides": [{"name": "other", "command": ["x"]}]}
    refused("InvalidParameterException", "Override for container named other", aws.run, definition, overrides=other)
    assert aws.ecs.list_tasks(cluster="c")["taskArns"] == []


def test_what_the_embedded_aws_does_not_run_is_said_and_not_ignored(aws):
    definition = aws.define()
    controller = {"type": "CODE_DEPLOY"}
    refused("InvalidParameterException", "CODE_DEPLOY", aws.service, definition, deploymentController=controller)
    strategy = {"strategy": "BLUE_GREEN"}
    refused("InvalidParameterException", "BLUE_GREEN", aws.service, definition, deploymentConfiguration=strategy)
    refused("InvalidParameterException", "DAEMON", aws.service, definition, schedulingStrategy="DAEMON")


def test_creating_a_cluster_again_keeps_it(aws):
    arn = aws.run(aws.define())
    assert aws.ecs.create_cluster(clusterName="c")["cluster"]["clusterArn"] == aws.cluster
    aws.running(arn)
    assert aws.ecs.describe_clusters(clusters=["c"])["clusters"][0]["runningTasksCount"] == 1
    assert aws.ecs.describe_clusters(clusters=["absent"])["failures"][0]["reason"] == "MISSING"
