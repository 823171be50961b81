"""Security groups and their rules (service EC2)."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from local.plugins.aws.blocks import Blocks, same_names
from local.plugins.aws.codec import is_unknown
from local.plugins.aws.model import Call, Look, Type, fixed, local, plain
from local.plugins.aws.types import tagging

# Wire name of a list in a rule, its name in an IpPermission, and the name of a member there.
_SOURCES = (
    ("cidrBlocks", "IpRanges", "CidrIp"),
    ("ipv6CidrBlocks", "Ipv6Ranges", "CidrIpv6"),
    ("prefixListIds", "PrefixListIds", "PrefixListId"),
    ("securityGroups", "UserIdGroupPairs", "GroupId"),
)


class Permissions(Blocks):
    """Rules inside a group. AWS joins rules of the same ports, so only the set of all single permissions counts."""

    def __init__(self) -> None:
        names = "protocol fromPort toPort cidrBlocks ipv6CidrBlocks prefixListIds securityGroups description"
        super().__init__(same_names(names), ordered=False)

    def encode(self, value: Any) -> Any:
        return value if is_unknown(value) else [self._permission(rule) for rule in value]

    def _permission(self, rule: Mapping[str, Any]) -> dict[str, Any]:
        made: dict[str, Any] = {"IpProtocol": str(rule["protocol"])}
        if made["IpProtocol"] != "-1":
            made |= {"FromPort": rule["fromPort"], "ToPort": rule["toPort"]}
        about = {"Description": rule["description"]} if rule.get("description") else {}
        for wire, api, member in _SOURCES:
            if rule.get(wire):
                made[api] = [{member: one, **about} for one in rule[wire]]
        return made

    def decode(self, value: Any) -> Any:
        return [self._rule(permission) for permission in value or []]

    def _rule(self, permission: Mapping[str, Any]) -> dict[str, Any]:
        made: dict[str, Any] = {
            "protocol": permission["IpProtocol"],
            "fromPort": permission.get("FromPort", 0),
            "toPort": permission.get("ToPort", 0),
        }
        for wire, api, member in _SOURCES:
            if permission.get(api):
                made[wire] = [one[member] for one in permission[api]]
                about = next((one["Description"] for one in permission[api] if one.get("Description")), "")
                made |= {"description": about} if about else {}
        return made

    def same(self, one: Any, other: Any) -> bool:
        if not isinstance(one, list) or not isinstance(other, list):
            return bool(one == other)
        return set(self._singles(one)) == set(self._singles(other))

    def keep(self, given: Any, live: Any) -> Any:
        return given if self.same(given, live) else live

    def _singles(self, rules: Any) -> Iterator[str]:
        for rule in rules:
            permission = self._permission(rule)
            for _, api, _ in _SOURCES:
                for member in permission.get(api, []):
                    ports = [permission["IpProtocol"], permission.get("FromPort"), permission.get("ToPort")]
                    yield json.dumps([ports, member], sort_keys=True)


_RULES = Permissions()
_INSIDE = {
    "ingress": plain("", _RULES, read="IpPermissions", computed=True),
    "egress": plain("", _RULES, read="IpPermissionsEgress", computed=True),
    "revokeRulesOnDelete": local(default=False),
}
_CHANGE_INSIDE = tuple(
    Call(
        operation=f"{verb}_security_group_{way}",
        params={"GroupId": "{id}", "IpPermissions": f"{{{sign}{way}}}"},
        when=f"{{{sign}{way}}}",
    )
    for verb, sign in (("revoke", "-"), ("authorize", "+"))
    for way in ("ingress", "egress")
)
_OUTPUTS = {"ownerId": "OwnerId"}
_ARN = {"arn": "arn:{partition}:ec2:{region}:{ownerId}:security-group/{id}"}
_READ = Look(operation="describe_security_groups", params={"GroupIds": ["{id}"]}, path="SecurityGroups[0]")

SECURITY_GROUP = Type(
    kind="aws:ec2/securityGroup:SecurityGroup",
    service="ec2",
    properties={
        "name": fixed("GroupName"),
        "description": fixed("Description", default="Managed by Pulumi"),
        "vpcId": fixed("VpcId", computed=True),
        **_INSIDE,
    },
    outputs=_OUTPUTS,
    derived=_ARN,
    id="GroupId",
    create=Call(operation="create_security_group", sends="name description vpcId"),
    # AWS opens a new group to everywhere; the provider closes it, so that rules say all there is.
    after=(
        Call(
            operation="revoke_security_group_egress",
            params={
                "GroupId": "{id}",
                "IpPermissions": [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}],
            },
        ),
    ),
    read=_READ,
    update=_CHANGE_INSIDE,
    delete=(Call(operation="delete_security_group", params={"GroupId": "{id}"}),),
    gone=("InvalidGroup.NotFound", "InvalidGroupId.NotFound"),
    name="name",
    tags=tagging.ec2("security-group"),
)

DEFAULT_SECURITY_GROUP = Type(
    kind="aws:ec2/defaultSecurityGroup:DefaultSecurityGroup",
    service="ec2",
    properties={"vpcId": fixed("VpcId"), **_INSIDE},
    outputs={**_OUTPUTS, "name": "GroupName", "description": "Description"},
    derived=_ARN,
    id="GroupId",
    adopt=Look(
        operation="describe_security_groups",
        params={"Filters": [{"Name": "vpc-id", "Values": ["{vpcId}"]}, {"Name": "group-name", "Values": ["default"]}]},
        path="SecurityGroups[0]",
    ),
    read=_READ,
    update=_CHANGE_INSIDE,
    # AWS deletes it with its VPC, and not before.
    delete=(),
    gone=("InvalidGroup.NotFound", "InvalidGroupId.NotFound"),
    tags=tagging.ec2("security-group"),
)

_MEMBER = {"Description": "{description}"}
_RULE = {
    "securityGroupId": fixed("GroupId"),
    "ipProtocol": plain("IpProtocol"),
    "fromPort": plain("FromPort", computed=True),
    "toPort": plain("ToPort", computed=True),
    "cidrIpv4": plain("CidrIpv4", absent=None),
    "cidrIpv6": plain("CidrIpv6", absent=None),
    "prefixListId": plain("PrefixListId", absent=None),
    "referencedSecurityGroupId": plain("ReferencedGroupId", read="ReferencedGroupInfo.GroupId", absent=None),
    "description": plain("Description", absent=""),
}
_ANOTHER_GROUP = {"?": "{referencedSecurityGroupId}", "GroupId": "{referencedSecurityGroupId}", **_MEMBER}
_PERMISSION = {
    "IpProtocol": "{ipProtocol}",
    "FromPort": "{fromPort}",
    "ToPort": "{toPort}",
    "IpRanges": [{"?": "{cidrIpv4}", "CidrIp": "{cidrIpv4}", **_MEMBER}],
    "Ipv6Ranges": [{"?": "{cidrIpv6}", "CidrIpv6": "{cidrIpv6}", **_MEMBER}],
    "PrefixListIds": [{"?": "{prefixListId}", "PrefixListId": "{prefixListId}", **_MEMBER}],
    "UserIdGroupPairs": [_ANOTHER_GROUP],
}
_CHANGED = {
    "IpProtocol": "{ipProtocol}",
    "FromPort": "{fromPort}",
    "ToPort": "{toPort}",
    "CidrIpv4": "{cidrIpv4}",
    "CidrIpv6": "{cidrIpv6}",
    "PrefixListId": "{prefixListId}",
    "ReferencedGroupId": "{referencedSecurityGroupId}",
    "Description": "{description}",
}
_CHANGE_RULE = Call(
    operation="modify_security_group_rules",
    params={
        "GroupId": "{securityGroupId}",
        "SecurityGroupRules": [{"SecurityGroupRuleId": "{id}", "SecurityGroupRule": _CHANGED}],
    },
)
_READ_RULE = Look(
    operation="describe_security_group_rules",
    params={"SecurityGroupRuleIds": ["{id}"]},
    path="SecurityGroupRules[0]",
)


def _rule(direction: str, verb: str) -> Type:
    """A rule as a resource of its own."""
    return Type(
        kind=f"aws:vpc/securityGroup{direction}Rule:SecurityGroup{direction}Rule",
        service="ec2",
        properties=_RULE,
        outputs={"securityGroupRuleId": "SecurityGroupRuleId"},
        derived={"arn": "arn:{partition}:ec2:{region}:{account}:security-group-rule/{id}"},
        id="SecurityGroupRules[0].SecurityGroupRuleId",
        create=Call(
            operation=f"authorize_security_group_{verb}",
            params={"GroupId": "{securityGroupId}", "IpPermissions": [_PERMISSION]},
        ),
        read=_READ_RULE,
        update=(_CHANGE_RULE,),
        delete=(
            Call(
                operation=f"revoke_security_group_{verb}",
                params={"GroupId": "{securityGroupId}", "SecurityGroupRuleIds": ["{id}"]},
            ),
        ),
        gone=("InvalidSecurityGroupRuleId.NotFound", "InvalidGroup.NotFound", "InvalidPermission.NotFound"),
        tags=tagging.ec2("security-group-rule"),
    )


TYPES = (SECURITY_GROUP, DEFAULT_SECURITY_GROUP, _rule("Ingress", "ingress"), _rule("Egress", "egress"))
