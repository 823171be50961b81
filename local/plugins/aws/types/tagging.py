"""How each service takes tags."""

from local.plugins.aws.model import Call, Look, Tags


def ec2(kind: str) -> Tags:
    """EC2's way, for resources of the given ResourceType."""
    return Tags(
        create="TagSpecifications",
        kind=kind,
        add=Call(operation="create_tags", params={"Resources": ["{id}"], "Tags": "{tags}"}),
        remove=Call(operation="delete_tags", params={"Resources": ["{id}"], "Tags": "{keyed}"}),
    )


ELB = Tags(
    add=Call(operation="add_tags", params={"ResourceArns": ["{id}"], "Tags": "{tags}"}),
    remove=Call(operation="remove_tags", params={"ResourceArns": ["{id}"], "TagKeys": "{keys}"}),
    look=Look(operation="describe_tags", params={"ResourceArns": ["{id}"]}, path="TagDescriptions[0].Tags"),
    read="@",
)
RDS = Tags(
    add=Call(operation="add_tags_to_resource", params={"ResourceName": "{arn}", "Tags": "{tags}"}),
    remove=Call(operation="remove_tags_from_resource", params={"ResourceName": "{arn}", "TagKeys": "{keys}"}),
    look=Look(operation="list_tags_for_resource", params={"ResourceName": "{arn}"}),
    read="TagList",
)
ECS = Tags(
    create="tags",
    key="key",
    value="value",
    add=Call(operation="tag_resource", params={"resourceArn": "{arn}", "tags": "{tags}"}),
    remove=Call(operation="untag_resource", params={"resourceArn": "{arn}", "tagKeys": "{keys}"}),
    look=Look(operation="list_tags_for_resource", params={"resourceArn": "{arn}"}),
    read="tags",
)
ECR = Tags(
    create="tags",
    add=Call(operation="tag_resource", params={"resourceArn": "{arn}", "tags": "{tags}"}),
    remove=Call(operation="untag_resource", params={"resourceArn": "{arn}", "tagKeys": "{keys}"}),
    look=Look(operation="list_tags_for_resource", params={"resourceArn": "{arn}"}),
    read="tags",
)
LOGS = Tags(
    create="tags",
    key="",
    add=Call(operation="tag_resource", params={"resourceArn": "{arn}", "tags": "{tags}"}),
    remove=Call(operation="untag_resource", params={"resourceArn": "{arn}", "tagKeys": "{keys}"}),
    look=Look(operation="list_tags_for_resource", params={"resourceArn": "{arn}"}),
    read="tags",
)
CLOUDWATCH = Tags(
    add=Call(operation="tag_resource", params={"ResourceARN": "{arn}", "Tags": "{tags}"}),
    remove=Call(operation="untag_resource", params={"ResourceARN": "{arn}", "TagKeys": "{keys}"}),
    look=Look(operation="list_tags_for_resource", params={"ResourceARN": "{arn}"}),
)
ROLE = Tags(
    add=Call(operation="tag_role", params={"RoleName": "{id}", "Tags": "{tags}"}),
    remove=Call(operation="untag_role", params={"RoleName": "{id}", "TagKeys": "{keys}"}),
)
SECRET = Tags(
    add=Call(operation="tag_resource", params={"SecretId": "{id}", "Tags": "{tags}"}),
    remove=Call(operation="untag_resource", params={"SecretId": "{id}", "TagKeys": "{keys}"}),
)
KMS = Tags(
    key="TagKey",
    value="TagValue",
    add=Call(operation="tag_resource", params={"KeyId": "{id}", "Tags": "{tags}"}),
    remove=Call(operation="untag_resource", params={"KeyId": "{id}", "TagKeys": "{keys}"}),
    look=Look(operation="list_resource_tags", params={"KeyId": "{id}"}),
)
