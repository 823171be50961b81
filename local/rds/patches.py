"""moto's DB instances made live: behind each PostgreSQL instance there is a server, and what is answered is true of it.

Other engines, clusters, replicas and restores are refused: moto would answer as if they were there.
"""

from __future__ import annotations

import functools
import json
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from moto.rds.models import DBInstance, MasterUserSecret, RDSBackend
from moto.rds.responses import RDSResponse
from moto.secretsmanager.models import SecretsManagerBackend

from local.addresses import NoFreeAddress
from local.moto_ext.errors import aws_error
from local.rds import refusals

if TYPE_CHECKING:
    from local.rds.databases import Database, Databases

ENGINE = "postgres"
PASSWORD_BYTES = 24
# What moto answers with success and with nothing behind it.
NOT_HERE = (
    *("create_db_cluster", "create_db_instance_read_replica", "restore_db_instance_from_db_snapshot"),
    *("restore_db_instance_to_point_in_time", "restore_db_cluster_to_point_in_time", "create_blue_green_deployment"),
    *("create_db_proxy", "create_global_cluster", "promote_read_replica", "restore_db_cluster_from_snapshot"),
)


def apply(databases: Databases) -> None:
    """Let these databases serve moto's DB instances. Once in a process."""
    for name in NOT_HERE:
        if hasattr(RDSResponse, name):
            setattr(RDSResponse, name, _absent(name))
    calls: dict[str, Callable[..., Any]] = {
        "create_db_instance": _create,
        "modify_db_instance": _modify,
        "delete_db_instance": _delete,
        "reboot_db_instance": _reboot,
        "stop_db_instance": _stop,
        "start_db_instance": _start,
        "modify_db_parameter_group": _modify_parameters,
    }
    for name, call in calls.items():
        setattr(RDSBackend, name, _around(getattr(RDSBackend, name), call, databases))
    _answers(databases)
    _secrets(databases)


def _around(original: Callable[..., Any], call: Callable[..., Any], databases: Databases) -> Callable[..., Any]:
    @functools.wraps(original)
    def method(backend: Any, *args: Any, **kwargs: Any) -> Any:
        return call(databases, functools.partial(original, backend), backend, *args, **kwargs)

    return method


def _absent(name: str) -> Callable[[Any], Any]:
    def answer(_: Any) -> Any:
        raise NotImplementedError("only DB instances of PostgreSQL are there")

    answer.__name__ = name
    return answer


def _answers(databases: Databases) -> None:
    """What DescribeDBInstances answers of a live instance."""
    endpoint, address = DBInstance.endpoint, DBInstance.address
    statuses = DBInstance.db_parameter_group_status_list

    def live_endpoint(instance: Any) -> Any:
        database = _database(instance)
        if database is None:
            return endpoint.fget(instance)
        told = {"Address": database.address, "Port": instance.port, "HostedZoneId": "Z29XKXDKYMONMX"}
        return told if database.reachable else None

    def live_address(instance: Any) -> str:
        database = _database(instance)
        return database.address if database else str(address.fget(instance))

    def parameter_groups(instance: Any) -> Any:
        groups = statuses.fget(instance)
        database = _database(instance)
        waits = database is not None and database.reachable and databases.pending(database)
        waits = waits or getattr(instance, "group_changed", False)
        return [
            {"DBParameterGroupName": one.name, "ParameterApplyStatus": "pending-reboot" if waits else "in-sync"}
            for one in groups
        ]

    DBInstance.endpoint = property(live_endpoint)
    DBInstance.address = property(live_address)
    DBInstance.db_parameter_group_status_list = property(parameter_groups)


def _secrets(databases: Databases) -> None:
    """The master password that RDS manages: a real one, in a real secret."""
    rotate = SecretsManagerBackend.rotate_secret

    def generate(secret: Any) -> str:
        instance = secret.resource
        return json.dumps({"username": instance.master_username, "password": secrets.token_urlsafe(PASSWORD_BYTES)})

    def rotated(secret: Any) -> None:
        _renew(databases, secret)

    def rotate_secret(backend: Any, secret_id: str, *args: Any, **kwargs: Any) -> Any:
        for database in databases.all():
            managed = getattr(database.instance, "master_user_secret", None)
            if managed is not None and secret_id in {managed.secret.arn, managed.secret.name}:
                managed.rotate_secret()
                return managed.secret.to_short_dict()
        return rotate(backend, secret_id, *args, **kwargs)

    MasterUserSecret._generate_secret_string = generate
    MasterUserSecret.rotate_secret = rotated
    SecretsManagerBackend.rotate_secret = rotate_secret


def _renew(databases: Databases, secret: Any) -> None:
    """Put a new password into the secret and into the database."""
    text = secret._generate_secret_string()
    secret.secretsmanager.put_secret_value(secret.secret.arn, text, None, None, ["AWSCURRENT"])
    databases.set_password(secret.resource, json.loads(text)["password"])


def _database(instance: Any) -> Database | None:
    database: Database | None = getattr(instance, "embedded", None)
    return database


def _create(databases: Databases, original: Callable[..., Any], backend: Any, given: Any) -> Any:
    if given.get("engine") != ENGINE:
        raise refusals.invalid(f"The embedded AWS has the engine {ENGINE} only; found {given.get('engine')}")
    if given["db_instance_identifier"] not in backend.databases:  # moto refuses a second one itself
        distribution = refusals.create(backend, given)
        given["engine_version"] = refusals.answered_version(str(given.get("engine_version") or ""), distribution)
    instance = original(given)
    instance.embedded_password = _password(instance, given)
    try:
        databases.create(instance, distribution)
    except NoFreeAddress as error:
        backend.databases.pop(instance.db_instance_identifier)
        raise aws_error("InsufficientDBInstanceCapacity", str(error)) from None
    return instance


def _password(instance: Any, given: Any) -> str:
    if instance.manage_master_user_password:
        text: str = json.loads(instance.master_user_secret.secret.secret_string)["password"]
        return text
    return str(given["master_user_password"])


def _modify(databases: Databases, original: Callable[..., Any], backend: Any, identifier: str, given: Any) -> Any:
    instance = backend.describe_db_instances(identifier)[0]
    refusals.state(instance, "available", "resetting-master-credentials")
    refusals.modify(instance, given)
    if given.get("manage_master_user_password") and instance.manage_master_user_password:
        given.pop("manage_master_user_password")  # moto would make a second secret
    group, port = instance.db_parameter_group_name, instance.port
    if given.get("db_port_number"):
        instance.port = int(given.pop("db_port_number"))
    managed = instance.manage_master_user_password
    instance = original(identifier, given)
    if instance.db_parameter_group_name != group:
        instance.group_changed = True  # RDS applies another group at the next reboot only
    if instance.manage_master_user_password and not managed:
        databases.set_password(instance, _password(instance, given))
    elif given.get("master_user_password"):
        databases.set_password(instance, given["master_user_password"])
    if instance.port != port:
        databases.reboot(instance)
    return instance


def _delete(
    databases: Databases, original: Callable[..., Any], backend: Any, db_instance_identifier: str, **given: Any
) -> Any:
    instance = backend.databases.get(db_instance_identifier)
    if instance is not None:
        refusals.delete(given)
        if instance.status == "deleting":
            refusals.state(instance, "available")
    instance = original(db_instance_identifier, **given)
    key = instance.db_instance_identifier
    backend.databases[key] = instance  # until it is gone
    databases.delete(instance, lambda: backend.databases.pop(key, None))
    return instance


def _reboot(databases: Databases, original: Callable[..., Any], _: Any, db_instance_identifier: str) -> Any:
    instance = original(db_instance_identifier)
    refusals.state(instance, "available", "incompatible-parameters")
    instance.group_changed = False
    databases.reboot(instance)
    return instance


def _stop(databases: Databases, original: Callable[..., Any], _: Any, *args: Any, **kwargs: Any) -> Any:
    instance = original(*args, **kwargs)
    databases.halt(instance)
    return instance


def _start(databases: Databases, original: Callable[..., Any], _: Any, *args: Any, **kwargs: Any) -> Any:
    instance = original(*args, **kwargs)
    databases.resume(instance)
    return instance


def _modify_parameters(
    databases: Databases, original: Callable[..., Any], backend: Any, db_parameter_group_name: str, new: Any
) -> Any:
    new = list(new)
    group = backend.db_parameter_groups.get(db_parameter_group_name)
    if group is not None and str(group.family).startswith(ENGINE):
        refusals.parameters(group.family, new)
    group = original(db_parameter_group_name, new)
    for instance in backend.databases.values():
        if (instance.db_parameter_group_name or "").lower() == group.name and not getattr(
            instance, "group_changed", False
        ):
            databases.reconfigure(instance)
    return group
