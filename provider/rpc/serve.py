"""Run a plugin as the engine expects it: print the port, end on a signal, never outlive the engine."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
from concurrent import futures
from types import FrameType

import grpc
from pulumi.runtime.proto import provider_pb2_grpc

from provider.rpc.base import Plugin

WORKERS = 64  # a gate that waits holds one; the engine's --parallel is the limit that a user sets
MESSAGE_BYTES = 400 << 20  # as the engine's own limit
PUT_BACK_SECONDS = 30.0  # what a request in flight may take to put things back before the process ends anyway
PARENT_POLL_SECONDS = 0.25
ENGINE_PID = "--engine-pid="


def serve(kind: type[Plugin], arguments: list[str] | None = None) -> int:
    """Serve until the engine ends; the exit code.

    The first plain argument is the engine's address (flags may surround it; `--engine-pid=PID` says whose child this
    is). On SIGINT or SIGTERM, and when the parent process is gone, requests in flight see `cancelled` and get
    PUT_BACK_SECONDS to put things back.
    """
    given = sys.argv[1:] if arguments is None else arguments
    # Asked before anything else, or told by the launcher: an engine that is killed while this starts is noticed too.
    parent = _engine_pid(given) or os.getppid()
    plugin = kind(next((one for one in given if not one.startswith("-")), ""))
    server = grpc.server(
        futures.ThreadPoolExecutor(max_workers=WORKERS),
        options=[("grpc.max_receive_message_length", MESSAGE_BYTES), ("grpc.max_send_message_length", MESSAGE_BYTES)],
    )
    # The generated base answers UNIMPLEMENTED for every call that the plugin does not have.
    servicer = type(kind.__name__, (_Forward, provider_pb2_grpc.ResourceProviderServicer), {})(plugin)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    signaled = _signals()
    server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    # The engine may be killed, and nobody will tell us: a shift would run on to its end by itself.
    while not select.select([signaled], [], [], PARENT_POLL_SECONDS)[0] and os.getppid() == parent:
        pass
    if os.getppid() != parent:
        plugin.orphaned.set()
    plugin.cancel()
    landed = plugin.flights.landed(PUT_BACK_SECONDS)
    server.stop(0.2).wait()
    return 0 if landed else 1


def _engine_pid(arguments: list[str]) -> int | None:
    """The parent at the time when the launcher ran; since then it may have died."""
    told = [one.removeprefix(ENGINE_PID) for one in arguments if one.startswith(ENGINE_PID)]
    return int(told[0]) if told and told[0].isdigit() else None


def _signals() -> int:
    """A descriptor that becomes readable on SIGINT or SIGTERM.

    A handler that set an Event could meet the main thread inside that Event's lock and hang the process.
    """
    readable, writable = os.pipe()
    os.set_blocking(writable, False)

    def end(_number: int, _frame: FrameType | None) -> None:
        with contextlib.suppress(BlockingIOError):  # the pipe is full of signals: enough said
            os.write(writable, b".")

    signal.signal(signal.SIGINT, end)
    signal.signal(signal.SIGTERM, end)
    return readable


class _Forward:
    """Hands protocol calls to the plugin, so that plugins need not derive from a generated class."""

    def __init__(self, plugin: Plugin) -> None:
        for name in dir(plugin):
            if name[0].isupper():
                setattr(self, name, getattr(plugin, name))


def main(kind: type[Plugin]) -> None:
    """Serve and end the process at once: a worker thread that still hangs must not keep it alive."""
    code = serve(kind)
    sys.stdout.flush()
    os._exit(code)
