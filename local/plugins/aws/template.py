"""Templates: plain values in which `{name}` stands for a value.

    "{name}" alone        the value itself, whatever its type
    "arn:{id}:x"          text; nothing at all if a value is missing
    "{a|b}"               the first that is there
    "{+name}", "{-name}"  members of a list that an update adds or takes away, as the API writes them
    {"?": "{a}", ...}     the structure only if the value is there

What is missing is left out, and so are structures and lists that become empty by that.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

_WHOLE = re.compile(r"\{([^{}]+)\}$")
_PART = re.compile(r"\{([^{}]+)\}")

# From the text between the braces to a value, or None.
Scope = Callable[[str], Any]


def fill(template: Any, scope: Scope) -> Any:
    """The value of a template; None where it has none."""
    if isinstance(template, str):
        return _text(template, scope)
    if isinstance(template, Mapping):
        if "?" in template and fill(template["?"], scope) in (None, ""):
            return None
        items = {key: fill(item, scope) for key, item in template.items() if key != "?"}
        kept = {key: item for key, item in items.items() if item is not None}
        return kept if kept or not template else None
    if isinstance(template, list | tuple):
        found = [item for item in (fill(one, scope) for one in template) if item is not None]
        return found if found or not template else None
    return template


def _text(template: str, scope: Scope) -> Any:
    whole = _WHOLE.match(template)
    if whole:
        return _first(whole[1], scope)
    values = [_first(name, scope) for name in _PART.findall(template)]
    if any(value is None for value in values):
        return None
    left = iter(values)
    return _PART.sub(lambda _: str(next(left)), template)


def _first(names: str, scope: Scope) -> Any:
    return next((value for name in names.split("|") if (value := scope(name)) is not None), None)


def holds(template: str, scope: Scope) -> bool:
    """True when the value is there and neither empty, zero nor false."""
    return fill(template, scope) not in (None, False, "", 0, [], {})


def mentioned(template: Any) -> Iterator[str]:
    """The names in a template, without `old.` and signs."""
    if isinstance(template, str):
        for names in _PART.findall(template):
            yield from (name.removeprefix("old.").lstrip("+-") for name in names.split("|"))
    elif isinstance(template, Mapping):
        for item in template.values():
            yield from mentioned(item)
    elif isinstance(template, list | tuple):
        for item in template:
            yield from mentioned(item)


def sources(template: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Where in the filled value each name alone went: path (as `A[0].B`) and name."""
    if isinstance(template, str) and (whole := _WHOLE.match(template)):
        yield path, whole[1].split("|")[0]
    elif isinstance(template, Mapping):
        for key, item in template.items():
            yield from sources(item, f"{path}.{key}" if path else key)
    elif isinstance(template, list | tuple):
        for n, item in enumerate(template):
            yield from sources(item, f"{path}[{n}]")
