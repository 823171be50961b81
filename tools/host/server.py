"""The gRPC side of the host: which calls the engine makes and what answers them."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import language_pb2, language_pb2_grpc, plugin_pb2

from . import program
from .plugins import Plugins

MESSAGE_LIMIT = 400 * 1024 * 1024  # bytes; the engine's own limit for one message
ENGINE_PID = "--engine-pid="
PARENT_POLL_SECONDS = 0.5  # a killed engine sends nothing: its absence has to be looked for


class Host(language_pb2_grpc.LanguageRuntimeServicer):
    """Answers the calls of one engine process."""

    def __init__(self, engine_address: str) -> None:
        self._engine_address = engine_address
        self._one_program = threading.Lock()
        self.plugins = Plugins()

    def Handshake(self, _request: Any, _context: Any) -> Any:  # noqa: N802 - the name is the protocol's, as below
        """Nothing to agree on."""
        return language_pb2.LanguageHandshakeResponse()

    def GetPluginInfo(self, _request: Any, _context: Any) -> Any:  # noqa: N802
        """The version of the SDK that programs run on."""
        return plugin_pb2.PluginInfo(version=importlib.metadata.version("pulumi"))

    def About(self, _request: Any, _context: Any) -> Any:  # noqa: N802
        """What `pulumi about` prints as the runtime."""
        return language_pb2.AboutResponse(
            executable=sys.executable,
            version=platform.python_version(),
            metadata={"host": "stand-in built by make tools"},
        )

    def GetRequiredPackages(self, _request: Any, _context: Any) -> Any:  # noqa: N802
        """None: the engine then installs nothing up front, and asks for a plugin when a resource needs it."""
        return language_pb2.GetRequiredPackagesResponse()

    def GetProgramDependencies(self, _request: Any, _context: Any) -> Any:  # noqa: N802
        """What is installed in the virtual environment."""
        installed = {item.metadata["Name"]: item.version for item in importlib.metadata.distributions()}
        return language_pb2.GetProgramDependenciesResponse(
            dependencies=[language_pb2.DependencyInfo(name=name, version=installed[name]) for name in sorted(installed)]
        )

    def InstallDependencies(self, _request: Any, _context: Any) -> Iterator[Any]:  # noqa: N802
        """Refused politely: the environment is locked with hashes and belongs to make."""
        yield language_pb2.InstallDependenciesResponse(
            stdout=b"The virtual environment is kept by `make tools`; nothing is installed here.\n"
        )

    def Run(self, request: Any, _context: Any) -> Any:  # noqa: N802
        """Run the program. A failure has been logged by then, so the answer only says that there was one."""
        mismatch = other_environment(request.info)
        if mismatch is not None:
            return language_pb2.RunResponse(error=mismatch)
        with self._one_program:  # working folder, arguments and configuration belong to the whole process
            failed = program.run(request, self._engine_address) is not None
        return language_pb2.RunResponse(bail=failed)

    def RunPlugin(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802
        """Start a Python plugin or policy pack."""
        try:
            yield from self.plugins.run(request, context)
        except OSError as error:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))

    def Cancel(self, _request: Any, _context: Any) -> Any:  # noqa: N802
        """The program ends by itself: the engine answers its registrations with an error."""
        return empty_pb2.Empty()


def other_environment(info: Any) -> str | None:
    """What to say when the program declares another virtual environment than the one this host runs on."""
    declared = dict(info.options).get("virtualenv")
    if not declared:
        return None
    wanted = Path(info.root_directory, declared)
    if wanted.resolve() == Path(sys.prefix).resolve():
        return None
    return (
        f"runtime.options.virtualenv is {declared}, found {'another one' if wanted.exists() else 'no such folder'}"
        f" (running on {sys.prefix}): run `make tools` in {info.root_directory}"
    )


def main(arguments: Sequence[str]) -> None:
    """Serve until the engine says so or is gone.

    The last argument that is no flag is the engine's address. The launcher adds the engine's process id: asked here, an
    engine that was killed while this program was loading would already have been replaced as the parent.
    """
    plain = [argument for argument in arguments if not argument.startswith("-")]
    told = [argument.removeprefix(ENGINE_PID) for argument in arguments if argument.startswith(ENGINE_PID)]
    engine = int(told[0]) if told else os.getppid()
    host = Host(plain[-1] if plain else "")
    limits = [("grpc.max_receive_message_length", MESSAGE_LIMIT), ("grpc.max_send_message_length", MESSAGE_LIMIT)]
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=16), options=limits)
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(host, server)
    port = server.add_insecure_port("127.0.0.1:0")
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    _wait(stop, engine)
    host.plugins.kill()
    sys.stdout.flush()
    # A program that still runs holds threads that never end, so an orderly exit would wait for ever.
    os._exit(0)


def _wait(stop: threading.Event, engine: int) -> None:
    while os.getppid() == engine and not stop.wait(PARENT_POLL_SECONDS):
        pass
