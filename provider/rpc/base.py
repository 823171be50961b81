"""The provider protocol's calls, turned into methods with plain values that a plugin overrides."""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, NoReturn

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2

from preview import visible
from provider.rpc.answers import abort_init_failed, difference, refusals, values
from provider.rpc.engine import EngineLog
from provider.rpc.messages import Checked, Difference, Fail, Failure, Found, InitFailed, Made, Request
from provider.rpc.values import plain, reveal, struct


class Flights:
    """Counts the requests being answered, so that the process never ends under one."""

    def __init__(self) -> None:
        self._count = 0
        self._changed = threading.Condition()

    @contextmanager
    def one(self) -> Iterator[None]:
        """Hold this around the work of one request."""
        with self._changed:
            self._count += 1
        try:
            yield
        finally:
            with self._changed:
                self._count -= 1
                self._changed.notify_all()

    def landed(self, seconds: float) -> bool:
        """Wait until nothing is in flight, at most so many seconds; whether that was reached."""
        with self._changed:
            return self._changed.wait_for(lambda: self._count == 0, seconds)


class Plugin:
    """Base of a resource plugin. Override the lower-case methods; the capitalized ones speak the protocol.

    `cancelled` is set by Cancel, by a signal and by the death of the engine. Long work waits on it, puts back what it
    must and raises `Fail`. Cancel also comes at every normal end, and may come twice. `orphaned` is set, before
    `cancelled`, when the engine died: what the next run can take over may then be left running.
    """

    name: ClassVar[str] = ""
    version: ClassVar[str] = "0.0.0"

    def __init__(self, engine_address: str = "") -> None:
        self.log = EngineLog(engine_address)
        self.cancelled = threading.Event()
        self.orphaned = threading.Event()
        self.flights = Flights()

    # What a plugin does ------------------------------------------------------------------------------------------

    def check_config(self, inputs: dict[str, Any]) -> list[Failure]:
        """Refuse wrong provider settings; values of the default provider arrive as strings."""
        del inputs
        return []

    def configure(self, settings: dict[str, Any]) -> None:
        """Take the provider's settings, secrets opened. No AWS call here: a preview may have no network."""

    def check(self, request: Request) -> Checked:
        """Validate `request.inputs` and fill in defaults (`old_inputs` are the last ones). No side effect."""
        return Checked(inputs=request.inputs)

    def diff(self, request: Request) -> Difference:
        """What differs between `inputs` and `old_inputs` or `state`. No side effect."""
        raise NotImplementedError

    def create(self, request: Request) -> Made:
        """Create, or with `request.preview` say what would be."""
        raise NotImplementedError

    def read(self, request: Request) -> Found | None:
        """The live resource; None where it is gone. For an import `inputs` are empty."""
        return Found(id=request.id, state=request.state, inputs=request.old_inputs)

    def update(self, request: Request) -> Made:
        """Bring the resource to `inputs`, or with `request.preview` say what would be."""
        raise NotImplementedError

    def delete(self, request: Request) -> None:
        """Delete; gone already is no error."""

    def invoke(self, token: str, args: dict[str, Any]) -> dict[str, Any]:
        """Answer a function call of the program."""
        del args
        raise Fail(f"the {self.name} plugin does not know the function {token}")

    def cancel(self) -> None:
        """Set the event and return: the request in flight puts things back, and the engine waits for it."""
        self.cancelled.set()

    def explain(self, error: Exception) -> str:
        """The one line that the user reads for an exception that is not a `Fail`."""
        return f"{type(error).__name__}: {error}"

    # The protocol ------------------------------------------------------------------------------------------------

    def GetPluginInfo(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002 - protocol
        return plugin_pb2.PluginInfo(version=self.version)

    def GetSchema(self, request: Any, context: Any) -> NoReturn:  # noqa: N802, ARG002 - protocol
        context.abort(grpc.StatusCode.UNIMPLEMENTED, "this plugin has no schema")
        raise AssertionError

    def Handshake(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002 - protocol
        # Without secrets on the wire the engine opens them for us and marks outputs of the same name again.
        return provider_pb2.ProviderHandshakeResponse(
            accept_secrets=False, accept_resources=False, accept_outputs=False
        )

    def Attach(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002 - protocol
        # A process that outlives one run (PULUMI_DEBUG_PROVIDERS) must not keep the last run's cancel.
        self.log = EngineLog(request.address)
        self.cancelled.clear()
        self.orphaned.clear()
        return empty_pb2.Empty()

    def CheckConfig(self, request: Any, context: Any) -> Any:  # noqa: N802 - protocol
        def answer() -> Any:
            failures = self.check_config(reveal(plain(request.news)))
            return provider_pb2.CheckResponse(inputs=request.news, failures=refusals(failures))

        return self._answer(context, answer)

    def DiffConfig(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002 - protocol
        same = plain(request.olds) == plain(request.news)
        kinds = provider_pb2.DiffResponse
        return provider_pb2.DiffResponse(changes=kinds.DIFF_NONE if same else kinds.DIFF_SOME)

    def Configure(self, request: Any, context: Any) -> Any:  # noqa: N802 - protocol
        def answer() -> Any:
            self.configure(reveal(plain(request.args)))
            return provider_pb2.ConfigureResponse(
                acceptSecrets=False, supportsPreview=True, acceptResources=False, acceptOutputs=False
            )

        return self._answer(context, answer)

    def Cancel(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002 - protocol
        self.cancel()
        return empty_pb2.Empty()

    def Check(self, request: Any, context: Any) -> Any:  # noqa: N802 - protocol
        def answer() -> Any:
            asked = Request(
                urn=request.urn,
                inputs=values(request.news),
                old_inputs=values(request.olds),
                random_seed=bytes(request.randomSeed),
            )
            found = self.check(asked)
            return provider_pb2.CheckResponse(inputs=struct(found.inputs), failures=refusals(found.failures))

        return self._answer(context, answer)

    def Diff(self, request: Any, context: Any) -> Any:  # noqa: N802 - protocol
        def answer() -> Any:
            return difference(self.diff(_news(request)))

        return self._answer(context, answer)

    def Create(self, request: Any, context: Any) -> Any:  # noqa: N802 - protocol
        def answer() -> Any:
            asked = Request(
                urn=request.urn,
                inputs=values(request.properties),
                preview=request.preview,
                timeout=request.timeout,
            )
            made = self.create(asked)
            return provider_pb2.CreateResponse(
                id="" if request.preview else made.id,
                properties=struct(made.state),
                refresh_before_update=made.refresh_before_update,
            )

        return self._answer(context, answer)

    def Update(self, request: Any, context: Any) -> Any:  # noqa: N802 - protocol
        def answer() -> Any:
            made = self.update(_news(request, preview=request.preview, timeout=request.timeout))
            return provider_pb2.UpdateResponse(
                properties=struct(made.state), refresh_before_update=made.refresh_before_update
            )

        return self._answer(context, answer)

    def Read(self, request: Any, context: Any) -> Any:  # noqa: N802 - protocol
        def answer() -> Any:
            state, inputs = values(request.properties), values(request.inputs)
            found = self.read(Request(urn=request.urn, id=request.id, state=state, inputs=inputs, old_inputs=inputs))
            if found is None:
                return provider_pb2.ReadResponse(id="")
            return provider_pb2.ReadResponse(
                id=found.id,
                properties=struct(found.state),
                inputs=struct(found.inputs),
                refresh_before_update=found.refresh_before_update,
            )

        return self._answer(context, answer)

    def Delete(self, request: Any, context: Any) -> Any:  # noqa: N802 - protocol
        def answer() -> Any:
            self.delete(
                Request(
                    urn=request.urn,
                    id=request.id,
                    state=values(request.properties),
                    old_inputs=values(request.old_inputs),
                    timeout=request.timeout,
                )
            )
            return empty_pb2.Empty()

        return self._answer(context, answer)

    def Invoke(self, request: Any, context: Any) -> Any:  # noqa: N802 - protocol
        def answer() -> Any:
            found = self.invoke(request.tok, values(request.args))
            return provider_pb2.InvokeResponse(**{"return": struct(found)})

        return self._answer(context, answer)

    def _answer(self, context: Any, work: Callable[[], Any]) -> Any:
        """Do the work of one request and turn what it raises into the one message that the user sees."""
        with self.flights.one():
            try:
                return work()
            except InitFailed as failed:
                abort_init_failed(context, failed)
            except Fail as failed:
                context.abort(grpc.StatusCode.UNKNOWN, visible.terminal(str(failed)))
            except Exception as error:
                traceback.print_exc(file=sys.stderr)  # shown by -v=9 --logtostderr; the user gets the sentence
                context.abort(grpc.StatusCode.UNKNOWN, visible.terminal(self.explain(error)))


def _news(request: Any, *, preview: bool = False, timeout: float = 0.0) -> Request:
    """What Diff and Update say alike: the new inputs against the old ones and the state."""
    return Request(
        urn=request.urn,
        id=request.id,
        inputs=values(request.news),
        old_inputs=values(request.old_inputs),
        state=values(request.olds),
        preview=preview,
        timeout=timeout,
        ignore_changes=tuple(request.ignoreChanges),
    )
