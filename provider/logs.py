"""Log lines of ECS tasks, from CloudWatch Logs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from provider.aws import Aws, AwsError

LAST_LINES = 15
LONGEST_LINE = 500  # characters shown of one line
METRICS = '{"_aws":'  # CloudWatch's embedded metric format: for CloudWatch, and for nobody's eyes


@dataclass(frozen=True, kw_only=True)
class LogPlace:
    """Where a container's lines go; empty where its log driver is not awslogs."""

    group: str = ""
    stream: str = ""

    def __str__(self) -> str:
        """For messages."""
        return f"log group {self.group}, stream {self.stream}" if self.group else "no CloudWatch log configured"


def log_place(definition: Mapping[str, Any], container: str, task_arn: str) -> LogPlace:
    """The stream of a container: `prefix/container/task id`, as the awslogs driver names it."""
    found: Mapping[str, Any] = next((one for one in definition["containerDefinitions"] if one["name"] == container), {})
    config = found.get("logConfiguration") or {}
    options = config.get("options") or {}
    if config.get("logDriver") != "awslogs" or "awslogs-stream-prefix" not in options:
        return LogPlace()
    task = task_arn.rsplit("/", 1)[-1]
    return LogPlace(group=options["awslogs-group"], stream=f"{options['awslogs-stream-prefix']}/{container}/{task}")


@dataclass
class LogReader:
    """Reads a stream from its beginning, a little more at each call. A stream that is not there yet is empty."""

    aws: Aws
    place: LogPlace
    lines: list[str] = field(default_factory=list)
    refused: str = ""  # why the last look failed; a stream that is not there yet is none
    _token: str | None = None

    def more(self) -> list[str]:
        """The lines since the last call."""
        if not self.place.group:
            return []
        fresh: list[str] = []
        while True:
            token: dict[str, Any] = {"nextToken": self._token} if self._token else {}
            try:
                answer = self.aws.call(
                    "logs",
                    "get_log_events",
                    logGroupName=self.place.group,
                    logStreamName=self.place.stream,
                    startFromHead=True,
                    **token,
                )
            except AwsError as error:
                self.refused = "" if error.code == "ResourceNotFoundException" else str(error)
                break  # what a task says is worth showing, and never a reason to fail the run
            self.refused = ""
            lines = (str(one["message"]).rstrip() for one in answer["events"])
            fresh += [line for line in lines if not line.startswith(METRICS)]
            same = answer.get("nextForwardToken") == self._token
            self._token = answer.get("nextForwardToken") or self._token
            if same or not answer["events"]:
                break
        self.lines += fresh
        return fresh

    def last(self, count: int = LAST_LINES) -> str:
        """The last lines, indented for an error message; empty where there are none."""
        return "".join(f"\n  {line[:LONGEST_LINE]}" for line in self.lines[-count:])

    def result(self) -> dict[str, Any] | None:
        """The object under `result` in the last line, where that line is such a JSON object."""
        for line in reversed(self.lines):
            if line.strip():
                return _result(line)
        return None


def is_result(line: str) -> bool:
    """Whether the line is what a command hands to the program, and not to a person."""
    return _result(line) is not None


def _result(line: str) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    value = found.get("result") if isinstance(found, dict) else None
    return value if isinstance(value, dict) else None
