"""RDS: what moto answers wrongly, database or not. That there is a database is `local/rds`."""

from __future__ import annotations

import secrets
import string
from typing import Any

from moto.core.responses import ActionResult
from moto.rds.models import DBCluster, DBInstance, DBParameterGroup, RDSBackend
from moto.rds.responses import RDSResponse

from local.moto_ext.errors import aws_error

RESOURCE_ID = string.ascii_uppercase + string.digits
MIN_ZONES = 2


def resource_ids() -> None:
    """moto gives every DB instance one and the same DbiResourceId, and forgets Performance Insights."""
    original = DBInstance.__init__

    def init(instance: Any, *args: Any, **kwargs: Any) -> None:
        original(instance, *args, **kwargs)
        instance.dbi_resource_id = "db-" + "".join(secrets.choice(RESOURCE_ID) for _ in range(26))
        instance.performance_insights_enabled = bool(kwargs.get("enable_performance_insights"))

    DBInstance.__init__ = init


def parameter_sources() -> None:
    """moto answers parameters without their Source, by which clients tell a user's value from a default."""
    original = DBParameterGroup.update_parameters

    def update_parameters(group: Any, new: Any) -> None:
        original(group, new)
        for parameter in group.parameters.values():
            parameter.setdefault("Source", "user")

    DBParameterGroup.update_parameters = update_parameters


def reset_parameters() -> None:
    """moto has no ResetDBParameterGroup."""

    def reset_db_parameter_group(response: Any) -> Any:
        name = response.params.get("DBParameterGroupName")
        groups = response.backend.describe_db_parameter_groups({"db_parameter_group_name": name})
        group = groups[0]
        if response.params.get("ResetAllParameters"):
            group.parameters.clear()
        for parameter in response.params.get("Parameters", []):
            group.parameters.pop(parameter["ParameterName"], None)
        response.backend.modify_db_parameter_group(group.name, [])  # so that its databases hear of it
        return ActionResult({"DBParameterGroupName": group.name})

    RDSResponse.reset_db_parameter_group = reset_db_parameter_group


def serverless_scaling() -> None:
    """moto answers an empty ScalingConfigurationInfo for clusters that have none, which reads as serverless v1."""
    original = DBCluster.scaling_configuration_info.fget
    DBCluster.scaling_configuration_info = property(
        lambda cluster: original(cluster) if cluster.scaling_configuration else None
    )


def groups_in_use() -> None:
    """moto deletes subnet groups and parameter groups that DB instances use; AWS answers Invalid...State."""
    subnets, parameters = RDSBackend.delete_subnet_group, RDSBackend.delete_db_parameter_group

    def delete_subnet_group(backend: Any, subnet_name: str) -> Any:
        for one in backend.databases.values():
            group = getattr(one, "db_subnet_group", None)
            if group is not None and group.name == subnet_name.lower():
                text = f"Cannot delete the subnet group '{subnet_name}' because at least one database instance: "
                raise aws_error(
                    "InvalidDBSubnetGroupStateFault", f"{text}{one.db_instance_identifier} is still using it."
                )
        return subnets(backend, subnet_name)

    def delete_db_parameter_group(backend: Any, db_parameter_group_name: str) -> Any:
        for one in backend.databases.values():
            if (one.db_parameter_group_name or "").lower() == db_parameter_group_name.lower():
                text = "One or more database instances are still members of this parameter group "
                raise aws_error(
                    "InvalidDBParameterGroupState", f"{text}{db_parameter_group_name}, so the group cannot be deleted"
                )
        return parameters(backend, db_parameter_group_name)

    RDSBackend.delete_subnet_group = delete_subnet_group
    RDSBackend.delete_db_parameter_group = delete_db_parameter_group


def subnet_group_zones() -> None:
    """moto takes a subnet group in one zone; AWS wants two."""
    original = RDSBackend.create_subnet_group

    def create_subnet_group(backend: Any, subnet_name: str, description: str, subnets: Any, tags: Any) -> Any:
        zones = sorted({subnet.availability_zone for subnet in subnets})
        if len(zones) < MIN_ZONES:
            raise aws_error(
                "DBSubnetGroupDoesNotCoverEnoughAZs",
                "The DB subnet group doesn't meet Availability Zone (AZ) coverage requirement. Current AZ coverage: "
                f"{', '.join(zones)}. Add subnets to cover at least {MIN_ZONES} AZs.",
            )
        return original(backend, subnet_name, description, subnets, tags)

    RDSBackend.create_subnet_group = create_subnet_group


def subnet_group_changes() -> None:
    """moto loses a subnet group that is modified."""
    original = RDSBackend.modify_db_subnet_group

    def modify_db_subnet_group(backend: Any, *args: Any, **kwargs: Any) -> Any:
        group = original(backend, *args, **kwargs)
        backend.subnet_groups[group.name] = group
        return group

    RDSBackend.modify_db_subnet_group = modify_db_subnet_group


PATCHES = (
    resource_ids,
    parameter_sources,
    reset_parameters,
    serverless_scaling,
    groups_in_use,
    subnet_group_zones,
    subnet_group_changes,
)
