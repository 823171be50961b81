"""The table: every resource type that the plugin knows."""

from collections.abc import Mapping

from local.plugins.aws.model import Type
from local.plugins.aws.types import balancing, containers, firewall, network, observing, rds, security

TABLE: Mapping[str, Type] = {
    one.kind: one for part in (network, firewall, rds, security, containers, balancing, observing) for one in part.TYPES
}
"""Type token to type."""
