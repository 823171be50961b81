"""Structured logs: one JSON object a line on stdout, with the id of the request in hand.

Never a body, a row or a password: only what is listed here. Of an exception its types and frames, see `told`.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from app import told

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
            "message": _message(record),
            "version": self.version,
        }
        if found := request_id.get():
            line["request_id"] = found
        line.update({name: getattr(record, name) for name in _EXTRA if hasattr(record, name)})
        if (error := _error(record)) is not None:
            line["exception"] = told.in_full(error)
        return json.dumps(line, ensure_ascii=False)


def _error(record: logging.LogRecord) -> BaseException | None:
    return record.exc_info[1] if record.exc_info else None


def _message(record: logging.LogRecord) -> str:
    """The message. Libraries hand exceptions over as values in it, and quote those that they log."""
    text, args, error = str(_shown(record.msg)), record.args, _error(record)
    if isinstance(args, Mapping):
        text %= {name: _shown(value) for name, value in args.items()}
    elif args:
        text %= tuple(_shown(value) for value in args)
    return text if error is None else told.without_words(text, error)


def _shown(value: Any) -> Any:
    return told.shortly(value) if isinstance(value, BaseException) else value


def configure(version: str, level: str) -> None:
    """Send all logs of the process to stdout as JSON."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter(version))
    logging.basicConfig(handlers=[handler], level=level, force=True)
