"""The control plane of the embedded AWS alone, patched as the product patches it, until standard input ends."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from local import moto_ext
from local.calls import CallLog
from local.faults import Faults
from local.server import Server

if __name__ == "__main__":
    server = Server(0, moto_ext.application(CallLog(), Faults()))
    server.start()
    print(server.endpoint, flush=True)  # noqa: T201 - the test reads it
    sys.stdin.read()
    server.stop()
