"""Compare the parameters of a call with botocore's service model before anything is called.

A preview does this too, so what it shows is what an `up` would send. Values that are not known yet pass.
"""

import threading
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from local.plugins.aws.codec import is_unknown

_LOCK = threading.Lock()


@cache
def loader() -> Any:
    """What reads botocore's models, each once; the clients use it too."""
    from botocore.loaders import create_loader

    return create_loader()


@cache
def _model(service: str) -> Any:
    from botocore.model import ServiceModel

    return ServiceModel(loader().load_service_model(service, "service-2"), service)


@cache
def _names(service: str) -> dict[str, str]:
    from botocore import xform_name

    return {xform_name(name): name for name in _model(service).operation_names}


def operation(service: str, method: str) -> Any:
    """The model of an operation.

    Args:
        service: name of the client, as boto3 names it.
        method: name of the client's method.

    Raises:
        KeyError: the service has no such operation.
    """
    with _LOCK:  # `cache` would let two threads load one model twice
        return _model(service).operation_model(_names(service)[method])


def problems(service: str, method: str, params: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Path and reason of everything that the operation would not take."""
    shape = operation(service, method).input_shape
    if shape is not None:
        yield from _structure(shape, params, "")


def _value(shape: Any, value: Any, path: str) -> Iterator[tuple[str, str]]:
    if is_unknown(value):
        return
    kind = shape.type_name
    if kind == "structure":
        yield from _structure(shape, value, path)
    elif kind == "list":
        yield from _list(shape, value, path)
    elif kind == "map":
        yield from _map(shape, value, path)
    else:
        yield from _scalar(shape, value, path)


def _structure(shape: Any, value: Any, path: str) -> Iterator[tuple[str, str]]:
    if not isinstance(value, Mapping):
        yield path, f"expected an object, found {value!r}"
        return
    for name in shape.required_members:
        if value.get(name) is None:
            yield _below(path, name), "is required"
    for name, item in value.items():
        if name not in shape.members:
            yield _below(path, name), f"is not a parameter; known are {', '.join(shape.members)}"
        else:
            yield from _value(shape.members[name], item, _below(path, name))


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _list(shape: Any, value: Any, path: str) -> Iterator[tuple[str, str]]:
    if not isinstance(value, list):
        yield path, f"expected a list, found {value!r}"
        return
    yield from _bounds(shape, len(value), path, "items")
    for n, item in enumerate(value):
        yield from _value(shape.member, item, f"{path}[{n}]")


def _map(shape: Any, value: Any, path: str) -> Iterator[tuple[str, str]]:
    if not isinstance(value, Mapping):
        yield path, f"expected a map, found {value!r}"
        return
    for key, item in value.items():
        yield from _value(shape.value, item, _below(path, key))


_KINDS: Mapping[str, tuple[type[Any], ...]] = {
    "string": (str,), "character": (str,), "boolean": (bool,), "integer": (int,), "long": (int,),
    "float": (int, float), "double": (int, float),
}  # fmt: skip


def _scalar(shape: Any, value: Any, path: str) -> Iterator[tuple[str, str]]:
    kinds = _KINDS.get(shape.type_name)
    if kinds is None:
        return  # blobs and timestamps: nothing in use here has them
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        article = "an" if shape.type_name[0] in "aeiou" else "a"
        yield path, f"expected {article} {shape.type_name}, found {_shown(shape, value)}"
        return
    if shape.type_name == "string":
        if getattr(shape, "enum", None) and value not in shape.enum:
            yield path, f"expected one of {', '.join(shape.enum)}, found {_shown(shape, value)}"
        else:
            yield from _bounds(shape, len(value), path, "characters")
    elif shape.type_name != "boolean":
        yield from _bounds(shape, value, path, "")


def _shown(shape: Any, value: Any) -> str:
    return f"a {type(value).__name__}" if shape.metadata.get("sensitive") else repr(value)


def _bounds(shape: Any, size: float, path: str, unit: str) -> Iterator[tuple[str, str]]:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if low is not None and size < low:
        yield path, f"expected at least {low} {unit}".rstrip() + f", found {size}"
    if high is not None and size > high:
        yield path, f"expected at most {high} {unit}".rstrip() + f", found {size}"
