"""The tags that the AWS provider puts on everything that can carry one."""

from __future__ import annotations


def default_tags(project: str, stack: str) -> dict[str, str]:
    """Whose it is and what made it, for cost reports and for finding what a lost stack left behind."""
    return {"ManagedBy": "pulumi", "Project": project, "Stack": stack}
