"""EC2: what moto forgets of security group rules, and deletes although it is in use."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from moto.ec2.models.nat_gateways import NatGatewayBackend
from moto.ec2.models.route_tables import RouteBackend
from moto.ec2.models.security_groups import SecurityGroupRule
from moto.ec2.models.subnets import SubnetBackend
from moto.ec2.models.vpcs import VPCBackend
from moto.ec2.responses.security_groups import SecurityGroups
from moto.elbv2.models import elbv2_backends
from moto.rds.models import rds_backends

from local.moto_ext.errors import aws_error


def rule_descriptions() -> None:
    """moto answers the description of a rule only when its source is an address range, not a group."""

    def description(rule: Any) -> str | None:
        return rule.ip_range.get("Description") or (rule.source_group or {}).get("Description")

    SecurityGroupRule.description = property(description)


def group_in_use() -> None:
    """moto deletes a security group whoever uses it; AWS answers DependencyViolation.

    The check is on the API call: moto itself deletes a VPC's default group with the VPC.
    """
    original = SecurityGroups.delete_security_group

    def delete_security_group(response: Any) -> Any:
        backend = response.ec2_backend
        wanted = response._get_param("GroupId") or response._get_param("GroupName")
        group = backend.get_security_group_by_name_or_id(wanted)
        if group is not None and group.name == "default":
            raise aws_error(
                "CannotDelete", f"the specified group: {group.id} name: default cannot be deleted by a user"
            )
        if group is not None and (user := next(_users_of_group(backend, group.id), None)):
            raise aws_error("DependencyViolation", f"resource {group.id} has a dependent object: {user}")
        return original(response)

    SecurityGroups.delete_security_group = delete_security_group


def subnet_in_use() -> None:
    """moto deletes a subnet although something is in it; AWS answers DependencyViolation."""
    original = SubnetBackend.delete_subnet

    def delete_subnet(backend: Any, subnet_id: str) -> Any:
        if user := next(_users_of_subnet(backend, subnet_id), None):
            text = f"The subnet '{subnet_id}' has dependencies and cannot be deleted: {user}"
            raise aws_error("DependencyViolation", text)
        return original(backend, subnet_id)

    SubnetBackend.delete_subnet = delete_subnet


def gateway_attached() -> None:
    """moto deletes a VPC although an internet gateway is attached; AWS answers DependencyViolation."""
    original = VPCBackend.delete_vpc

    def delete_vpc(backend: Any, vpc_id: str) -> Any:
        attached = [one.id for one in backend.internet_gateways.values() if one.vpc and one.vpc.id == vpc_id]
        groups = [one.id for one in backend.groups[vpc_id].values() if one.name != "default"]
        if left := attached + groups:
            text = f"The vpc '{vpc_id}' has dependencies and cannot be deleted: {left[0]}"
            raise aws_error("DependencyViolation", text)
        return original(backend, vpc_id)

    VPCBackend.delete_vpc = delete_vpc


def duplicate_routes() -> None:
    """moto replaces a route to the same destination silently; AWS answers RouteAlreadyExists."""
    original = RouteBackend.create_route

    def create_route(
        backend: Any, route_table_id: str, destination_cidr_block: str | None, *args: Any, **kwargs: Any
    ) -> Any:
        table = backend.get_route_table(route_table_id)
        if any(destination_cidr_block and one.destination_cidr_block == destination_cidr_block for one in table.routes):
            text = f"The route identified by {destination_cidr_block} already exists."
            raise aws_error("RouteAlreadyExists", text)
        return original(backend, route_table_id, destination_cidr_block, *args, **kwargs)

    RouteBackend.create_route = create_route


def nat_gateway_interfaces() -> None:
    """moto keeps the network interface of a deleted NAT gateway, and its address associated: neither the subnet nor the
    address could ever go. It fails with status 500 for a gateway that does not exist."""

    def delete_nat_gateway(backend: Any, nat_gateway_id: str) -> Any:
        gateway = backend.nat_gateways.get(nat_gateway_id)
        if gateway is None:
            raise aws_error("NatGatewayNotFound", f"NAT gateway {nat_gateway_id} was not found")
        gateway.state = "deleted"
        backend.enis.pop(gateway._eni.id, None)
        for address in gateway.address_set:
            if association := address.get("associationId"):
                backend.disassociate_address(association_id=association)
        return gateway

    NatGatewayBackend.delete_nat_gateway = delete_nat_gateway


def gateway_endpoints() -> None:
    """moto adds and removes the route of a gateway endpoint only on creation, so that deleting the endpoint looks for
    routes that are not there; and it can't delete one made without a type, which AWS takes for a gateway."""
    create, modify = VPCBackend.create_vpc_endpoint, VPCBackend.modify_vpc_endpoint

    def create_vpc_endpoint(backend: Any, *args: Any, **kwargs: Any) -> Any:
        endpoint = create(backend, *args, **kwargs)
        endpoint.vpc_endpoint_type = endpoint.vpc_endpoint_type or "Gateway"
        return endpoint

    def modify_vpc_endpoint(backend: Any, vpc_id: str, *args: Any, **kwargs: Any) -> None:
        endpoint = backend.describe_vpc_endpoints(vpc_end_point_ids=[vpc_id])[0]
        before, prefixes = set(endpoint.route_table_ids or ()), endpoint.destination_prefix_list_id
        modify(backend, vpc_id, *args, **kwargs)
        after = set(endpoint.route_table_ids or ()) if prefixes else before
        for table in sorted(after - before):
            backend.create_route(table, None, gateway_id=vpc_id, destination_prefix_list_id=prefixes)
        for table in sorted(before - after):
            backend.delete_route(table, prefixes)

    VPCBackend.create_vpc_endpoint = create_vpc_endpoint
    VPCBackend.modify_vpc_endpoint = modify_vpc_endpoint


def _users_of_group(backend: Any, group_id: str) -> Iterator[str]:
    """What keeps a security group from being deleted."""
    for groups in backend.groups.values():
        yield from (
            f"a rule of {other.id}" for other in groups.values() if other.id != group_id and _refers(other, group_id)
        )
    for interface in backend.enis.values():
        if group_id in [group.id for group in interface.group_set]:
            yield interface.id
    for balancer in elbv2_backends[backend.account_id][backend.region_name].load_balancers.values():
        if group_id in balancer.security_groups:
            yield balancer.arn
    for database in rds_backends[backend.account_id][backend.region_name].databases.values():
        if group_id in (database.vpc_security_group_ids or ()):
            yield database.arn


def _refers(group: Any, group_id: str) -> bool:
    rules = (*group.ingress_rules, *group.egress_rules)
    return any((rule.source_group or {}).get("GroupId") == group_id for rule in rules)


def _users_of_subnet(backend: Any, subnet_id: str) -> Iterator[str]:
    """What keeps a subnet from being deleted."""
    for interface in backend.enis.values():
        if interface.subnet.id == subnet_id:
            yield interface.id
    for gateway in backend.nat_gateways.values():
        if gateway.subnet_id == subnet_id and gateway.state != "deleted":
            yield gateway.id
    for balancer in elbv2_backends[backend.account_id][backend.region_name].load_balancers.values():
        if subnet_id in [subnet.id for subnet in balancer.subnets]:
            yield balancer.arn
    for database in rds_backends[backend.account_id][backend.region_name].databases.values():
        group = getattr(database, "db_subnet_group", None)
        if group is not None and subnet_id in [subnet.id for subnet in group._subnets]:
            yield database.arn


PATCHES = (
    rule_descriptions,
    group_in_use,
    subnet_in_use,
    gateway_attached,
    duplicate_routes,
    nat_gateway_interfaces,
    gateway_endpoints,
)
