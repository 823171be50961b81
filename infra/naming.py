"""Names, as pure functions: legal for every AWS service in use whatever the project and stack are called, and stable.

A name that fits is left alone, so that people recognize it; one that does not is cut and given a hash of the whole,
so that two long names never become one.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final, Literal

Color = Literal["blue", "green"]
COLORS: Final[tuple[Color, Color]] = ("blue", "green")

PREFIX_LIMIT: Final = 40
"""Leaves room for suffixes in IAM role names (64) and database identifiers (63)."""
LOAD_BALANCER_LIMIT: Final = 32
"""Also the limit of target groups (Elastic Load Balancing API reference)."""
_HASH: Final = 6


def prefix(project: str, stack: str) -> str:
    """What every name of this stack begins with: lower-case letters, digits and single hyphens, a letter first.

    Stack names come from branches and may hold anything; those that need changing get a hash, so that `Fix-1` and
    `fix-1`, or `a/b` and `a-b`, stay apart.
    """
    whole = f"{project}-{stack}"
    legal = re.sub(r"[^a-z0-9]+", "-", whole.lower()).strip("-") or "x"
    if not legal[0].isalpha():
        legal = f"x{legal}"
    return legal if legal == whole and len(legal) <= PREFIX_LIMIT else _cut(legal, whole, PREFIX_LIMIT)


def load_balancer(prefix: str) -> str:
    """Name of the load balancer; AWS keeps names that begin with "internal-" for itself."""
    name = f"lb-{prefix}" if prefix.startswith("internal-") else prefix
    return _short(name, LOAD_BALANCER_LIMIT)


def target_group(prefix: str, color: Color) -> str:
    """Name of one color's target group."""
    return _short(f"{prefix}-{color}", LOAD_BALANCER_LIMIT)


def service(prefix: str, color: Color) -> str:
    """Name of one color's ECS service, and the family of its task definition."""
    return f"{prefix}-{color}"


def migrate_family(prefix: str, color: Color) -> str:
    """Family of the task definition in which one color's image runs migrations and checks."""
    return f"{prefix}-{color}-migrate"


def log_group(prefix: str, container: str) -> str:
    """Name of the log group of one kind of container."""
    return f"/{prefix}/{container}"


def _short(name: str, limit: int) -> str:
    return name if len(name) <= limit else _cut(name, name, limit)


def _cut(legal: str, whole: str, limit: int) -> str:
    digest = hashlib.sha256(whole.encode()).hexdigest()[:_HASH]
    return f"{legal[: limit - _HASH - 1].rstrip('-')}-{digest}"
