"""Starting Python plugins and policy packs on behalf of the engine."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from pulumi.runtime.proto import language_pb2


class Plugins:
    """The plugin processes this host has started; none outlives it."""

    def __init__(self) -> None:
        self._running: set[subprocess.Popen[bytes]] = set()

    def run(self, request: Any, context: Any) -> Iterator[Any]:
        """Serve one ``RunPlugin`` call: what the process prints, then its exit code.

        The engine ends a plugin by closing the stream, and gives no other sign.
        """
        command, folder = _command(request)
        environment = dict(item.split("=", 1) for item in request.env)
        process = subprocess.Popen(  # noqa: S603 - the engine names the plugin, that is its purpose
            command,
            cwd=folder,
            env=environment or None,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._running.add(process)
        context.add_callback(process.kill)
        try:
            yield from _output(process)
            yield language_pb2.RunPluginResponse(exitcode=process.wait())
        finally:
            self._running.discard(process)

    def kill(self) -> None:
        """End every plugin that still runs."""
        for process in list(self._running):
            process.kill()


def _command(request: Any) -> tuple[list[str], str]:
    """The command line and working folder of a plugin, by its kind."""
    folder = request.info.program_directory
    python = interpreter(request.info)
    if request.kind == "analyzer":
        return [python, "-u", "-m", "pulumi.policy", *request.args, folder], folder
    return [python, "-u", folder, *request.args], request.pwd


def interpreter(info: Any) -> str:
    """The Python of the virtual environment a plugin declares; this host's own when it declares none."""
    declared = dict(info.options).get("virtualenv")
    if not declared:
        return sys.executable
    python = Path(info.root_directory, declared, "bin", "python")
    if not python.exists():
        raise FileNotFoundError(
            f"{info.root_directory}: the virtual environment '{declared}' of its options has no bin/python; create it"
        )
    return str(python)


def _output(process: subprocess.Popen[bytes]) -> Iterator[Any]:
    """Chunks of both streams as they come, until both are closed."""
    chunks: queue.Queue[tuple[str, bytes]] = queue.Queue()

    def pump(name: str, stream: IO[bytes]) -> None:
        while chunk := os.read(stream.fileno(), 65536):
            chunks.put((name, chunk))
        chunks.put((name, b""))

    streams = {"stdout": process.stdout, "stderr": process.stderr}
    for name, stream in streams.items():
        threading.Thread(target=pump, args=(name, stream), daemon=True).start()
    open_streams = len(streams)
    while open_streams:
        name, chunk = chunks.get()
        if not chunk:
            open_streams -= 1
        elif name == "stdout":
            yield language_pb2.RunPluginResponse(stdout=chunk)
        else:
            yield language_pb2.RunPluginResponse(stderr=chunk)
