"""A process that listens on a port of its own, as something that was left behind does."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_CODE = (
    "import socket, sys; server = socket.create_server(('127.0.0.1', 0)); print(server.getsockname()[1], flush=True)\n"
    "sys.stdin.read()"
)


@contextmanager
def listener(folder: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Runs in the folder until the block is left; answers the process and its port."""
    with subprocess.Popen(
        [sys.executable, "-c", _CODE], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        start_new_session=True,
    ) as process:  # fmt: skip
        yield process, int(process.stdout.readline())
        process.stdin.close()
