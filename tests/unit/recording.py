"""Runs a Pulumi program against a monitor that keeps every registration.

The only file that knows the SDK's mock monitor: its method names follow the engine's protocol, and the SDK's own record
has no options. `record` gives each program an event loop of its own and leaves no process-wide mock behind.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pulumi
from pulumi.runtime import config as runtime_config
from pulumi.runtime import mocks, rpc
from pulumi.runtime.settings import get_root_resource, reset_options
from pulumi.runtime.stack import run_pulumi_func

from tests.support.own_loop import own_loop

# A process without any mock answers registrations by itself: a test that forgot `record` would pass alone. Not here.
reset_options()

UNKNOWN_TYPE = "the mocks know no outputs for the type"


@dataclass(frozen=True, kw_only=True)
class Registration:
    """One resource as the engine would have been asked for it."""

    type: str
    name: str
    urn: str
    custom: bool
    inputs: Mapping[str, Any]
    parent: str
    provider: str
    providers: Mapping[str, str]
    dependencies: frozenset[str]
    protect: bool
    ignore_changes: tuple[str, ...]
    secrets: frozenset[str]
    delete_timeout: str


@dataclass
class Recording:
    """Everything that a program registered, in order, the calls it made and what it exported."""

    resources: list[Registration] = field(default_factory=list)
    calls: list[tuple[str, str]] = field(default_factory=list)
    outputs: dict[str, Any] = field(default_factory=dict)
    finished: list[str] = field(default_factory=list)

    def of(self, kind: str) -> list[Registration]:
        """All resources of a type token."""
        return [each for each in self.resources if each.type == kind]

    def one(self, kind: str, name: str | None = None) -> Registration:
        """The only resource of that type (and name)."""
        found = [each for each in self.of(kind) if name in (None, each.name)]
        assert len(found) == 1, f"{len(found)} of {kind} {name}: {[each.name for each in self.of(kind)]}"
        return found[0]

    def named(self, urns: frozenset[str]) -> set[str]:
        """Names of the resources with these URNs."""
        return {each.name for each in self.resources if each.urn in urns}

    def needs(self, kind: str, name: str) -> set[str]:
        """Names of everything that this resource waits for directly."""
        return self.named(self.one(kind, name).dependencies)

    def waits_for(self, later: Registration, earlier: Registration) -> bool:
        """Whether a chain of dependencies leads from one to the other."""
        by_urn = {each.urn: each for each in self.resources}
        todo, seen = [later.urn], set[str]()
        while todo:
            urn = todo.pop()
            if urn == earlier.urn:
                return True
            if urn not in seen and urn in by_urn:
                seen.add(urn)
                todo.extend(by_urn[urn].dependencies)
        return False


class Answers(mocks.Mocks):
    """Outputs of each type, as camelCase keys; a type without an entry fails the run."""

    def __init__(self, outputs: Mapping[str, Callable[[str, Any], dict[str, Any]]], calls: Mapping[str, Any]) -> None:
        self._outputs = outputs
        self._calls = calls

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        if args.custom is False:
            return "", dict(args.inputs)
        if args.typ not in self._outputs:
            raise LookupError(f"{UNKNOWN_TYPE} {args.typ} ({args.name})")
        return f"{args.name}-id", {**args.inputs, **self._outputs[args.typ](args.name, args.inputs)}

    def call(self, args: mocks.MockCallArgs) -> dict[str, Any]:
        if args.token not in self._calls:
            raise LookupError(f"the mocks have no answer for the call {args.token}")
        return dict(self._calls[args.token])


class RecordingMonitor(mocks.MockMonitor):
    """Keeps what the SDK's monitor throws away: the options of each registration."""

    def __init__(self, answers: Answers, recording: Recording) -> None:
        super().__init__(answers)
        self._recording = recording

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - the engine's name
        response = super().RegisterResource(request)
        if request.type != "pulumi:pulumi:Stack":
            self._recording.resources.append(_registration(request, response.urn))
        return response

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802 - the engine's name
        self._recording.finished.append(request.urn)
        return super().RegisterResourceOutputs(request)

    def Invoke(self, request: Any) -> Any:  # noqa: N802 - the engine's name
        self._recording.calls.append((request.tok, request.provider))
        return super().Invoke(request)


def _secret(value: Any) -> bool:
    """Whether there is a secret in a value on the wire, at any depth."""
    if value.HasField("list_value"):
        return any(_secret(each) for each in value.list_value.values)
    fields = value.struct_value.fields
    return rpc._special_sig_key in fields or any(_secret(each) for each in fields.values())


def _plain(value: Any) -> Any:
    """The value with what is in secrets in their place."""
    if rpc.is_rpc_secret(value):
        return _plain(rpc.unwrap_rpc_secret(value))
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list) else value


def _registration(request: Any, urn: str) -> Registration:
    return Registration(
        type=request.type,
        name=request.name,
        urn=urn,
        custom=request.custom,
        inputs=_plain(rpc.deserialize_properties(request.object)),
        parent=request.parent,
        provider=request.provider,
        providers=dict(request.providers),
        dependencies=frozenset(request.dependencies),
        protect=request.protect,
        ignore_changes=tuple(request.ignoreChanges),
        secrets=frozenset(key for key, value in request.object.fields.items() if _secret(value)),
        delete_timeout=request.customTimeouts.delete,
    )


def record(
    program: Callable[[], None],
    outputs: Mapping[str, Callable[[str, Any], dict[str, Any]]],
    calls: Mapping[str, Any],
    config: Mapping[str, str] | None = None,
) -> Recording:
    """Run the program to its end, with all that it left to the event loop, and say what it registered.

    Raises what the program raises, or what went wrong in a registration.
    """
    recording = Recording()
    answers = Answers(outputs, calls)
    runtime_config.set_all_config({f"bluegreen:{key}": value for key, value in (config or {}).items()}, [])
    with own_loop() as loop:
        mocks.set_mocks(answers, project="bluegreen", stack="test", monitor=RecordingMonitor(answers, recording))
        try:
            loop.run_until_complete(run_pulumi_func(lambda: _run(program, recording)))
        finally:
            reset_options()
            runtime_config.set_all_config({}, [])
    return recording


def _run(program: Callable[[], None], recording: Recording) -> None:
    program()
    root = get_root_resource()
    assert root is not None
    pulumi.Output.from_input(root.outputs).apply(recording.outputs.update)
