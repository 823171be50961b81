"""Less of moto in memory: the tables that nothing here asks for."""

from __future__ import annotations

from typing import Any

import boto3.session
from moto.utilities import utils

from local.folder import REGION

# What instance types there are, and which of them is offered in which zone of which region.
UNUSED: dict[str, type] = {"ec2/resources/instance_type_offerings": list, "ec2/resources/instance_types": dict}
# Global services live in us-east-1.
REGIONS = ("us-east-1", REGION)


def patch() -> None:
    """Apply both; before anything of moto is loaded."""
    instance_types()
    regions()


def instance_types() -> None:
    """moto loads its tables of EC2 instance types of all regions when it is imported: 20 MB."""
    original = utils.load_resource

    def load_resource(resource: str) -> Any:
        empty = next((kind for start, kind in UNUSED.items() if resource.startswith(start)), None)
        return empty() if empty else original(resource)

    utils.load_resource = load_resource


def regions() -> None:
    """moto asks boto3 for every region of every service, which loads all endpoints of AWS: 40 MB."""

    def available(*_: Any, partition_name: str = "aws", **__: Any) -> list[str]:
        return list(REGIONS) if partition_name == "aws" else []

    boto3.session.Session.get_available_regions = available
    boto3.session.Session.get_available_partitions = lambda _: ["aws"]
