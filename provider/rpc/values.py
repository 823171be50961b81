"""Values of the provider protocol as plain Python: integers, secrets and unknowns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.protobuf import struct_pb2

# What the engine sends for a value that a preview can't know, one sentinel per type (sdk/go/common/resource).
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
UNKNOWNS = frozenset(
    {
        UNKNOWN,
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",  # bool
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",  # number
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",  # array
        "030794c1-ac77-496b-92df-f27374a8bd58",  # asset
        "e48ece36-62e2-4504-bad9-02848725956a",  # archive
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",  # object
    }
)
SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - the protocol's mark of a secret, not one


class Secret:
    """A secret off the wire. Equal to its value, and never shows it in a message."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return bool(self.value == (other.value if isinstance(other, Secret) else other))

    def __hash__(self) -> int:
        return hash(str(self.value))

    def __repr__(self) -> str:
        return "[secret]"


def plain(value: Any) -> Any:
    """A protobuf Struct or Value as Python: integral doubles become int (boto3 refuses 2.0), secrets `Secret`."""
    if isinstance(value, struct_pb2.Struct):
        return {key: plain(item) for key, item in value.fields.items()}
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        items = plain(value.struct_value)
        return Secret(items.get("value")) if items.get(SIGNATURE) == SECRET else items
    if kind == "list_value":
        return [plain(item) for item in value.list_value.values]
    if kind in (None, "null_value"):
        return None
    found = getattr(value, kind)
    return int(found) if kind == "number_value" and found.is_integer() else found


def reveal(value: Any) -> Any:
    """The same value with every `Secret` opened, at any depth."""
    if isinstance(value, Secret):
        return reveal(value.value)
    if isinstance(value, Mapping):
        return {key: reveal(item) for key, item in value.items()}
    return [reveal(item) for item in value] if isinstance(value, list | tuple) else value


def unknown(value: Any) -> bool:
    """Whether the value, or anything in it, is not known yet (previews only)."""
    if isinstance(value, str):
        return value in UNKNOWNS
    if isinstance(value, Secret):
        return unknown(value.value)
    if isinstance(value, Mapping):
        return any(unknown(item) for item in value.values())
    return any(unknown(item) for item in value) if isinstance(value, list | tuple) else False


def wire(value: Any) -> Any:
    """Python to what `struct` takes: secrets marked, absent (None) keys of a map left out."""
    if isinstance(value, Secret):
        return {SIGNATURE: SECRET, "value": wire(value.value)}
    if isinstance(value, Mapping):
        return {key: wire(item) for key, item in value.items() if item is not None}
    return [wire(item) for item in value] if isinstance(value, list | tuple) else value


def struct(values: Mapping[str, Any] | None) -> Any:
    """A mapping as a protobuf Struct."""
    made = struct_pb2.Struct()
    made.update(wire(values or {}))
    return made
