"""The errors that the embedded AWS answers with, of whatever service."""

from __future__ import annotations

from typing import Any

from moto.core.exceptions import ServiceException

# A class of ours, because moto takes the service of an error from the module that its class is in.
_AwsError: Any = type("AwsError", (ServiceException,), {"__module__": __name__})


def aws_error(code: str, message: str) -> Exception:
    """An error that is answered with this code, in the form that the service's protocol has for it."""
    error: Exception = _AwsError(code, message)
    return error
