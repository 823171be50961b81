"""The tags that the AWS provider puts on everything that can carry one."""

from __future__ import annotations

from typing import Final

from provider.defaults import FREEZE_TAGS

IGNORED_PREFIX: Final = FREEZE_TAGS
"""Tags that are no part of the program: people and the release provider set them on the traffic rule."""


def default_tags(project: str, stack: str) -> dict[str, str]:
    """Whose it is and what made it, for cost reports and for finding what a lost stack left behind."""
    return {"ManagedBy": "pulumi", "Project": project, "Stack": stack}
