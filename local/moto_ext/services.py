"""Which patches belong to which service. Applied once, when the service is first used."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

# The module of each service's patches; all of its `PATCHES` are applied, in order.
MODULES = {
    "ec2": "local.moto_ext.ec2",
    "iam": "local.moto_ext.iam",
    "rds": "local.moto_ext.rds",
    "secretsmanager": "local.moto_ext.secretsmanager",
    "cloudwatch": "local.moto_ext.cloudwatch",
    "applicationautoscaling": "local.moto_ext.autoscaling",
    "logs": "local.moto_ext.logs",
}
_patched: set[str] = set()


def patch(service: str) -> None:
    """Apply the patches of a service, as moto names it."""
    if service in _patched or service not in MODULES:
        return
    _patched.add(service)
    patches: tuple[Callable[[], None], ...] = import_module(MODULES[service]).PATCHES
    for apply in patches:
        apply()
