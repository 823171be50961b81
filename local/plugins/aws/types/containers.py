"""Clusters, task definitions, services and repositories (services ECS and ECR)."""

from local.plugins.aws.blocks import Block, Blocks, same_names
from local.plugins.aws.codec import JSON, SET, TEXT, Before, Choice, JsonItems
from local.plugins.aws.model import Call, Look, Type, Wait, fixed, local, plain
from local.plugins.aws.types import tagging

CLUSTER = Type(
    kind="aws:ecs/cluster:Cluster",
    service="ecs",
    properties={
        "name": fixed("clusterName"),
        "settings": plain("settings", Blocks(same_names("name value"), ordered=False), computed=True),
    },
    outputs={"arn": "clusterArn"},
    id="cluster.clusterArn",
    create=Call(operation="create_cluster", sends="name settings"),
    created=Wait(path="status", until=("ACTIVE",), failed=("FAILED",)),
    read=Look(
        operation="describe_clusters",
        params={"clusters": ["{id}"], "include": ["SETTINGS"]},
        path="clusters[0]",
    ),
    update=(Call(operation="update_cluster", sends="settings", params={"cluster": "{id}"}),),
    delete=(Call(operation="delete_cluster", params={"cluster": "{id}"}),),
    deleted=Wait(path="status", until=()),
    gone=("ClusterNotFoundException",),
    gone_when=("status", ("INACTIVE",)),
    name="name",
    tags=tagging.ECS,
)

TASK_DEFINITION = Type(
    kind="aws:ecs/taskDefinition:TaskDefinition",
    service="ecs",
    properties={
        "family": fixed("family"),
        "containerDefinitions": fixed("containerDefinitions", JsonItems()),
        "cpu": fixed("cpu", TEXT),
        "memory": fixed("memory", TEXT),
        "networkMode": fixed("networkMode", computed=True),
        "requiresCompatibilities": fixed("requiresCompatibilities", SET),
        "runtimePlatform": fixed("runtimePlatform", Block(same_names("cpuArchitecture operatingSystemFamily"))),
        "executionRoleArn": fixed("executionRoleArn"),
        "taskRoleArn": fixed("taskRoleArn"),
        "ephemeralStorage": fixed("ephemeralStorage", Block(same_names("", sizeInGib="sizeInGiB"))),
        "volumes": fixed("volumes", Blocks(same_names("name", hostPath="host.sourcePath"), ordered=False)),
        "pidMode": fixed("pidMode"),
        "ipcMode": fixed("ipcMode"),
        "skipDestroy": local(default=False),
    },
    outputs={
        "arn": "taskDefinitionArn",
        "arnWithoutRevision": ("taskDefinitionArn", Before(":")),
        "revision": "revision",
    },
    id="{family}",
    create=Call(
        operation="register_task_definition",
        sends="family containerDefinitions cpu memory networkMode requiresCompatibilities runtimePlatform"
        " executionRoleArn taskRoleArn ephemeralStorage volumes pidMode ipcMode",
    ),
    # By its revision: the family alone would name whatever is newest.
    read=Look(operation="describe_task_definition", params={"taskDefinition": "{arn|id}"}, path="taskDefinition"),
    delete=(Call(operation="deregister_task_definition", params={"taskDefinition": "{arn}"}, unless="{skipDestroy}"),),
    gone=("ClientException",),
    gone_when=("status", ("INACTIVE", "DELETE_IN_PROGRESS")),
    tags=tagging.ECS,
)

_STEADY = "length(deployments) == `1` && runningCount == desiredCount && deployments[0].rolloutState == 'COMPLETED'"
_NETWORK = Block(
    same_names(
        "subnets securityGroups", assignPublicIp=("assignPublicIp", Choice({True: "ENABLED", False: "DISABLED"}))
    )
    | {"subnets": ("subnets", SET), "securityGroups": ("securityGroups", SET)}
)
_SERVICE = {
    "taskDefinition": plain("taskDefinition"),
    "desiredCount": plain("desiredCount", computed=True),
    "networkConfiguration": plain("networkConfiguration.awsvpcConfiguration", _NETWORK),
    "loadBalancers": plain(
        "loadBalancers",
        Blocks(same_names("targetGroupArn elbName containerName containerPort"), ordered=False),
        absent=[],
    ),
    "healthCheckGracePeriodSeconds": plain("healthCheckGracePeriodSeconds", absent=0),
    "deploymentCircuitBreaker": plain(
        "deploymentConfiguration.deploymentCircuitBreaker", Block(same_names("enable rollback")), computed=True
    ),
    "deploymentMaximumPercent": plain("deploymentConfiguration.maximumPercent", computed=True),
    "deploymentMinimumHealthyPercent": plain("deploymentConfiguration.minimumHealthyPercent", computed=True),
    "enableEcsManagedTags": plain("enableECSManagedTags", default=False),
    "enableExecuteCommand": plain("enableExecuteCommand", default=False),
    "platformVersion": plain("platformVersion", computed=True),
    "propagateTags": plain("propagateTags", absent="NONE"),
    "availabilityZoneRebalancing": plain("availabilityZoneRebalancing", computed=True),
}

SERVICE = Type(
    kind="aws:ecs/service:Service",
    service="ecs",
    properties={
        **_SERVICE,
        "name": fixed("serviceName"),
        "cluster": fixed("cluster", read="clusterArn", computed=True),
        "launchType": fixed("launchType", computed=True),
        "schedulingStrategy": fixed("schedulingStrategy", default="REPLICA"),
        "deploymentController": fixed("deploymentController", Block(same_names("type")), computed=True),
        "waitForSteadyState": local(default=False),
        "forceNewDeployment": local(default=False),
        "forceDelete": local(default=False),
    },
    outputs={"arn": "serviceArn"},
    id="service.serviceArn",
    create=Call(
        operation="create_service",
        sends=" ".join(_SERVICE) + " name cluster launchType schedulingStrategy deploymentController",
    ),
    created=Wait(path=_STEADY, until=(True,), seconds=1200, when="{waitForSteadyState}"),
    updated=Wait(path=_STEADY, until=(True,), seconds=1200, when="{waitForSteadyState}"),
    read=Look(operation="describe_services", params={"cluster": "{cluster}", "services": ["{id}"]}, path="services[0]"),
    update=(
        Call(
            operation="update_service",
            sends=" ".join(_SERVICE),
            params={
                "cluster": "{cluster}",
                "service": "{id}",
                "forceNewDeployment": "{forceNewDeployment}",
            },
        ),
    ),
    # AWS stops the tasks of a service that is deleted by force; otherwise it wants the count to be 0 first.
    delete=(Call(operation="delete_service", params={"cluster": "{cluster}", "service": "{id}", "force": True}),),
    deleted=Wait(path="status", until=(), seconds=1200),
    gone=("ServiceNotFoundException", "ClusterNotFoundException", "ServiceNotActiveException"),
    gone_when=("status", ("INACTIVE",)),
    name="name",
    tags=tagging.ECS,
)

REPOSITORY = Type(
    kind="aws:ecr/repository:Repository",
    service="ecr",
    properties={
        "name": fixed("repositoryName"),
        "imageTagMutability": plain("imageTagMutability", default="MUTABLE"),
        "imageScanningConfiguration": plain(
            "imageScanningConfiguration", Block(same_names("scanOnPush")), computed=True
        ),
        "encryptionConfigurations": fixed(
            "encryptionConfiguration",
            Block(same_names("encryptionType", kmsKey="kmsKey"), listed=True),
            computed=True,
        ),
        "forceDelete": local(default=False),
    },
    outputs={"arn": "repositoryArn", "registryId": "registryId", "repositoryUrl": "repositoryUri"},
    id="{name}",
    create=Call(
        operation="create_repository",
        sends="name imageTagMutability imageScanningConfiguration encryptionConfigurations",
    ),
    read=Look(operation="describe_repositories", params={"repositoryNames": ["{name|id}"]}, path="repositories[0]"),
    update=(
        Call(operation="put_image_tag_mutability", sends="imageTagMutability", params={"repositoryName": "{id}"}),
        Call(
            operation="put_image_scanning_configuration",
            sends="imageScanningConfiguration",
            params={"repositoryName": "{id}"},
        ),
    ),
    delete=(Call(operation="delete_repository", params={"repositoryName": "{id}", "force": "{forceDelete}"}),),
    gone=("RepositoryNotFoundException",),
    name="name",
    name_lower=True,
    tags=tagging.ECR,
)

LIFECYCLE_POLICY = Type(
    kind="aws:ecr/lifecyclePolicy:LifecyclePolicy",
    service="ecr",
    properties={
        "repository": fixed("repositoryName"),
        "policy": plain("lifecyclePolicyText", JSON),
    },
    outputs={"registryId": "registryId"},
    id="{repository}",
    create=Call(operation="put_lifecycle_policy", sends="repository policy"),
    read=Look(operation="get_lifecycle_policy", params={"repositoryName": "{repository|id}"}),
    update=(Call(operation="put_lifecycle_policy", sends="policy", params={"repositoryName": "{repository}"}),),
    delete=(Call(operation="delete_lifecycle_policy", params={"repositoryName": "{repository}"}),),
    gone=("LifecyclePolicyNotFoundException", "RepositoryNotFoundException"),
    unique=("repository",),
)

TYPES = (CLUSTER, TASK_DEFINITION, SERVICE, REPOSITORY, LIFECYCLE_POLICY)
