"""Checks of inputs: each says which input, what was found and what is expected."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from provider.plan import COLORS
from provider.rpc.messages import Checked, Failure
from provider.rpc.values import unknown

MOST_SECONDS = 24 * 3600
MOST_WEIGHT = 999  # elbv2 TargetGroupTuple.Weight


class Checks:
    """Collects what is wrong with a set of inputs. Values that a preview does not know yet pass."""

    def __init__(self, inputs: Mapping[str, Any], defaults: Mapping[str, Any], names: Collection[str]) -> None:
        given = {key: value for key, value in inputs.items() if value is not None}
        self.inputs = {**defaults, **given}
        self.failures: list[Failure] = []
        for name in sorted(set(self.inputs) - set(names)):
            self.refuse(name, f"no such input; expected one of {', '.join(sorted(names))}")

    def refuse(self, name: str, reason: str) -> None:
        """Add a failure."""
        self.failures.append(Failure(property=name, reason=reason))

    def done(self) -> Checked:
        """The inputs with defaults, and the failures."""
        return Checked(inputs=self.inputs, failures=self.failures)

    def _given(self, name: str, *, required: bool = True) -> Any:
        """The value to look at; None where it is absent (a failure if required) or unknown."""
        value = self.inputs.get(name)
        if value is None and required:
            self.refuse(name, "is missing")
        return None if unknown(value) else value

    def text(self, name: str, pattern: str = ".+", *, required: bool = True, what: str = "a non-empty text") -> None:
        """A string that matches the whole pattern."""
        value = self._given(name, required=required)
        if value is not None and not (isinstance(value, str) and re.fullmatch(pattern, value, re.DOTALL)):
            self.refuse(name, f"is {value!r}; expected {what}")

    def choice(self, name: str, allowed: Collection[str]) -> None:
        """One of a few words."""
        value = self._given(name)
        if value is not None and value not in allowed:
            self.refuse(name, f"is {value!r}; expected {' or '.join(allowed)}")

    def number(self, name: str, low: float, high: float = MOST_SECONDS, *, whole: bool = True) -> None:
        """A number in a range."""
        value = self._given(name)
        kinds = int if whole else (int, float)
        if value is not None and (isinstance(value, bool) or not isinstance(value, kinds) or not low <= value <= high):
            kind = "a whole number" if whole else "a number"
            self.refuse(name, f"is {value!r}; expected {kind} from {low:g} to {high:g}")

    def flag(self, name: str, *, required: bool = True) -> None:
        """A boolean."""
        value = self._given(name, required=required)
        if value is not None and not isinstance(value, bool):
            self.refuse(name, f"is {value!r}; expected true or false")

    def texts(self, name: str, *, least: int = 0, required: bool = True) -> None:
        """A list of non-empty strings."""
        value = self._given(name, required=required)
        if value is None:
            return
        if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
            self.refuse(name, f"is {value!r}; expected a list of texts")
        elif len(value) < least:
            self.refuse(name, f"has {len(value)} entries; expected at least {least}")

    def environment(self, name: str) -> None:
        """A map of names to strings; the values are not shown, they may be secrets."""
        value = self.inputs.get(name)
        if not isinstance(value, Mapping):
            self.refuse(name, "expected a map of names to texts")
            return
        for key in sorted(key for key, one in value.items() if not isinstance(one, str)):
            self.refuse(f"{name}.{key}", f"is a {type(value[key]).__name__}; expected a text")

    def colors(self, name: str) -> None:
        """A map with a text for each of the two colors."""
        if self._two(name):
            for color in COLORS:
                self._nested(name, color)

    def weights(self, name: str) -> None:
        """A map with a weight for each of the two colors, not both 0."""
        if not self._two(name):
            return
        value = self.inputs[name]
        before = len(self.failures)
        for color in COLORS:
            one = value[color]
            if unknown(one):
                return
            if isinstance(one, bool) or not isinstance(one, int) or not 0 <= one <= MOST_WEIGHT:
                self.refuse(f"{name}.{color}", f"is {one!r}; expected a whole number from 0 to {MOST_WEIGHT}")
        if len(self.failures) == before and not any(value.values()):
            self.refuse(name, "is 0 for both colors, which would send requests nowhere; give one of them weight")

    def _nested(self, name: str, color: str) -> None:
        one = self.inputs[name][color]
        if not isinstance(one, str) or not one:
            self.refuse(f"{name}.{color}", f"is {one!r}; expected a non-empty text")

    def _two(self, name: str) -> bool:
        value = self.inputs.get(name)
        if isinstance(value, str) and unknown(value):
            return False
        if not isinstance(value, Mapping) or set(value) != set(COLORS):
            found = sorted(value) if isinstance(value, Mapping) else value
            self.refuse(name, f"is {found!r}; expected a map with exactly the keys blue and green")
            return False
        return True
