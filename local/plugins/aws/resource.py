"""One resource in one request: what its templates mean, and which calls bring it about. Nothing is called here."""

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from local.plugins.aws.blocks import Blocks, put
from local.plugins.aws.client import Clients
from local.plugins.aws.codec import is_unknown
from local.plugins.aws.model import NOTHING, Call, Type
from local.plugins.aws.template import fill, holds
from local.plugins.aws.values import changes, tag_pairs
from provider.rpc.messages import Fail

PARTITIONS = {"cn-": "aws-cn", "us-gov-": "aws-us-gov"}
Prepared = tuple[Call, dict[str, Any]]


@dataclass(kw_only=True)
class Resource:
    """One resource in one request.

    Attributes:
        type: its type.
        clients: of the provider.
        inputs: as checked.
        state: outputs so far.
        old: the inputs before an update.
        tags: all tags it is to have; old_tags before an update.
        id: "" before a create.
        cancelled: ends waits.
        timeout: custom timeout in seconds, 0 for the type's own.
    """

    type: Type
    clients: Clients
    inputs: Mapping[str, Any]
    state: Mapping[str, Any] = field(default_factory=dict)
    old: Mapping[str, Any] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    old_tags: Mapping[str, str] = field(default_factory=dict)
    id: str = ""
    cancelled: threading.Event = field(default_factory=threading.Event)
    timeout: float = 0.0

    @property
    def region(self) -> str:
        """The resource's own, else the provider's."""
        return self.inputs.get("region") or self.state.get("region") or self.clients.region

    # Templates -----------------------------------------------------------------------------------------------------

    def scope(self, name: str) -> Any:
        """The value of a name in a template."""
        own: dict[str, Callable[[], Any]] = {
            "id": lambda: self.id or None,
            "region": lambda: self.region,
            "account": lambda: self.clients.account,
            "partition": lambda: next((p for begin, p in PARTITIONS.items() if self.region.startswith(begin)), "aws"),
            "tags": lambda: tag_pairs(self._style, self.added_tags()) or None,
            "keys": lambda: self.taken_tags() or None,
            "keyed": lambda: [{self._style.key: key} for key in self.taken_tags()] or None,
        }
        if name in own:
            return own[name]()
        if name.startswith("old."):
            return self.old.get(name.removeprefix("old."))
        if name.startswith("id."):
            return self._part(int(name.removeprefix("id.")))
        if name[0] in "+-":
            return self._members(name[1:], added=name[0] == "+")
        return self._own(name)

    def _own(self, name: str) -> Any:
        """An input, as the API writes it, or else an output."""
        value, prop = self.inputs.get(name), self.type.properties.get(name)
        if value is None and prop is not None and self.old.get(name) is not None:
            return None if prop.absent is NOTHING else prop.absent
        if value is None:
            value = self.state.get(name)
        return value if prop is None or value is None else prop.codec.encode(value)

    def _part(self, number: int) -> str | None:
        parts = self.id.split("|") if "|" in self.id else self.id.split(":")
        return parts[number] if number < len(parts) else None

    def _members(self, name: str, *, added: bool) -> list[Any] | None:
        """Members of a list, as the API writes them, that an update adds (or changes) or takes away."""
        codec = self.type.properties[name].codec
        new, old = (codec.encode(values.get(name) or []) for values in (self.inputs, self.old))
        if is_unknown(new) or is_unknown(old):
            return None
        here, there = (new, old) if added else (old, new)
        key = codec.key if isinstance(codec, Blocks) and not added else ""
        kept = [item[key] for item in there] if key else there
        return [item for item in here if (item[key] if key else item) not in kept] or None

    @property
    def _style(self) -> Any:
        if self.type.tags is None:
            raise Fail(f"{self.type.kind} takes no tags")
        return self.type.tags

    def added_tags(self) -> dict[str, str]:
        """Tags that are new or have another value."""
        return {key: value for key, value in self.tags.items() if self.old_tags.get(key) != value}

    def taken_tags(self) -> list[str]:
        """Keys of tags that are to go."""
        return [key for key in self.old_tags if key not in self.tags]

    # Calls ---------------------------------------------------------------------------------------------------------

    def wanted(self, call: Call) -> bool:
        """True unless `when` or `unless` of the call say that it is left out."""
        if call.when and not holds(call.when, self.scope):
            return False
        return not (call.unless and holds(call.unless, self.scope))

    def params(self, call: Call, names: Iterable[str]) -> dict[str, Any]:
        """The parameters of a call that sends these properties."""
        made: dict[str, Any] = fill(dict(call.params), self.scope) or {}
        for name in names:
            value = self._value(name)
            if value is not None:
                prop = self.type.properties[name]
                put(made, prop.api, prop.codec.encode(value))
        return made

    def _value(self, name: str) -> Any:
        value, prop = self.inputs.get(name), self.type.properties[name]
        if value is None and self.old.get(name) is not None:
            if prop.absent is NOTHING:
                raise Fail(f"{name} cannot be taken away by this plugin; give it the value that it is to have")
            return prop.absent
        return value

    def _attributes(self, call: Call, names: Iterable[str]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name in names:
            value = self._value(name)
            if value is not None:
                found.update(self.type.properties[name].codec.encode(value))
        made: dict[str, Any] = fill(dict(call.params), self.scope) or {}
        made[call.attributes] = [{"Key": key, "Value": text} for key, text in found.items()]
        return made

    def _prepared(self, call: Call, changed: set[str]) -> dict[str, Any] | None:
        """The parameters for a call of an update, or None when nothing that it sends has changed."""
        if call.attributes:
            names = sorted(name for name in changed if self.type.properties[name].attribute)
            return self._attributes(call, names) if names else None
        if not call.names & changed or not self.wanted(call):
            return None
        sent = call.sends.split()
        if call.whole:
            return self.params(call, sent)
        # A structure of the API goes whole, or AWS would take its other parts for absent.
        roots = {self.type.properties[name].api.split(".")[0] for name in sent if name in changed}
        return self.params(
            call, [n for n in sent if n in changed or self.type.properties[n].api.split(".")[0] in roots]
        )

    def later(self) -> set[str]:
        """What a create call does not send, and so has to be sent after it."""
        sent = self.type.create.names if self.type.create else frozenset()
        return {name for name in self.inputs if name in self.type.properties and name not in sent}

    def calls(self, changed: set[str]) -> list[Prepared]:
        """The calls of an update, in order, without tags."""
        prepared = ((call, self._prepared(call, changed)) for call in self.type.update)
        return [(call, params) for call, params in prepared if params is not None]

    def creation(self) -> list[Prepared]:
        """The create call alone, with its tags."""
        if self.type.create is None:
            return []
        params = self.params(self.type.create, self.type.create.sends.split())
        style = self.type.tags
        if style and style.create and self.tags:
            pairs = tag_pairs(style, self.tags)
            params[style.create] = [{"ResourceType": style.kind, "Tags": pairs}] if style.kind else pairs
        return [(self.type.create, params)]

    def changed(self) -> set[str]:
        """The inputs that an update changes in AWS."""
        return {name for name in changes(self.type, self.old, self.inputs) if name in self.type.properties}
