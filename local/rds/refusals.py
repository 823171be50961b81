"""What RDS refuses when a DB instance is created, changed or deleted. The texts are RDS's where they are known."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from moto.ec2.models import ec2_backends

from local.moto_ext.errors import aws_error
from local.rds.binaries import Distribution, distributions
from local.rds.parameters import is_static, known

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
USER = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}")
CLASS = re.compile(r"db\.[a-z0-9-]+\.[a-z0-9]+")
RESERVED_USERS = frozenset({"admin", "rdsadmin", "rds_superuser", "public", "user", "rdsrepladmin", "rdstopmgr"})
PASSWORD = re.compile(r"[!-~]+")
PASSWORD_LENGTH = range(8, 129)
STORAGE_GIB = range(20, 65537)
PORTS = range(1150, 65536)

Json = Mapping[str, Any]


def create(backend: Any, given: Json) -> Distribution:
    """Check CreateDBInstance for PostgreSQL; the distribution that will serve it.

    Raises:
        Exception: (of AWS) what AWS would refuse.
    """
    for name in ("db_instance_class", "master_username", "allocated_storage"):
        if not given.get(name):
            parameter = {"db_instance_class": "DBInstanceClass", "master_username": "MasterUsername"}
            raise missing(parameter.get(name, "AllocatedStorage"))
    if not CLASS.fullmatch(given["db_instance_class"]):
        raise invalid(f"Invalid DB Instance class: {given['db_instance_class']}")
    if int(given["allocated_storage"]) not in STORAGE_GIB:
        raise invalid(f"Invalid storage size for engine name postgres: {given['allocated_storage']}")
    if int(given.get("port") or 5432) not in PORTS:
        raise invalid(f"Invalid port {given['port']}: the range is {PORTS.start} to {PORTS.stop - 1}")
    _check_names(given)
    _check_owner_password(given)
    distribution = distribution_for(str(given.get("engine_version") or ""))
    _check_family(backend, given, distribution, str(given.get("engine_version") or distribution.version))
    _check_groups(backend, given)
    return distribution


def distribution_for(version: str) -> Distribution:
    """The PostgreSQL for an engine version: that major one, else the next newer that is at hand.

    Raises:
        Exception: (of AWS) newer than all that are at hand, or no version at all.
    """
    newest = distributions()[0]
    if not version:
        return newest
    if not re.fullmatch(r"\d+(\.\d+)?", version):
        raise combination(f"Cannot find version {version} for postgres")
    major = int(version.split(".")[0])
    fit = [one for one in distributions() if one.major >= major]
    if not fit:
        raise combination(f"Cannot find version {version} for postgres: the embedded AWS has up to {newest.version}")
    return min(fit, key=lambda one: one.major)


def answered_version(asked: str, distribution: Distribution) -> str:
    """The engine version that is answered: RDS completes a major version that was asked for alone."""
    if not asked:
        return distribution.version
    return asked if "." in asked else f"{asked}.{distribution.version.split('.')[1]}"


def password(text: str) -> None:
    """Check a master password.

    Raises:
        Exception: (of AWS) too short, too long, or with a character that RDS does not take.
    """
    start = "The parameter MasterUserPassword is not a valid password"
    if len(text) not in PASSWORD_LENGTH:
        raise invalid(f"{start} because it has {len(text)} characters, and 8 to 128 are needed.")
    if not PASSWORD.fullmatch(text) or set(text) & set("/@\"' "):
        raise invalid(f"{start}. Only printable ASCII characters besides '/', '@', '\"', ' ' may be used.")


def modify(instance: Any, given: Json) -> None:
    """Check ModifyDBInstance.

    Raises:
        Exception: (of AWS) what AWS would refuse, or what the embedded AWS does not do.
    """
    if new := given.get("master_user_password"):
        if instance.manage_master_user_password and given.get("manage_master_user_password") is not False:
            raise combination(
                "You can't specify MasterUserPassword for an instance with ManageMasterUserPassword enabled."
            )
        password(new)
    if given.get("rotate_master_user_password") and not instance.manage_master_user_password:
        raise combination("You can't rotate a master user password that RDS does not manage.")
    version = str(given.get("engine_version") or "")
    if version and version.split(".")[0] != instance.engine_version.split(".")[0]:
        raise combination(
            f"The embedded AWS does not upgrade {instance.engine_version} to {version}: replace the instance"
        )


def state(instance: Any, *expected: str) -> None:
    """Check that an instance is in one of these states.

    Raises:
        Exception: (of AWS) it is not.
    """
    if instance.status not in expected:
        raise aws_error(
            "InvalidDBInstanceState",
            f"Database instance {instance.db_instance_identifier} is not in {' or '.join(expected)} state; "
            f"it is {instance.status}.",
        )


def delete(given: Json) -> None:
    """Check the final snapshot of DeleteDBInstance.

    Raises:
        Exception: (of AWS) neither a name nor `SkipFinalSnapshot`, or both.
    """
    name, skip = given.get("final_db_snapshot_identifier"), given.get("skip_final_snapshot")
    if skip and name:
        raise combination("FinalDBSnapshotIdentifier can not be specified when SkipFinalSnapshot is specified")
    if not skip and not name:
        raise combination("FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified.")


def parameters(family: str, new: list[Json]) -> None:
    """Check ModifyDBParameterGroup for a family of PostgreSQL.

    Raises:
        Exception: (of AWS) an unknown parameter, or a static one that should apply at once.
    """
    distribution = distribution_for(family.removeprefix("postgres"))
    for one in new:
        name = one.get("ParameterName", "")
        if not known(distribution, name):
            raise invalid(f"Could not find parameter with name: {name}")
        if is_static(distribution, name) and one.get("ApplyMethod") == "immediate":
            raise combination(f"cannot use immediate apply method for static parameter: {name}")


def _check_names(given: Json) -> None:
    user, name = given["master_username"], given.get("db_name")
    if not USER.fullmatch(user):
        raise invalid("The parameter MasterUsername is not a valid identifier: letters, digits and _, at most 63")
    if user.lower() in RESERVED_USERS or user.lower().startswith("pg_"):
        raise invalid(f"MasterUsername {user} cannot be used as it is a reserved word used by the engine")
    if name and not NAME.fullmatch(name):
        raise invalid("DBName must begin with a letter and contain only alphanumeric characters and _")


def _check_owner_password(given: Json) -> None:
    text, managed = given.get("master_user_password"), given.get("manage_master_user_password")
    if managed and text:
        raise combination("You can't specify MasterUserPassword when ManageMasterUserPassword is enabled.")
    if not managed:
        if not text:
            raise missing("MasterUserPassword")
        password(text)


def _check_family(backend: Any, given: Json, distribution: Distribution, version: str) -> None:
    name = given.get("db_parameter_group_name")
    group = backend.db_parameter_groups.get(name) if name else None
    family = f"postgres{version.split('.')[0]}"
    if group is not None and group.family != family:
        raise combination(
            f"The Parameter Group {name} with DBParameterGroupFamily {group.family} can't be used for this instance. "
            f"Please use a Parameter Group with DBParameterGroupFamily {family} (engine version {distribution.version})"
        )


def _check_groups(backend: Any, given: Json) -> None:
    ec2 = ec2_backends[backend.account_id][backend.region_name]
    vpcs = set()
    for group_id in given.get("vpc_security_group_ids") or ():
        group = ec2.get_security_group_from_id(group_id)
        if group is None:
            raise invalid(f"Invalid security group , groupId= {group_id}, groupName=.")
        vpcs.add(group.vpc_id)
    subnets = backend.subnet_groups.get(given.get("db_subnet_group_name") or "")
    if subnets is not None and vpcs - {subnets.vpc_id}:
        raise aws_error(
            "InvalidVPCNetworkStateFault",
            "The DB instance and EC2 security group are in different VPCs. "
            f"The DB instance is in {subnets.vpc_id} and the EC2 security group is in {', '.join(sorted(vpcs))}",
        )


def invalid(text: str) -> Exception:
    """A value that RDS does not take."""
    return aws_error("InvalidParameterValue", text)


def combination(text: str) -> Exception:
    """Values that do not go together."""
    return aws_error("InvalidParameterCombination", text)


def missing(parameter: str) -> Exception:
    """A parameter that has to be given."""
    return aws_error("MissingParameter", f"The request must contain the parameter {parameter}.")
