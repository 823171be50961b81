"""The network of a task: an elastic network interface in moto's EC2 whose address is the task's loopback address."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from moto.ec2.exceptions import InvalidSecurityGroupNotFoundError, InvalidSubnetIdError
from moto.ec2.models import ec2_backends

from local.ecs.errors import StartFailure, invalid
from local.ecs.model import Place, Task


def check(place: Place, configuration: Mapping[str, Any] | None) -> None:
    """Refuse a network configuration that AWS would refuse.

    Raises:
        InvalidParameterException: none given, no subnet, or a subnet or security group that does not exist.
    """
    if not configuration or "awsvpcConfiguration" not in configuration:
        raise invalid("Network Configuration must be provided when networkMode 'awsvpc' is specified.")
    vpc = configuration["awsvpcConfiguration"]
    if not vpc.get("subnets"):
        raise invalid("subnets can not be empty.")
    ec2 = ec2_backends[place.account][place.region]
    for subnet in vpc["subnets"]:
        try:
            ec2.describe_subnets(subnet_ids=[subnet])
        except InvalidSubnetIdError:
            raise invalid(
                f"Error retrieving subnet information for [{subnet}]: The subnet ID '{subnet}' does not exist "
                "(ErrorCode: InvalidSubnetID.NotFound)"
            ) from None
    for group in vpc.get("securityGroups") or ():
        try:
            ec2.describe_security_groups(group_ids=[group])
        except InvalidSecurityGroupNotFoundError:
            raise invalid(
                f"Error retrieving security group information for [{group}]: The security group '{group}' does not "
                "exist (ErrorCode: InvalidGroup.NotFound)"
            ) from None


def announce(task: Task) -> None:
    """The attachment as RunTask answers it, before there is an interface."""
    subnet = _vpc(task)["subnets"][task.order % len(_vpc(task)["subnets"])]
    task.attachment = {
        "id": str(uuid.uuid4()),
        "type": "ElasticNetworkInterface",
        "status": "PRECREATED",
        "details": [{"name": "subnetId", "value": subnet}],
    }


def attach(task: Task) -> None:
    """Make the interface; spreads tasks over the subnets.

    Raises:
        StartFailure: the subnet was deleted meanwhile.
    """
    if task.attachment is None:
        return
    subnet = task.attachment["details"][0]["value"]
    try:
        interface = ec2_backends[task.place.account][task.place.region].create_network_interface(
            subnet=subnet,
            private_ip_address=task.address,
            group_ids=list(_vpc(task).get("securityGroups") or ()),
            description=f"ECS task {task.id}",
        )
    except InvalidSubnetIdError:
        raise StartFailure(
            f"Unexpected EC2 error while attempting to Create Network Interface in subnet '{subnet}': "
            "InvalidSubnetID.NotFound"
        ) from None
    interface.status = "in-use"
    task.attachment["status"] = "ATTACHED"
    task.attachment["details"] = [
        {"name": "subnetId", "value": subnet},
        {"name": "networkInterfaceId", "value": interface.id},
        {"name": "macAddress", "value": interface.mac_address},
        {
            "name": "privateDnsName",
            "value": f"ip-{str(task.address).replace('.', '-')}.{task.place.region}.compute.internal",
        },
        {"name": "privateIPv4Address", "value": task.address},
    ]


def detach(task: Task) -> None:
    """Delete the interface; the attachment keeps telling what it was."""
    if task.attachment is None or task.attachment["status"] == "DELETED":
        return
    details = {one["name"]: one["value"] for one in task.attachment["details"]}
    task.attachment["status"] = "DELETED"
    interfaces = ec2_backends[task.place.account][task.place.region].enis
    interfaces.pop(details.get("networkInterfaceId"), None)


def _vpc(task: Task) -> Mapping[str, Any]:
    configuration: Mapping[str, Any] = (task.network or {})["awsvpcConfiguration"]
    return configuration
