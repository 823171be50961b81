"""What the API answers of services and deployments."""

import pytest

pytestmark = pytest.mark.slow
BREAKER = {"deploymentCircuitBreaker": {"enable": True, "rollback": False}}


def started(aws, name="s"):
    return [task["taskArn"] for task in aws.tasks_of(name)]


def test_what_create_service_is_given_is_answered(aws):
    group = aws.target_group()
    aws.service(
        aws.define(),
        count=0,
        group=group,
        healthCheckGracePeriodSeconds=45,
        deploymentConfiguration={"maximumPercent": 150, "minimumHealthyPercent": 50, **BREAKER},
        enableExecuteCommand=True,
        enableECSManagedTags=True,
        propagateTags="SERVICE",
        tags=[{"key": "team", "value": "shop"}],
    )
    found = aws.ecs.describe_services(cluster="c", services=["s"], include=["TAGS"])["services"][0]
    assert found["healthCheckGracePeriodSeconds"] == 45
    configuration = found["deploymentConfiguration"]
    assert (configuration["maximumPercent"], configuration["minimumHealthyPercent"]) == (150, 50)
    assert configuration["deploymentCircuitBreaker"] == {"enable": True, "rollback": False}
    assert (found["enableExecuteCommand"], found["enableECSManagedTags"], found["propagateTags"]) == (
        True,
        True,
        "SERVICE",
    )
    assert (found["launchType"], found["schedulingStrategy"], found["deploymentController"]) == (
        "FARGATE",
        "REPLICA",
        {"type": "ECS"},
    )
    assert found["networkConfiguration"] == {
        "awsvpcConfiguration": {"assignPublicIp": "DISABLED", **aws.network["awsvpcConfiguration"]}
    }
    assert found["loadBalancers"] == [{"targetGroupArn": group, "containerName": "app", "containerPort": 8080}]
    assert found["tags"] == [{"key": "team", "value": "shop"}]
    aws.ecs.update_service(cluster="c", service="s", desiredCount=1)
    aws.until(lambda: aws.look()["runningCount"] == 1, "runs")
    task = aws.ecs.describe_tasks(cluster="c", tasks=started(aws), include=["TAGS"])["tasks"][0]
    tags = {tag["key"]: tag["value"] for tag in task["tags"]}
    assert tags == {"team": "shop", "aws:ecs:clusterName": "c", "aws:ecs:serviceName": "s"}
    assert (task["group"], task["startedBy"]) == ("service:s", aws.look()["deployments"][0]["id"])


def test_the_deployment_calls_follow_the_deployment(aws):
    aws.service(aws.define(), count=1, group=aws.target_group())
    found = aws.steady()
    suffix = found["deployments"][0]["id"].rsplit("/", 1)[-1]
    (listed,) = aws.ecs.list_service_deployments(cluster="c", service="s")["serviceDeployments"]
    assert (listed["status"], suffix in listed["targetServiceRevisionArn"]) == ("SUCCESSFUL", True)
    described = aws.ecs.describe_service_deployments(serviceDeploymentArns=[listed["serviceDeploymentArn"]])
    (deployment,) = described["serviceDeployments"]
    assert deployment["targetServiceRevision"]["runningTaskCount"] == 1
    revision = aws.ecs.describe_service_revisions(serviceRevisionArns=[listed["targetServiceRevisionArn"]])
    assert revision["serviceRevisions"][0]["taskDefinition"] == found["taskDefinition"]
    missing = aws.ecs.describe_service_deployments(serviceDeploymentArns=[listed["serviceDeploymentArn"] + "0"])
    assert missing["failures"][0]["reason"] == "MISSING"


def test_tags_and_scalable_targets_find_our_services_and_tasks(aws):
    service = aws.service(aws.define(), count=1, tags=[{"key": "a", "value": "1"}])
    aws.until(lambda: started(aws), "runs")
    arns = [service["serviceArn"], started(aws)[0], aws.cluster]
    for arn in arns:
        aws.ecs.tag_resource(resourceArn=arn, tags=[{"key": "b", "value": "2"}])
        assert {"key": "b", "value": "2"} in aws.ecs.list_tags_for_resource(resourceArn=arn)["tags"]
        aws.ecs.untag_resource(resourceArn=arn, tagKeys=["b"])
        assert {"key": "b", "value": "2"} not in aws.ecs.list_tags_for_resource(resourceArn=arn)["tags"]
    tagged = aws.client("resourcegroupstaggingapi").get_resources(TagFilters=[{"Key": "a"}])
    assert [one["ResourceARN"] for one in tagged["ResourceTagMappingList"]] == [service["serviceArn"]]
    aws.client("application-autoscaling").register_scalable_target(
        ServiceNamespace="ecs",
        ResourceId="service/c/s",
        ScalableDimension="ecs:service:DesiredCount",
        MinCapacity=1,
        MaxCapacity=4,
    )
