"""Compare what a request would send with AWS's interface, and name what is wrong by its Pulumi name."""

from collections.abc import Sequence
from dataclasses import replace

from local.plugins.aws import validate
from local.plugins.aws.blocks import wire_path
from local.plugins.aws.model import Call
from local.plugins.aws.resource import Prepared, Resource
from local.plugins.aws.template import sources
from provider.rpc.messages import Fail

# Stands for the id of what is not there yet. Long enough for every pattern of AWS.
NOT_YET = "id-that-aws-will-choose"


def validate_create(resource: Resource) -> None:
    """Look at the create call and all that follow it.

    Raises:
        Fail: names every input that AWS's interface would not take.
    """
    planned = replace(resource, id=resource.id or NOT_YET)
    validate_calls(planned, [*planned.creation(), *planned.calls(planned.later())])


def validate_update(resource: Resource) -> None:
    """The same, for an update."""
    validate_calls(resource, resource.calls(resource.changed()))


def validate_calls(resource: Resource, calls: Sequence[Prepared]) -> None:
    """The same, for given calls."""
    found: list[str] = []
    for call, params in calls:
        service = call.service or resource.type.service
        title = validate.operation(service, call.operation).name
        for path, reason in validate.problems(service, call.operation, params):
            wire = _wire_name(resource, call, path)
            found.append(f"{wire} ({title} {path}) {reason}" if wire else f"{title} {path} {reason}")
    if found:
        raise Fail("; ".join(dict.fromkeys(found)))


def _wire_name(resource: Resource, call: Call, path: str) -> str:
    exact = dict(sources(call.params))
    if path in exact:
        return exact[path]
    for name in call.sends.split():
        prop = resource.type.properties[name]
        if prop.api and (path == prop.api or path.startswith((f"{prop.api}.", f"{prop.api}["))):
            inner = wire_path(prop.codec, path[len(prop.api) :].lstrip("."))
            return name + (f".{inner}" if inner and not inner.startswith("[") else inner)
        if prop.api.startswith(f"{path}."):
            return name
        if not prop.api and (inner := wire_path(prop.codec, path)):
            return f"{name}.{inner}"
    return ""
