"""Who has a TCP port."""

from __future__ import annotations

import psutil

EVERYWHERE = {"0.0.0.0", "::"}  # noqa: S104  (compared, not bound)


def holder(address: str, port: int) -> str:
    """The process that listens there, as far as this user may know, for a message."""
    for one in psutil.net_connections(kind="tcp"):
        if one.status == psutil.CONN_LISTEN and one.laddr.port == port and one.laddr.ip in {address, *EVERYWHERE}:
            return f"pid {one.pid} ({psutil.Process(one.pid).name()})" if one.pid else "another user's process"
    return "a process that is already gone"
