"""The provider protocol for every type of the table. Check and Diff call nothing: they run on every preview."""

from collections.abc import Mapping
from typing import Any

from local.plugins.aws import settings
from local.plugins.aws.checking import validate_create, validate_update
from local.plugins.aws.engine import Engine, Incomplete
from local.plugins.aws.invokes import FUNCTIONS
from local.plugins.aws.model import Property, Type
from local.plugins.aws.naming import named
from local.plugins.aws.resource import Resource
from local.plugins.aws.types import TABLE
from local.plugins.aws.values import DEFAULTS, Answer, changes, decode, imported, outputs, refreshed
from provider.rpc.base import Plugin
from provider.rpc.messages import (
    Change,
    Checked,
    Difference,
    Fail,
    Failure,
    Found,
    InitFailed,
    Made,
    Request,
    changed,
)
from provider.rpc.values import UNKNOWN, unknown

# IAM is the one service in use that has no region.
GLOBAL_SERVICES = ("iam",)


class Aws(Plugin):
    """Stands for pulumi-resource-aws on the embedded AWS."""

    name, version = "aws", "7.51.1"

    def __init__(self, engine_address: str = "") -> None:
        super().__init__(engine_address)
        self.settings = settings.Settings()

    def check_config(self, inputs: dict[str, Any]) -> list[Failure]:
        return settings.failures(inputs)

    def configure(self, settings_: dict[str, Any]) -> None:
        if refused := settings.failures(settings_):
            raise Fail("; ".join(f"aws provider: {one.property} {one.reason}" for one in refused))
        self.settings = settings.load(settings_)

    # Plans: nothing is called --------------------------------------------------------------------------------------

    def check(self, request: Request) -> Checked:
        type_ = _type(request)
        inputs = {key: value for key, value in request.inputs.items() if value is not None and key != DEFAULTS}
        problems = [problem for key, value in inputs.items() for problem in _problems(type_, key, value)]
        for name, prop in type_.properties.items():
            if prop.default is not None:
                inputs.setdefault(name, prop.default)
        return Checked(inputs=named(type_, request, inputs), failures=problems)

    def diff(self, request: Request) -> Difference:
        type_ = _type(request)
        old, new = request.old_inputs, request.inputs
        names = {name for name in changes(type_, old, new) if name not in request.ignore_changes}
        if (old.get("tags") or {}) != (new.get("tags") or {}) and "tags" not in request.ignore_changes:
            names.add("tags")
        replace = [name for name in names if _property(type_, name).replace]
        found = {name: change for name, change in changed(old, new, replace).items() if name in names}
        if type_.tags and "tags" not in names and self._tags(new) != request.state.get("tagsAll", {}):
            found["tagsAll"] = Change(input=False)
        unique = type_.unique or ((type_.name,) if type_.name else ())
        made_up = type_.name in unique and type_.name in new.get(DEFAULTS, ())
        same = unique and all(new.get(name) == old.get(name) for name in unique)
        # Two with one name cannot be: the old one goes first.
        return Difference(changes=found, delete_before_replace=bool(replace and same and not made_up))

    def _tags(self, inputs: Mapping[str, Any]) -> dict[str, str]:
        own = inputs.get("tags") or {}
        return {**self.settings.default_tags, **own} if isinstance(own, Mapping) else own

    # Work ----------------------------------------------------------------------------------------------------------

    def create(self, request: Request) -> Made:
        type_ = _type(request)
        resource = self._resource(type_, request)
        if request.preview:
            validate_create(resource)
            return Made(state=self._planned(type_, request.inputs))
        try:
            answer = Engine(resource).create()
        except Incomplete as incomplete:
            state = self._state(type_, resource, Answer(main=None))
            raise InitFailed(incomplete.id, state, request.inputs, [str(incomplete)]) from incomplete
        return Made(id=resource.id, state=self._state(type_, resource, answer))

    def _planned(self, type_: Type, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """What a preview can say of a resource that is not there yet."""
        chosen = [name for name, prop in type_.properties.items() if prop.computed and inputs.get(name) is None]
        known = {name: value for name, value in inputs.items() if not name.startswith("__")}
        asked = dict.fromkeys([*type_.outputs, *type_.derived, *chosen], UNKNOWN)
        return {**asked, **known, **self._common(type_, inputs)}

    def _common(self, type_: Type, inputs: Mapping[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if type_.tags:
            found["tagsAll"] = self._tags(inputs)
        if type_.service not in GLOBAL_SERVICES:
            found["region"] = inputs.get("region") or self.settings.clients.region
        return found

    def _state(self, type_: Type, resource: Resource, answer: Answer) -> dict[str, Any]:
        live = decode(type_, answer, resource.scope) if answer.main is not None else {}
        state = outputs(type_, resource.inputs, live)
        return {**state, **self._common(type_, resource.inputs)}

    def update(self, request: Request) -> Made:
        type_ = _type(request)
        resource = self._resource(type_, request)
        if request.preview:
            validate_update(resource)
            kept = {name: value for name, value in request.state.items() if name not in type_.properties}
            kept |= {name: value for name, value in request.state.items() if name not in request.old_inputs}
            kept |= dict.fromkeys(type_.volatile, UNKNOWN)
            known = {name: value for name, value in request.inputs.items() if not name.startswith("__")}
            return Made(state={**kept, **known, **self._common(type_, request.inputs)})
        answer = Engine(resource).update(repair=not resource.changed() and resource.tags == resource.old_tags)
        return Made(state=self._state(type_, resource, answer))

    def read(self, request: Request) -> Found | None:
        type_ = _type(request)
        resource = self._resource(type_, request)
        answer = Engine(resource).read()
        if answer is None:
            return None
        live = decode(type_, answer, resource.scope)
        inputs = refreshed(type_, request.old_inputs, live) if request.old_inputs else imported(type_, live)
        state = outputs(type_, inputs if not request.old_inputs else {**request.state, **inputs}, live)
        if type_.tags:
            tags = self.settings.ours(answer.tags)
            state["tagsAll"] = tags
            inputs = self._own_tags(inputs, tags)
        state |= {key: value for key, value in self._common(type_, request.state).items() if key == "region"}
        return Found(id=request.id, state=state, inputs=inputs)

    def _own_tags(self, inputs: Mapping[str, Any], live: Mapping[str, str]) -> dict[str, Any]:
        """The inputs with live tags, without those that are there only because they are the provider's default."""
        own = inputs.get("tags") or {}
        defaults = self.settings.default_tags
        kept = {key: value for key, value in live.items() if key in own or defaults.get(key) != value}
        left = {key: value for key, value in inputs.items() if key != "tags"}
        return {**left, "tags": kept} if kept or "tags" in inputs else left

    def delete(self, request: Request) -> None:
        type_ = _type(request)
        Engine(self._resource(type_, request)).delete()

    def invoke(self, token: str, args: dict[str, Any]) -> dict[str, Any]:
        function = FUNCTIONS.get(token)
        if function is None:
            raise Fail(f"the aws plugin of the embedded AWS does not know the function {token}")
        return function(self.settings.clients, args)

    def _resource(self, type_: Type, request: Request) -> Resource:
        tags = self._tags(request.inputs) if type_.tags else {}
        return Resource(
            type=type_,
            clients=self.settings.clients,
            inputs=request.inputs or request.old_inputs,
            state=request.state,
            old=request.old_inputs,
            tags=tags if isinstance(tags, Mapping) else {},  # a preview may not know them
            old_tags=request.state.get("tagsAll") or {},
            id=request.id,
            cancelled=self.cancelled,
            timeout=request.timeout,
        )


def _type(request: Request) -> Type:
    found = TABLE.get(request.type)
    if found is None:
        raise Fail(f"the aws plugin of the embedded AWS does not know the type {request.type}")
    return found


def _property(type_: Type, name: str) -> Property:
    """The property of that name, `region` and `tags` included."""
    common = {"region": Property(replace=True, computed=True), "tags": Property()}
    return type_.properties.get(name) or common[name]


def _problems(type_: Type, name: str, value: Any) -> list[Failure]:
    if name == "tags" and type_.tags:
        return [] if isinstance(value, Mapping) or unknown(value) else [Failure(property=name, reason="is not a map")]
    if name == "region" and type_.service not in GLOBAL_SERVICES:
        return []
    prop = type_.properties.get(name)
    if prop is None:
        known = ", ".join(type_.properties)
        reason = f"is not a property of {type_.kind} that the embedded AWS knows; known are {known}"
        return [Failure(property=name, reason=reason)]
    return [Failure(property=path, reason=reason) for path, reason in prop.codec.problems(value, name)]
