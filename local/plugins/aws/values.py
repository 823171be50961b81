"""What a resource's values are: decoded from AWS's answers, and put together with what the program wrote."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from local.plugins.aws.blocks import Block
from local.plugins.aws.model import Property, Tags, Type
from local.plugins.aws.template import Scope, fill

# Inputs that the plugin itself keeps; Pulumi's own providers use the same name, and the CLI does not show it.
DEFAULTS = "__defaults"
EMPTY: tuple[Any, ...] = (None, False, 0, "", [], {})


@dataclass(kw_only=True)
class Answer:
    """What the looks of a type found.

    Attributes:
        main: the resource itself.
        attributes: its list of attributes, as a map.
        given: values that further looks give, by wire name, as the API has them.
        tags: all its tags.
    """

    main: Any
    attributes: dict[str, str] = field(default_factory=dict)
    given: dict[str, Any] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)


def search(path: str, value: Any) -> Any:
    """What a JMESPath finds."""
    import jmespath  # type: ignore[import-untyped]  # comes with botocore, without types; not needed for a plan

    return jmespath.search(path, value)


def decode(type_: Type, answer: Answer, scope: Scope) -> dict[str, Any]:
    """The live values of a resource by wire name; what AWS does not tell is not there.

    Args:
        type_: its type.
        answer: what was read.
        scope: for derived outputs, beyond the live values themselves.
    """
    live = {}
    for name, prop in type_.properties.items():
        value = _property(name, prop, answer)
        if value is not None:
            live[name] = value
    for name, output in type_.outputs.items():
        path, codec = output if isinstance(output, tuple) else (output, None)
        value = answer.given[name] if name in answer.given else search(path, answer.main) if path else None
        if value is not None:
            live[name] = codec.decode(value) if codec else value
    for name, template in type_.derived.items():
        value = fill(template, lambda key: live.get(key, scope(key)))
        if value is not None:
            live[name] = value
    return live


def _property(name: str, prop: Property, answer: Answer) -> Any:
    if not readable(prop):
        return None
    if prop.attribute:
        return prop.codec.decode(answer.attributes)
    value = answer.given.get(name)
    if value is None:
        # Without a path of its own a structure has its fields in the resource itself.
        value = search(prop.path, answer.main) if prop.path else answer.main
    return None if value is None else prop.codec.decode(value)


def refreshed(type_: Type, inputs: Mapping[str, Any], live: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs with live values: what AWS no longer has as the program wrote it becomes a difference."""
    found = {}
    for name, given in inputs.items():
        prop = type_.properties.get(name)
        if prop is None or not readable(prop):
            found[name] = given
        elif name in live:
            found[name] = prop.codec.keep(given, live[name])
        elif given in EMPTY:
            found[name] = given  # AWS leaves out what is off or empty
    return found


def readable(prop: Property) -> bool:
    """True when AWS tells the value."""
    return not prop.local and prop.read != ""


def imported(type_: Type, live: Mapping[str, Any]) -> dict[str, Any]:
    """Inputs of a resource that the program did not make."""
    found = {name: prop.default for name, prop in type_.properties.items() if prop.default is not None}
    found.update({name: live[name] for name in type_.properties if live.get(name) not in (None, "", [], {})})
    return found


def outputs(type_: Type, inputs: Mapping[str, Any], live: Mapping[str, Any]) -> dict[str, Any]:
    """The state: inputs in the program's form with live values, and what only AWS knows."""
    state = {name: value for name, value in inputs.items() if not name.startswith("__")}
    for name, value in live.items():
        prop, given = type_.properties.get(name), inputs.get(name)
        if prop is None or given is None:
            state[name] = value
            continue
        kept = prop.codec.keep(given, value)
        whole = isinstance(value, Mapping) and isinstance(kept, Mapping) and isinstance(prop.codec, Block)
        state[name] = {**value, **kept} if whole else kept
    return state


def changes(type_: Type, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    """Names of the properties in which two sets of inputs differ for AWS, without tags."""
    for name in sorted({*old, *new} - {DEFAULTS, "tags"}):
        prop = type_.properties.get(name, Property())
        before, after = old.get(name), new.get(name)
        if after is None and (prop.computed or before is None):
            continue
        if before is None or after is None:
            if before != after:
                yield name
        elif not prop.codec.same(before, after):
            yield name


def tag_pairs(style: Tags, tags: Mapping[str, str]) -> Any:
    """Tags as the service writes them."""
    if not style.key:
        return dict(tags)
    return [{style.key: key, style.value: value} for key, value in tags.items()]


def tag_map(style: Tags, found: Any) -> dict[str, str]:
    """Tags as a map, from what the service answers."""
    if isinstance(found, Mapping):
        return dict(found)
    return {item[style.key]: item.get(style.value, "") for item in found or []}
