"""Create, read, update and delete a resource of any type, from what the table says about the type."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from local.plugins.aws import validate
from local.plugins.aws.client import Clients, Refused
from local.plugins.aws.codec import Blocks, is_unknown, put
from local.plugins.aws.model import NOTHING, Call, Look, Type, Wait
from local.plugins.aws.template import fill, holds, sources
from local.plugins.aws.values import Answer, changes, decode, search, tag_map, tag_pairs
from provider.rpc.messages import Fail

# Stands for the id while the calls that follow a create are validated. Long enough for every pattern of AWS.
NOT_YET = "id-that-aws-will-choose"
FIRST_PAUSE, LAST_PAUSE = 0.1, 2.0
PARTITIONS = {"cn-": "aws-cn", "us-gov-": "aws-us-gov"}


class Incomplete(Fail):
    """Created, but what had to follow failed.

    Attributes:
        id: of the resource, which exists.
    """

    def __init__(self, id_: str, reason: str) -> None:
        super().__init__(reason)
        self.id = id_


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
            "tags": lambda: tag_pairs(self._style, self._added()) or None,
            "keys": lambda: self._taken() or None,
            "keyed": lambda: [{self._style.key: key} for key in self._taken()] or None,
        }
        if name in own:
            return own[name]()
        if name.startswith("old."):
            return self.old.get(name.removeprefix("old."))
        if name.startswith("id."):
            return self._part(int(name.removeprefix("id.")))
        if name[0] in "+-":
            return self._members(name[1:], added=name[0] == "+")
        value = self.inputs.get(name, self.state.get(name))
        prop = self.type.properties.get(name)
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

    def _added(self) -> dict[str, str]:
        return {key: value for key, value in self.tags.items() if self.old_tags.get(key) != value}

    def _taken(self) -> list[str]:
        return [key for key in self.old_tags if key not in self.tags]

    # Calls ---------------------------------------------------------------------------------------------------------

    def _wanted(self, call: Call) -> bool:
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
        if not call.names & changed or not self._wanted(call):
            return None
        sent = call.sends.split()
        if call.whole:
            return self.params(call, sent)
        # A structure of the API goes whole, or AWS would take its other parts for absent.
        roots = {self.type.properties[name].api.split(".")[0] for name in sent if name in changed}
        return self.params(
            call, [n for n in sent if n in changed or self.type.properties[n].api.split(".")[0] in roots]
        )

    def _later(self) -> set[str]:
        """What a create call does not send, and so has to be sent after it."""
        sent = self.type.create.names if self.type.create else frozenset()
        return {name for name in self.inputs if name in self.type.properties and name not in sent}

    def calls(self, changed: set[str]) -> list[tuple[Call, dict[str, Any]]]:
        """The calls of an update, in order, without tags."""
        prepared = ((call, self._prepared(call, changed)) for call in self.type.update)
        return [(call, params) for call, params in prepared if params is not None]

    def creation(self) -> list[tuple[Call, dict[str, Any]]]:
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

    # Validation ----------------------------------------------------------------------------------------------------

    def validate_create(self) -> None:
        """Raise Fail that names every input which AWS's interface would not take; call nothing."""
        known, self.id = self.id, self.id or NOT_YET
        try:
            self._validate([*self.creation(), *self.calls(self._later())])
        finally:
            self.id = known

    def validate_update(self) -> None:
        """The same, for an update."""
        self._validate(self.calls(self.changed()))

    def _validate(self, calls: Sequence[tuple[Call, dict[str, Any]]]) -> None:
        found: list[str] = []
        for call, params in calls:
            service = call.service or self.type.service
            title = validate.operation(service, call.operation).name
            for path, reason in validate.problems(service, call.operation, params):
                wire = self._wire_name(call, path)
                found.append(f"{wire} ({title} {path}) {reason}" if wire else f"{title} {path} {reason}")
        if found:
            raise Fail("; ".join(dict.fromkeys(found)))

    def _wire_name(self, call: Call, path: str) -> str:
        exact = dict(sources(call.params))
        if path in exact:
            return exact[path]
        for name in call.sends.split():
            api = self.type.properties[name].api
            if api and (path == api or path.startswith((f"{api}.", f"{api}[")) or api.startswith(f"{path}.")):
                return name
        return ""

    # Work ----------------------------------------------------------------------------------------------------------

    def call(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Make one call."""
        return self.clients.call(call.service or self.type.service, call.operation, self.region, **params)

    def create(self) -> Answer:
        """Create; the answer of the reads that follow.

        Raises:
            Fail: nothing was created.
            Incomplete: created, but a later call, a wait or the read failed.
        """
        self.validate_create()
        if self.type.adopt:
            return self._adopt()
        ((call, params),) = self.creation()
        made = self.call(call, params)
        id_ = fill(self.type.id, self.scope) if "{" in self.type.id else search(self.type.id, made)
        self.id = str(id_)
        try:
            for follows in self.type.after:
                if self._wanted(follows):
                    self.call(follows, self.params(follows, ()))
            if self.type.created:
                self._wait(self.type.created)
            later = self._later()
            self._run(self.calls(later))
            if self.type.tags and not self.type.tags.create:
                self._retag()
            return self._present()
        except Fail as failed:
            raise Incomplete(self.id, str(failed)) from failed

    def _adopt(self) -> Answer:
        """Take what AWS made by itself: bring it from how it is to how it is wanted."""
        assert self.type.adopt is not None  # noqa: S101  (the caller looked)
        found = self._look(self.type.adopt)
        if found is None:
            raise Fail(f"{self.type.kind}: there is none to adopt")
        self.id = str(search(self.type.id, found))
        answer = self._present()
        self.old, self.old_tags = decode(self.type, answer, self.scope), answer.tags
        wanted = {name for name in self.changed() if name in self.inputs}
        self._run(self.calls(wanted))
        self._retag()
        return self._present()

    def update(self, *, repair: bool) -> Answer:
        """Send what changed, and nothing else: what another owner set since stays.

        Args:
            repair: the create was incomplete: send again what follows a create.
        """
        changed = self.changed() or (self._later() if repair else set())
        calls = self.calls(changed)
        self._validate(calls)
        self._run(calls)
        self._retag()
        if self.type.updated and calls:
            self._wait(self.type.updated)
        return self._present()

    def _run(self, calls: Iterable[tuple[Call, dict[str, Any]]]) -> None:
        for call, params in calls:
            self.call(call, params)

    def _retag(self) -> None:
        if self.type.tags is None:
            return
        if self._taken():
            self.call(self.type.tags.remove, fill(dict(self.type.tags.remove.params), self.scope))
        if self._added():
            self.call(self.type.tags.add, fill(dict(self.type.tags.add.params), self.scope))

    def delete(self) -> None:
        """Delete; gone already is no error."""
        for call in self.type.delete:
            if not self._wanted(call):
                continue
            try:
                self.call(call, self.params(call, ()))
            except Refused as refused:
                if refused.code not in self.type.gone:
                    raise
        if self.type.deleted:
            self._wait(self.type.deleted, gone=True)

    # Reading -------------------------------------------------------------------------------------------------------

    def read(self) -> Answer | None:
        """What AWS has, or None."""
        main = self._look(self.type.read)
        if main is None or self._is_gone(main):
            return None
        answer = Answer(main=main)
        # Further looks and the tags are found by what the first one told, an ARN for example.
        self.state = {**self.state, **decode(self.type, answer, self.scope)}
        for look in self.type.looks:
            found = self._look(look)
            if look.attributes:
                answer.attributes.update({item["Key"]: item["Value"] for item in found or []})
            answer.given.update({name: search(path, found) for name, path in look.gives.items()})
        answer.given = {name: value for name, value in answer.given.items() if value is not None}
        if self.type.tags:
            source = self._look(self.type.tags.look) if self.type.tags.look else main
            answer.tags = tag_map(self.type.tags, search(self.type.tags.read, source))
        return answer

    def _present(self) -> Answer:
        answer = self.read()
        if answer is None:
            raise Fail(f"{self.type.kind} {self.id} was created or changed, but AWS does not find it")
        return answer

    def _look(self, look: Look) -> Any:
        params = fill(dict(look.params), self.scope) or {}
        try:
            found = self.clients.call(self.type.service, look.operation, self.region, **params)
        except Refused as refused:
            if refused.code in self.type.gone:
                return None
            raise
        return search(fill(look.path, self.scope) or "@", found)

    def _is_gone(self, main: Any) -> bool:
        return self.type.gone_when is not None and search(self.type.gone_when[0], main) in self.type.gone_when[1]

    def _wait(self, wait: Wait, *, gone: bool = False) -> None:
        if wait.when and not holds(wait.when, self.scope):
            return
        end = time.monotonic() + (self.timeout or wait.seconds)
        pause = FIRST_PAUSE
        while True:
            main = self._look(self.type.read)
            state = None if main is None or self._is_gone(main) else search(wait.path, main)
            if (gone and state is None) or (state is not None and state in wait.until):
                return
            if state is not None and state in wait.failed:
                raise Fail(f"{self.type.kind} {self.id} became {state}")
            if time.monotonic() > end:
                wanted = "to be gone" if gone else f"for {' or '.join(map(str, wait.until))}"
                raise Fail(
                    f"{self.type.kind} {self.id} is {state}; waited {self.timeout or wait.seconds:.0f} s {wanted}"
                )
            if self.cancelled.wait(pause):
                raise Fail(f"{self.type.kind} {self.id} is {state}; canceled while waiting")
            pause = min(pause * 1.6, LAST_PAUSE)
