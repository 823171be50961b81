"""Subnet ranges: inside the VPC, apart from each other, and the same however many zones there are."""

import ipaddress
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.addressing import TIERS, subnet_range
from infra.setting_keys import ZONE_LETTERS, network_range

PREFIXES = st.integers(min_value=16, max_value=22)
VPCS = st.builds(
    lambda size, bits: str(ipaddress.IPv4Network((0x0A000000 | (bits & (0xFFFFFF << (32 - size) & 0xFFFFFF)), size))),
    PREFIXES,
    st.integers(min_value=0, max_value=0xFFFFFF),
)


@given(cidr=VPCS)
def test_ranges_lie_in_the_vpc_and_never_overlap(cidr: str) -> None:
    assert network_range(cidr) is None
    vpc = ipaddress.IPv4Network(cidr)
    ranges = [ipaddress.IPv4Network(subnet_range(cidr, tier, zone)) for tier in TIERS for zone in ZONE_LETTERS]
    assert all(each.subnet_of(vpc) for each in ranges)
    assert not any(one.overlaps(two) for one, two in itertools.combinations(ranges, 2))


@given(cidr=VPCS)
def test_every_range_has_room_for_a_load_balancer(cidr: str) -> None:
    assert ipaddress.IPv4Network(subnet_range(cidr, "public", "a")).prefixlen <= 27


def test_the_ranges_of_the_default_network() -> None:
    assert subnet_range("10.20.0.0/16", "public", "a") == "10.20.0.0/21"
    assert subnet_range("10.20.0.0/16", "private", "a") == "10.20.64.0/21"
    assert subnet_range("10.20.0.0/16", "isolated", "b") == "10.20.136.0/21"


@pytest.mark.parametrize("letter", ["", "i", "ab", "A"])
def test_a_letter_without_a_place_is_refused(letter: str) -> None:
    with pytest.raises(ValueError, match="has no place"):
        subnet_range("10.20.0.0/16", "public", letter)
