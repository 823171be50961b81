"""Structures of the API: how their fields are named on either side, and lists of them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from local.plugins.aws.codec import PLAIN, Codec, Problem, as_text, canonical, is_unknown

Fields = Mapping[str, tuple[str, Codec]]


@dataclass(frozen=True)
class Block(Codec):
    """A structure: wire name to API name (dots go deeper) and codec of each field.

    Args:
        fields: use `pascal` and `same_names` to write them.
        listed: the wire has a list that holds this one structure, the API the structure.
    """

    fields: Fields
    listed: bool = False

    def encode(self, value: Any) -> Any:
        if self.listed and isinstance(value, list):
            value = value[0] if value else None
        if not isinstance(value, Mapping):
            return value
        made: dict[str, Any] = {}
        for wire, item in value.items():
            api, codec = self.fields[wire]
            if item is not None:
                put(made, api, codec.encode(item))
        return made

    def decode(self, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        found = {}
        for wire, (api, codec) in self.fields.items():
            item = get(value, api)
            if item is not None:
                found[wire] = codec.decode(item)
        return [found] if self.listed else found

    def same(self, one: Any, other: Any) -> bool:
        if self.listed and isinstance(one, list) and isinstance(other, list) and len(one) == len(other) == 1:
            one, other = one[0], other[0]
        if not isinstance(one, Mapping) or not isinstance(other, Mapping):
            return bool(one == other)
        return one.keys() == other.keys() and all(self.fields[key][1].same(one[key], other[key]) for key in one)

    def keep(self, given: Any, live: Any) -> Any:
        if self.listed and isinstance(given, list) and isinstance(live, list) and len(given) == len(live) == 1:
            return [self.keep(given[0], live[0])]
        if not isinstance(given, Mapping) or not isinstance(live, Mapping):
            return live
        kept = {}
        for key, item in given.items():
            if key in live:
                kept[key] = self.fields[key][1].keep(item, live[key])
            elif item in (False, 0, "", [], {}):
                kept[key] = item  # AWS leaves out what is off or empty
        return kept

    def problems(self, value: Any, path: str) -> Iterator[Problem]:
        if is_unknown(value):
            return
        if self.listed:
            yield from Blocks(self.fields).problems(value, path)
        elif not isinstance(value, Mapping):
            yield path, f"found {value!r}, expected an object"
        else:
            for key, item in value.items():
                if key not in self.fields:
                    yield f"{path}.{key}", f"is not a known property; known are {', '.join(self.fields)}"
                elif item is not None:
                    yield from self.fields[key][1].problems(item, f"{path}.{key}")


@dataclass(frozen=True)
class Blocks(Codec):
    """A list of structures.

    Args:
        fields: of each of them.
        ordered: false for a list whose order AWS does not keep.
        key: the API name of the field by which AWS tells them apart, where there is one.
    """

    fields: Fields
    ordered: bool = True
    key: str = ""

    @property
    def item(self) -> Block:
        """The codec of one of them."""
        return Block(self.fields)

    def encode(self, value: Any) -> Any:
        return value if is_unknown(value) else [self.item.encode(one) for one in value]

    def decode(self, value: Any) -> Any:
        return None if value is None else [self.item.decode(one) for one in value]

    def same(self, one: Any, other: Any) -> bool:
        if not isinstance(one, list) or not isinstance(other, list) or len(one) != len(other):
            return bool(one == other)
        if not self.ordered:
            one, other = sorted(one, key=canonical), sorted(other, key=canonical)
        return all(map(self.item.same, one, other))

    def keep(self, given: Any, live: Any) -> Any:
        if not isinstance(given, list) or not isinstance(live, list):
            return live
        if self.ordered:
            pairs = zip(given, live, strict=False)
            return [self.item.keep(*pair) for pair in pairs] + live[len(given) :]
        left, kept = list(live), []
        for one in given:
            match = next((other for other in left if self.item.same(self.item.keep(one, other), one)), None)
            if match is not None:
                left.remove(match)
                kept.append(one)
        return kept + left

    def problems(self, value: Any, path: str) -> Iterator[Problem]:
        if is_unknown(value):
            return
        if not isinstance(value, list):
            yield path, f"found {value!r}, expected a list"
            return
        for n, one in enumerate(value):
            yield from self.item.problems(one, f"{path}[{n}]")


@dataclass(frozen=True)
class Attributes(Codec):
    """Values that the API keeps in a list of keys and texts, beside the resource itself.

    Args:
        keys: wire name to key and kind. One entry named "" is the property itself, others make it a structure.
    """

    keys: Mapping[str, tuple[str, type]] = field(default_factory=dict)

    def encode(self, value: Any) -> Any:
        """A map from key to text."""
        parts = {"": value} if "" in self.keys else value
        if not isinstance(parts, Mapping):
            return {}
        return {
            self.keys[name][0]: part if is_unknown(part) else as_text(part)
            for name, part in parts.items()
            if part is not None
        }

    def decode(self, value: Any) -> Any:
        """From all attributes of the resource."""
        found = {name: _as(kind, value[key]) for name, (key, kind) in self.keys.items() if (value or {}).get(key)}
        return found.get("") if "" in self.keys else found or None

    def keep(self, given: Any, live: Any) -> Any:
        if isinstance(given, Mapping) and isinstance(live, Mapping):
            return {key: live.get(key, given[key]) for key in given}
        return live

    def problems(self, value: Any, path: str) -> Iterator[Problem]:
        if "" not in self.keys:
            yield from Block(dict.fromkeys(self.keys, ("", PLAIN))).problems(value, path)


def _as(kind: type, text: str) -> Any:
    return text == "true" if kind is bool else kind(text)


def pascal(names: str, **special: Any) -> dict[str, tuple[str, Codec]]:
    """Fields whose API name is the wire name with a capital; `special`: another API name, or one and a codec."""
    return _fields({name: name[0].upper() + name[1:] for name in names.split()} | special)


def same_names(names: str, **special: Any) -> dict[str, tuple[str, Codec]]:
    """Fields with one name on both sides; `special` as in `pascal`."""
    return _fields({name: name for name in names.split()} | special)


def _fields(names: Mapping[str, Any]) -> dict[str, tuple[str, Codec]]:
    return {name: (api, PLAIN) if isinstance(api, str) else api for name, api in names.items()}


def get(value: Any, path: str) -> Any:
    """The item at a dotted path, or None."""
    for part in path.split("."):
        if not isinstance(value, Mapping):
            return None
        value = value.get(part)
    return value


def put(target: dict[str, Any], path: str, value: Any) -> None:
    """Set the item at a dotted path. The path "" merges a structure into the target."""
    if not path:
        if isinstance(value, Mapping):
            target.update(value)
        return
    *above, last = path.split(".")
    for part in above:
        target = target.setdefault(part, {})
    target[last] = value


def wire_path(codec: Codec, path: str) -> str:
    """A path inside a value of the API, in the names of the wire as far as the codec knows them."""
    if isinstance(codec, Blocks):
        index, bracket, rest = path.partition("]")
        inner = wire_path(codec.item, rest.lstrip("."))
        return f"{index}{bracket}.{inner}" if inner else f"{index}{bracket}"
    if isinstance(codec, Block):
        for wire, (api, inside) in codec.fields.items():
            if api and (path == api or path.startswith((f"{api}.", f"{api}["))):
                inner = wire_path(inside, path[len(api) :].lstrip("."))
                return wire + (f".{inner}" if inner and not inner.startswith("[") else inner)
        return ""
    return path
