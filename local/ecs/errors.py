"""The errors that ECS answers with, in its own codes and, where known, its own words."""

from __future__ import annotations

from moto.ecs.exceptions import ECSException


class StartFailure(Exception):  # noqa: N818  (ECS's word: a task that failed to start)
    """A task that cannot start; the message becomes its `stoppedReason`.

    Attributes:
        container: the name of the container that it is about, or None for the task as a whole.
    """

    def __init__(self, reason: str, container: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.container = container


def aws_error(code: str, message: str, **members: object) -> Exception:
    """An error that moto answers as `code`, with further members of its shape."""
    error: Exception = ECSException(code, message)
    for name, value in members.items():
        setattr(error, name, value)
    return error


def invalid(message: str) -> Exception:
    """InvalidParameterException."""
    return aws_error("InvalidParameterException", message)


def client(message: str) -> Exception:
    """ClientException."""
    return aws_error("ClientException", message)
