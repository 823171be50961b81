"""The awslogs driver: a container's output becomes events of its CloudWatch log stream."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from moto.logs.models import logs_backends

from local import server
from local.ecs.errors import StartFailure

LOG = logging.getLogger(__name__)
# A CloudWatch event holds at most 256 KiB less 26 bytes; the driver cuts longer lines.
LINE_LIMIT = 256 * 1024 - 26
# moto keeps events in memory for ever, and a busy service would fill it; the oldest of a stream go first.
STREAM_LIMIT = 20_000
NO_GROUP = (
    "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: failed to "
    "create Cloudwatch log stream: ResourceNotFoundException: The specified log group does not exist. : exit status 1"
)


@dataclass(frozen=True)
class LogStream:
    """Where in CloudWatch Logs a container writes to."""

    account: str
    region: str
    group: str
    name: str

    @property
    def backend(self) -> Any:
        """moto's logs backend of this place."""
        return logs_backends[self.account][self.region]


class Discard:
    """The output of a container without a log configuration goes nowhere."""

    def feed(self, data: bytes) -> None:
        """Forget it."""

    def flush(self, *, last: bool) -> None:
        """Nothing to deliver."""


class LogSink:
    """Cuts output into lines, stamps each with the time it was read, and puts them into a log stream.

    Used by one thread. Blank lines are left out, as CloudWatch takes no empty event.
    """

    def __init__(self, stream: LogStream) -> None:
        self._stream = stream
        self._rest = b""
        self._events: list[dict[str, Any]] = []
        self._last_stamp = 0

    def feed(self, data: bytes) -> None:
        """Take some output, which may begin and end inside a line."""
        # Times in one call may not go back, even when the clock does.
        self._last_stamp = max(self._last_stamp, int(time.time() * 1000))
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._add(line)
        while len(self._rest) >= LINE_LIMIT:
            self._add(self._rest[:LINE_LIMIT])
            self._rest = self._rest[LINE_LIMIT:]

    def flush(self, *, last: bool) -> None:
        """Put what is complete into the stream. A group deleted meanwhile loses the lines, as on AWS."""
        if last:
            self._add(self._rest)
            self._rest = b""
        events, self._events = self._events, []
        if events:
            self._put(events)

    def _put(self, events: list[dict[str, Any]]) -> None:
        stream = self._stream
        with server.LOCK:
            group = stream.backend.groups.get(stream.group)
            if group is None or stream.name not in group.streams:
                LOG.warning("%d lines are lost: %s %s was deleted", len(events), stream.group, stream.name)
                return
            stream.backend.put_log_events(stream.group, stream.name, events)
            kept = group.streams[stream.name].events
            del kept[: max(0, len(kept) - STREAM_LIMIT)]

    def _add(self, line: bytes) -> None:
        line = line.rstrip(b"\r")
        for start in range(0, len(line), LINE_LIMIT):
            text = line[start : start + LINE_LIMIT].decode(errors="replace")
            self._events.append({"timestamp": self._last_stamp, "message": text})


def open_stream(
    account: str, region: str, configuration: Mapping[str, Any] | None, container: str, task_id: str
) -> LogSink | Discard:
    """The sink for a container, after the driver's own checks.

    Args:
        account: the task's account.
        region: the task's region, where the options name none.
        configuration: `logConfiguration` of the container definition.
        container: the container's name.
        task_id: the last part of the task's ARN.

    Raises:
        StartFailure: as ECS says it: no such log group.
    """
    if not configuration or configuration["logDriver"] != "awslogs":
        return Discard()
    options = configuration.get("options") or {}
    stream = LogStream(
        account,
        options.get("awslogs-region", region),
        options["awslogs-group"],
        f"{options['awslogs-stream-prefix']}/{container}/{task_id}",
    )
    with server.LOCK:
        if options.get("awslogs-create-group") == "true" and stream.group not in stream.backend.groups:
            stream.backend.create_log_group(stream.group, {})
        if stream.group not in stream.backend.groups:
            raise StartFailure(NO_GROUP)
        stream.backend.create_log_stream(stream.group, stream.name)
    return LogSink(stream)
