"""Structured logs: one JSON object a line on stdout, with the id of the request in hand.

Never a body, a row or a password: only what is listed here.
"""

from __future__ import annotations

import json
import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime

request_id: ContextVar[str] = ContextVar("request_id", default="")
_EXTRA = ("method", "path", "status", "milliseconds")


class JsonFormatter(logging.Formatter):
    """A record as one line of JSON with the version of the service."""

    def __init__(self, version: str) -> None:
        """Every line carries `version`."""
        super().__init__()
        self.version = version

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "version": self.version,
        }
        if found := request_id.get():
            line["request_id"] = found
        line.update({name: getattr(record, name) for name in _EXTRA if hasattr(record, name)})
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def configure(version: str, level: str) -> None:
    """Send all logs of the process to stdout as JSON."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter(version))
    logging.basicConfig(handlers=[handler], level=level, force=True)
