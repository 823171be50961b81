"""The table: every resource type that the plugin knows."""

from collections.abc import Mapping

from local.plugins.aws.model import Type
from local.plugins.aws.types import balancing, containers, firewall, network, observing, rds, routing, security

PARTS = (network, routing, firewall, rds, security, containers, balancing, observing)
TABLE: Mapping[str, Type] = {one.kind: one for part in PARTS for one in part.TYPES}
"""Type token to type."""
