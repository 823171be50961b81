"""TCP ports: which is free, and who has one that is not."""

from __future__ import annotations

import psutil


def holder(address: str, port: int) -> str:
    """The process that listens there, as far as this user may know, for a message."""
    for process in psutil.process_iter(["pid", "name"]):
        try:
            connections = process.net_connections(kind="tcp")
        except (psutil.AccessDenied, psutil.NoSuchProcess):
            continue
        for one in connections:
            everywhere = one.laddr and one.laddr[0] in {"0.0.0.0", "::"}  # noqa: S104  (compared, not bound)
            if one.status == psutil.CONN_LISTEN and one.laddr[1] == port and (everywhere or one.laddr[0] == address):
                return f"pid {process.info['pid']} ({process.info['name']})"
    return "a process that this user may not see"
