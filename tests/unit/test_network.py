"""The network: what zones, tiers and the way out make, and what they never make."""

import pulumi
import pytest

from infra.network import Network, NetworkArgs
from tests.unit.program import run_part
from tests.unit.recording import Recording

SUBNET, ROUTE = "aws:ec2/subnet:Subnet", "aws:ec2/route:Route"


def args(**changes: object) -> NetworkArgs:
    usual = {
        "region": "eu-west-1",
        "cidr": "10.20.0.0/16",
        "zones": ("a", "b"),
        "nat_gateway": True,
        "vpc_endpoints": False,
        "public_tasks": False,
    }
    return NetworkArgs(**{**usual, **changes})


def network(**changes: object) -> Recording:
    return run_part(lambda: Network("network", args(**changes)))


def ranges(recording: Recording) -> dict[str, tuple[str, str]]:
    return {each.name: (each.inputs["availabilityZone"], each.inputs["cidrBlock"]) for each in recording.of(SUBNET)}


def test_each_tier_has_a_subnet_in_each_zone() -> None:
    found = ranges(network())
    assert set(found) == {f"network-{tier}-{zone}" for tier in ("public", "private", "isolated") for zone in "ab"}
    assert found["network-private-b"] == ("eu-west-1b", "10.20.72.0/21")


@pytest.mark.parametrize("zones", [("a", "b", "c"), ("b", "c", "a"), ("a", "b", "f", "e")])
def test_adding_a_zone_moves_nothing(zones: tuple[str, ...]) -> None:
    before, after = ranges(network()), ranges(network(zones=zones))
    assert before.items() <= after.items()
    assert len(after) == 3 * len(zones)


def test_the_default_security_group_is_emptied() -> None:
    group = network().one("aws:ec2/defaultSecurityGroup:DefaultSecurityGroup")
    assert (group.inputs["ingress"], group.inputs["egress"]) == ([], [])


def test_no_subnet_gives_out_public_addresses() -> None:
    assert {each.inputs["mapPublicIpOnLaunch"] for each in network().of(SUBNET)} == {False}


def test_only_the_public_tier_has_a_way_to_the_internet_and_the_private_one_through_nat() -> None:
    routes = {each.name: each.inputs for each in network().of(ROUTE)}
    assert set(routes) == {"network-public", "network-private"}
    assert routes["network-public"]["gatewayId"] == "network-id"
    assert routes["network-private"]["natGatewayId"] == "network-nat-id"


def test_the_nat_gateway_waits_for_its_own_way_out() -> None:
    assert "network-public" in network().needs("aws:ec2/natGateway:NatGateway", "network-nat")


def test_endpoints_take_the_place_of_nat() -> None:
    found = network(nat_gateway=False, vpc_endpoints=True)
    endpoints = {each.inputs["serviceName"]: each for each in found.of("aws:ec2/vpcEndpoint:VpcEndpoint")}
    assert {name.removeprefix("com.amazonaws.eu-west-1.") for name in endpoints} == {
        "ecr.api",
        "ecr.dkr",
        "logs",
        "secretsmanager",
        "s3",
    }
    assert {each.name for each in found.of(ROUTE)} == {"network-public"}
    assert not found.of("aws:ec2/eip:Eip")
    for name, each in endpoints.items():
        if not name.endswith("s3"):
            # So that a subnet is never deleted while an endpoint has an interface in it.
            assert {"network-private-a", "network-private-b"} <= found.named(each.dependencies)


def test_tasks_with_public_addresses_are_in_the_public_subnets() -> None:
    where: list[pulumi.Output[str]] = []
    run_part(lambda: where.extend(Network("n", args(nat_gateway=False, public_tasks=True)).task_subnet_ids))
    assert len(where) == 2
    found = network(nat_gateway=False, public_tasks=True)
    assert {each.name for each in found.of(ROUTE)} == {"network-public"}


@pytest.mark.parametrize("ways", [(False, False, False), (True, True, False), (True, False, True), (True, True, True)])
def test_a_network_without_exactly_one_way_out_is_refused(ways: tuple[bool, bool, bool]) -> None:
    nat, endpoints, public = ways
    with pytest.raises(ValueError, match="exactly one way"):
        args(nat_gateway=nat, vpc_endpoints=endpoints, public_tasks=public)


@pytest.mark.parametrize("zones", [(), ("a",), ("a", "a")])
def test_a_network_without_two_zones_is_refused(zones: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="at least 2"):
        args(zones=zones)
