"""Wildcards and networks of rule conditions as regular expressions of Envoy (RE2), which match whole strings.

Wildcards are those of the Elastic Load Balancing API: `*` is any number of characters, `?` is exactly one.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping


def wildcard(pattern: str, *, anything: str = ".") -> str:
    """The expression of one pattern; `anything` is what a wildcard stands for."""
    parts = {"*": f"{anything}*", "?": anything}
    return "".join(parts.get(character, re.escape(character)) for character in pattern)


def any_of(patterns: Iterable[str]) -> str:
    """One expression that matches what any of the given expressions matches."""
    return f"(?:{'|'.join(patterns)})"


def path(values: Iterable[str]) -> str:
    """Path patterns: case counts, the query string takes no part."""
    return any_of(wildcard(value) for value in values)


def host(values: Iterable[str]) -> str:
    """Host patterns: case does not count, nor does a port in the Host header."""
    return f"(?i){any_of(wildcard(value) for value in values)}(?::[0-9]+)?"


def header(values: Iterable[str]) -> str:
    """Header values: case does not count."""
    return f"(?i){any_of(wildcard(value) for value in values)}"


def query(pairs: Iterable[Mapping[str, str]]) -> str:
    """Key and value pairs of which one must be in the query string of the request's target; without a key, any key."""
    found = any_of(f"{_key(pair.get('Key'))}={wildcard(pair['Value'], anything='[^&]')}" for pair in pairs)
    return rf"(?i)[^?]*\?(?:.*&)?{found}(?:&.*)?"


def _key(key: str | None) -> str:
    return wildcard(key, anything="[^&=]") if key else "[^&=]*"


def networks(cidrs: Iterable[str]) -> str:
    """IPv4 networks, matched against a dotted address."""
    return any_of(_network(ipaddress.IPv4Network(cidr, strict=False)) for cidr in cidrs)


def _network(network: ipaddress.IPv4Network) -> str:
    first, last = network.network_address.packed, network.broadcast_address.packed
    return r"\.".join(_octet(low, high) for low, high in zip(first, last, strict=True))


def _octet(low: int, high: int) -> str:
    if (low, high) == (0, 255):
        return "[0-9]+"
    return any_of(str(value) for value in range(low, high + 1))
