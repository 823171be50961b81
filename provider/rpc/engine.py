"""Lines to the person at the terminal, through the engine's Log call."""

from __future__ import annotations

import sys
from typing import Any

import grpc
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc

from preview import visible

LOG_SECONDS = 2.0  # a dead engine must not hold up the work that puts things back


class EngineLog:
    """Sends log lines of resources to the engine. A lost engine is no error: there is nobody left to tell.

    There is no `error`: that severity marks the resource as failed on the screen while the run exits 0.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self._stub: Any = None

    def info(self, urn: str, text: str) -> None:
        """A line in the live tree, and again under the resource at the end."""
        self._send(engine_pb2.INFO, urn, text, ephemeral=False)

    def warning(self, urn: str, text: str) -> None:
        """The same, with the word warning before it."""
        self._send(engine_pb2.WARNING, urn, text, ephemeral=False)

    def debug(self, urn: str, text: str) -> None:
        """Shown with `--debug` only."""
        self._send(engine_pb2.DEBUG, urn, text, ephemeral=False)

    def tick(self, urn: str, text: str) -> None:
        """The resource's status column only; never kept."""
        self._send(engine_pb2.INFO, urn, text, ephemeral=True)

    def _send(self, severity: Any, urn: str, text: str, *, ephemeral: bool) -> None:
        if not self.address:
            return
        if self._stub is None:
            self._stub = engine_pb2_grpc.EngineStub(grpc.insecure_channel(self.address))
        shown = visible.terminal(text)  # much of it is what tasks, AWS and people wrote
        line = engine_pb2.LogRequest(severity=severity, message=shown, urn=urn, streamId=0, ephemeral=ephemeral)
        try:
            self._stub.Log(line, timeout=LOG_SECONDS)
        except grpc.RpcError as lost:
            sys.stderr.write(f"log line not delivered ({lost.code()}): {text}\n")
