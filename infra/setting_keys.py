"""Every key of the configuration: its type, its default and what a value must look like.

The defaults stand in `Pulumi.yaml` too, where the CLI checks types and people look them up; a test keeps both equal.
Nothing here reads configuration or creates resources.
"""

from __future__ import annotations

import ipaddress
import itertools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

from migrations.backfilling.settings import RANGES

Value = str | int | bool | list[str] | list[int]
Check = Callable[[Value], str | None]
"""Answers what was expected when the value is not acceptable, else None."""


class Kind(StrEnum):
    """The types a key can have, in the words of Pulumi's own project file."""

    STRING = "string"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    STRINGS = "list of strings"
    INTEGERS = "list of integers"


@dataclass(frozen=True, kw_only=True)
class Key:
    """One configuration key. A default of None means that the stack must set it."""

    name: str
    kind: Kind
    default: Value | None
    check: Check


# The memory, in MiB, that Fargate sells with each CPU size (Amazon ECS developer guide, "Task CPU and memory").
FARGATE_MEMORY: Final[dict[int, Sequence[int]]] = {
    256: (512, 1024, 2048),
    512: range(1024, 4097, 1024),
    1024: range(2048, 8193, 1024),
    2048: range(4096, 16385, 1024),
    4096: range(8192, 30721, 1024),
    8192: range(16384, 61441, 4096),
    16384: range(32768, 122881, 8192),
}
# Retention periods that CloudWatch Logs accepts (PutRetentionPolicy).
LOG_RETENTION_DAYS: Final = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731),
    *(1096, 1827, 2192, 2557, 2922, 3288, 3653),
)
ZONE_LETTERS: Final = "abcdefgh"
VERSION_PATTERN: Final = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}"
REGION_PATTERN: Final = r"[a-z]{2}(-[a-z]+)+-\d"


def anything(_: Value) -> str | None:
    """Accept every value of the right type."""
    return None


def matching(pattern: str, expected: str, *, empty: bool = False) -> Check:
    """Accept text that the whole pattern matches; with `empty`, also the empty text that stands for "not set"."""

    def check(value: Value) -> str | None:
        if (empty and value == "") or (isinstance(value, str) and re.fullmatch(pattern, value)):
            return None
        return expected

    return check


def between(low: int, high: int, unit: str = "") -> Check:
    """Accept integers from low to high, both included."""

    def check(value: Value) -> str | None:
        if isinstance(value, int) and low <= value <= high:
            return None
        return f"a number from {low} to {high}{unit and f' ({unit})'}"

    return check


def one_of(*allowed: Value) -> Check:
    """Accept exactly the listed values."""

    def check(value: Value) -> str | None:
        return None if value in allowed else f"one of {', '.join(str(each) for each in allowed)}"

    return check


def web_address(value: Value) -> str | None:
    """Accept nothing, or an http(s) URL with a host and no path, query or fragment."""
    if value == "":
        return None
    expected = "an address such as https://ecs.example.com:4566, without a path"
    try:
        parts = urlsplit(str(value))
        port_is_legal = parts.port is None or parts.port > 0
    except ValueError:
        return expected
    good = parts.scheme in ("http", "https") and parts.hostname and port_is_legal
    return None if good and parts.path in ("", "/") and not parts.query and not parts.fragment else expected


def network_range(value: Value) -> str | None:
    """Accept a private IPv4 range whose eight zones in three tiers leave room for a load balancer (/27 each)."""
    expected = "a private IPv4 range of /16 to /22 such as 10.20.0.0/16, with no host bits set"
    try:
        network = ipaddress.IPv4Network(str(value))
    except ValueError:
        return expected
    return None if network.is_private and 16 <= network.prefixlen <= 22 else expected


def client_ranges(value: Value) -> str | None:
    """Accept a list of distinct IPv4 ranges."""
    expected = 'distinct IPv4 ranges such as ["203.0.113.0/24"], with no host bits set'
    ranges = list(value) if isinstance(value, list) else []
    try:
        parsed = [ipaddress.IPv4Network(str(each)) for each in ranges]
    except ValueError:
        return expected
    return None if len(set(parsed)) == len(parsed) else expected


def shift_steps(value: Value) -> str | None:
    """Accept percentages that rise and end at 100: a step down would be a second, hidden rollback."""
    steps = [step for step in value if isinstance(step, int)] if isinstance(value, list) else []
    rising = all(before < after for before, after in itertools.pairwise(steps))
    if steps and steps[0] >= 1 and steps[-1] == 100 and rising:
        return None
    return "percentages for the new color that rise from at least 1 and end at 100, such as [10, 50, 100]"


def zone_letters(value: Value) -> str | None:
    """Accept distinct letters out of those that a subnet range is reserved for."""
    letters = str(value)
    if letters and set(letters) <= set(ZONE_LETTERS) and len(set(letters)) == len(letters):
        return None
    return f"distinct letters out of {ZONE_LETTERS}, such as abc"


def alarm_names(value: Value) -> str | None:
    """Accept distinct, non-empty alarm names (CloudWatch allows 255 characters)."""
    names = [name for name in value if isinstance(name, str)] if isinstance(value, list) else []
    if len(set(names)) == len(names) and all(0 < len(name) <= 255 for name in names):
        return None
    return "distinct names of CloudWatch alarms, each of 1 to 255 characters"


def backfill_settings(value: Value) -> str | None:
    """Accept settings of the backfill's task (`migrations.backfilling.settings`), each once and within its range."""
    pairs = [str(each).partition("=") for each in value] if isinstance(value, list) else [("", "", "")]
    names = [name for name, _, _ in pairs]
    fits = all(
        name.lower() in RANGES and name == name.upper() and number.isascii() and number.isdigit()
        and RANGES[name.lower()][0] <= int(number) <= RANGES[name.lower()][1]
        for name, _, number in pairs
    )  # fmt: skip
    if fits and len(set(names)) == len(names):
        return None
    known = ", ".join(f"{name.upper()} ({low} to {high})" for name, (low, high) in RANGES.items())
    return f'distinct settings such as "SHARE_PERCENT=25", out of {known}'


_PORT: Final = between(1, 65535, "a TCP port")
_HOST: Final = r"(?=.{1,253}$)[a-z0-9-]+(\.[a-z0-9-]+)+"
_CERTIFICATE: Final = r"arn:aws[a-z-]*:acm:[a-z0-9-]+:\d{12}:certificate/[A-Za-z0-9-]+"


def _key(name: str, kind: Kind, default: Value | None, check: Check = anything) -> Key:
    return Key(name=name, kind=kind, default=default, check=check)


KEYS: Final[tuple[Key, ...]] = (
    _key("region", Kind.STRING, None, matching(REGION_PATTERN, "an AWS region such as eu-west-1")),
    _key("endpoint", Kind.STRING, "", web_address),
    _key("protect", Kind.BOOLEAN, True),
    _key("logRetentionDays", Kind.INTEGER, 365, one_of(*LOG_RETENTION_DAYS)),
    # what is released, and how
    _key(
        "version",
        Kind.STRING,
        "",
        matching(
            VERSION_PATTERN,
            "1 to 128 letters, digits, '.', '_' or '-', not starting with '.' or '-'",
            empty=True,
        ),
    ),
    _key("previous", Kind.STRING, "warm", one_of("warm", "retired")),
    _key(
        "adopt",
        Kind.STRING,
        "",
        matching(r"[A-Za-z0-9_]{1,32}", "the name of an expand revision such as e0001", empty=True),
    ),
    _key("refuseDrift", Kind.STRING, "breaking", one_of("never", "breaking", "any")),
    _key("context", Kind.STRING, ".", matching(r".+", "the folder that the image is built from")),
    _key("steps", Kind.INTEGERS, [10, 50, 100], shift_steps),
    _key("bakeSeconds", Kind.INTEGER, 60, between(0, 86400, "seconds")),
    _key("timeoutSeconds", Kind.INTEGER, 900, between(10, 21600, "seconds")),
    _key("backfillTimeoutSeconds", Kind.INTEGER, 14_400, between(10, 86_400, "seconds")),
    _key("backfillSettings", Kind.STRINGS, [], backfill_settings),
    _key("contractQuietSeconds", Kind.INTEGER, 300, between(0, 86400, "seconds")),
    _key("metricPeriodSeconds", Kind.INTEGER, 60, one_of(5, 60)),
    _key("metricDelaySeconds", Kind.INTEGER, 180, between(0, 3600, "seconds")),
    _key("alarms", Kind.STRINGS, [], alarm_names),
    _key("onFailure", Kind.STRING, "rollback", one_of("rollback", "freeze")),
    # the service
    _key("desiredCount", Kind.INTEGER, 2, between(1, 1000, "tasks")),
    _key("cpu", Kind.INTEGER, 256, one_of(*FARGATE_MEMORY)),
    _key("memory", Kind.INTEGER, 512, between(512, 122880, "MiB")),
    _key("architecture", Kind.STRING, "X86_64", one_of("X86_64", "ARM64")),
    _key("healthIntervalSeconds", Kind.INTEGER, 10, between(5, 300, "seconds")),
    _key("healthGraceSeconds", Kind.INTEGER, 60, between(1, 3600, "seconds")),
    _key("deregistrationDelaySeconds", Kind.INTEGER, 30, between(0, 3600, "seconds")),
    # the network and the listeners
    _key("vpcCidr", Kind.STRING, "10.20.0.0/16", network_range),
    _key("zones", Kind.INTEGER, 2, between(2, 8, "zones")),
    _key("zoneLetters", Kind.STRING, "abcdef", zone_letters),
    _key("natGateway", Kind.BOOLEAN, True),
    _key("vpcEndpoints", Kind.BOOLEAN, False),
    _key("publicTasks", Kind.BOOLEAN, False),
    _key("internal", Kind.BOOLEAN, False),
    _key("listenerPort", Kind.INTEGER, 80, _PORT),
    _key("testListenerPort", Kind.INTEGER, 8081, _PORT),
    _key("certificateArn", Kind.STRING, "", matching(_CERTIFICATE, "the ARN of a certificate in ACM", empty=True)),
    _key("hostName", Kind.STRING, "", matching(_HOST, "a host name such as orders.example.com", empty=True)),
    _key("allowedCidrs", Kind.STRINGS, ["0.0.0.0/0"], client_ranges),
    _key("testAllowedCidrs", Kind.STRINGS, [], client_ranges),
    # the database
    _key(
        "databaseClass",
        Kind.STRING,
        "db.t4g.micro",
        matching(r"db\.[a-z0-9-]+\.[a-z0-9]+", "a class such as db.t4g.micro"),
    ),
    # Only the major version: RDS upgrades the minor one by itself, and an exact version would then be a downgrade.
    _key("databaseVersion", Kind.INTEGER, 17, between(15, 18, "PostgreSQL's major version")),
    _key("databaseStorageGiB", Kind.INTEGER, 20, between(20, 65536, "GiB")),
    _key("databaseMultiAz", Kind.BOOLEAN, True),
    _key("databaseBackupDays", Kind.INTEGER, 7, between(0, 35, "days")),
    _key("databaseSslMode", Kind.STRING, "require", one_of("require", "disable")),
)
