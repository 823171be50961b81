"""How one property is written on the wire of Pulumi and in the AWS API, and when two values of it mean the same.

Wire values are camelCase at every depth. `given` is what the program wrote, `live` what AWS answers, both as wire
values. A preview carries sentinels for what is not known yet; they pass through unchanged.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
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
        return value if is_unknown(value) else as_text(value)

    def same(self, one: Any, other: Any) -> bool:
        return one == other or (one is not None and other is not None and as_text(one) == as_text(other))


def as_text(value: Any) -> str:
    """A value as AWS writes it in text: true, not True."""
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
        return sorted(map(canonical, one)) == sorted(map(canonical, other))

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
        return value if value is None or isinstance(value, str) else canonical(value)

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
        return given if shaped == _loaded(given) else canonical(shaped)


def _loaded(value: Any) -> Any:
    try:
        return json.loads(value)
    except (TypeError, ValueError):
        return value


def canonical(value: Any) -> str:
    """JSON text that is the same for values that mean the same."""
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
