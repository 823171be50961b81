"""How one property is written on the wire of Pulumi and in the AWS API, and when two values of it mean the same.

Wire values are camelCase at every depth. `given` is what the program wrote, `live` what AWS answers, both as wire
values. A preview carries sentinels for what is not known yet; they pass through unchanged.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from provider.rpc.values import UNKNOWNS

# Path from the property down, and what is wrong there.
Problem = tuple[str, str]


def is_unknown(value: Any) -> bool:
    """True for the sentinel itself; a value that only contains one is not."""
    return isinstance(value, str) and value in UNKNOWNS


class Codec:
    """Values that are the same on both sides: text, numbers, truth values and lists of them."""

    def encode(self, value: Any) -> Any:
        """Wire to API."""
        return value

    def decode(self, value: Any) -> Any:
        """API to wire."""
        return value

    def same(self, one: Any, other: Any) -> bool:
        """True when AWS would see no difference."""
        return bool(one == other)

    def keep(self, given: Any, live: Any) -> Any:
        """The live value, in the form in which the program wrote it."""
        return given if self.same(given, live) else live

    def problems(self, value: Any, path: str) -> Iterator[Problem]:
        """What in a wire value this codec cannot take."""
        items = value if isinstance(value, list) else [value]
        if any(isinstance(item, Mapping) for item in items):
            yield path, "an object was given where a plain value is expected"


@dataclass(frozen=True)
class Text(Codec):
    """The API has text; the program may have given a number."""

    def encode(self, value: Any) -> Any:
        return value if is_unknown(value) else _text(value)

    def same(self, one: Any, other: Any) -> bool:
        return one == other or (one is not None and other is not None and _text(one) == _text(other))


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@dataclass(frozen=True)
class Choice(Codec):
    """A fixed vocabulary on each side, from wire to API."""

    words: Mapping[Any, Any]

    def encode(self, value: Any) -> Any:
        return self.words.get(value, value)

    def decode(self, value: Any) -> Any:
        return {api: wire for wire, api in self.words.items()}.get(value, value)


class Set(Codec):
    """A list whose order AWS does not keep."""

    def same(self, one: Any, other: Any) -> bool:
        if not isinstance(one, list) or not isinstance(other, list):
            return bool(one == other)
        return sorted(map(_canonical, one)) == sorted(map(_canonical, other))

    def keep(self, given: Any, live: Any) -> Any:
        if not isinstance(given, list) or not isinstance(live, list):
            return live
        return [item for item in given if item in live] + [item for item in live if item not in given]


class VersionPrefix(Codec):
    """A version of which the program may give only the first parts: AWS then chooses the rest, and raises it later."""

    def same(self, one: Any, other: Any) -> bool:
        return one == other or f"{other}.".startswith(f"{one}.") or f"{one}.".startswith(f"{other}.")


class Json(Codec):
    """JSON text on the wire; white space and the order of keys mean nothing."""

    def encode(self, value: Any) -> Any:
        return value

    def decode(self, value: Any) -> Any:
        return value if value is None or isinstance(value, str) else _canonical(value)

    def same(self, one: Any, other: Any) -> bool:
        return one == other or (None not in (one, other) and _loaded(one) == _loaded(other))

    def problems(self, value: Any, path: str) -> Iterator[Problem]:
        if is_unknown(value):
            return
        try:
            json.loads(value)
        except (TypeError, ValueError) as error:
            yield path, f"is not JSON: {error}"


class JsonItems(Json):
    """JSON text on the wire, a list of structures in the API, to whose items AWS adds defaults."""

    def encode(self, value: Any) -> Any:
        return value if is_unknown(value) else json.loads(value)

    def keep(self, given: Any, live: Any) -> Any:
        shaped = like(_loaded(given), _loaded(live))
        return given if shaped == _loaded(given) else _canonical(shaped)


def _loaded(value: Any) -> Any:
    try:
        return json.loads(value)
    except (TypeError, ValueError):
        return value


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def like(given: Any, live: Any) -> Any:
    """The parts of `live` that `given` mentions; lists that are equal as sets stay in the given order."""
    if isinstance(given, Mapping) and isinstance(live, Mapping):
        return {key: like(given[key], live[key]) for key in given if key in live}
    if isinstance(given, list) and isinstance(live, list) and len(given) == len(live):
        return _like_items(given, live)
    return live


def _like_items(given: Sequence[Any], live: Sequence[Any]) -> list[Any]:
    paired = [like(one, other) for one, other in zip(given, live, strict=True)]
    if paired == list(given):
        return paired
    # The order may differ: give each item the first live one that agrees in all it mentions.
    left, found = list(live), []
    for one in given:
        match = next((other for other in left if like(one, other) == one), None)
        if match is None:
            return paired
        left.remove(match)
        found.append(one)
    return found


@dataclass(frozen=True)
class Pairs(Codec):
    """A map on the wire, a list of structures with a key and a value in the API."""

    key: str = "Key"
    value: str = "Value"

    def encode(self, value: Any) -> Any:
        return value if is_unknown(value) else [{self.key: k, self.value: v} for k, v in value.items()]

    def decode(self, value: Any) -> Any:
        return {item[self.key]: item.get(self.value, "") for item in value or []}

    def problems(self, value: Any, path: str) -> Iterator[Problem]:
        if not is_unknown(value) and not isinstance(value, Mapping):
            yield path, f"found {value!r}, expected a map"


class Map(Pairs):
    """A map on both sides."""

    def encode(self, value: Any) -> Any:
        return value

    def decode(self, value: Any) -> Any:
        return value


class Number(Codec):
    """A number on the wire, that AWS answers as text."""

    def decode(self, value: Any) -> Any:
        return int(value)


class Time(Codec):
    """An output: a moment, as RFC 3339."""

    def decode(self, value: Any) -> Any:
        return value.isoformat() if hasattr(value, "isoformat") else value


@dataclass(frozen=True)
class Before(Codec):
    """An output: what comes before the last occurrence of a text."""

    text: str

    def decode(self, value: Any) -> Any:
        return value.rsplit(self.text, 1)[0]


@dataclass(frozen=True)
class After(Codec):
    """An output: what comes after the last occurrence of a text."""

    text: str

    def decode(self, value: Any) -> Any:
        return value.rsplit(self.text, 1)[-1]


PLAIN, JSON, TEXT, SET = Codec(), Json(), Text(), Set()
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
            one, other = sorted(one, key=_canonical), sorted(other, key=_canonical)
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
            self.keys[name][0]: part if is_unknown(part) else _text(part)
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
