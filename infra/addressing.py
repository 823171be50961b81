"""Which range each subnet has: a pure function of the VPC's range, the tier and the zone's letter.

No range depends on how many zones there are, so adding or removing a zone touches only that zone's subnets.
"""

from __future__ import annotations

import ipaddress
from typing import Final, Literal

from infra.setting_keys import ZONE_LETTERS

Tier = Literal["public", "private", "isolated"]
TIERS: Final[tuple[Tier, Tier, Tier]] = ("public", "private", "isolated")


def subnet_range(vpc_cidr: str, tier: Tier, letter: str) -> str:
    """The range of the subnet of that tier in the zone with that letter.

    The VPC is cut into four quarters, one for each tier and one kept free, and each quarter into eight zones.
    Raises ValueError for a letter without a place.
    """
    if letter not in ZONE_LETTERS or len(letter) != 1:
        raise ValueError(f"zone letter {letter!r} has no place; expected one of {ZONE_LETTERS}")
    quarters = list(ipaddress.IPv4Network(vpc_cidr).subnets(prefixlen_diff=2))
    eighths = list(quarters[TIERS.index(tier)].subnets(prefixlen_diff=3))
    return str(eighths[ZONE_LETTERS.index(letter)])
