"""What the four resource types have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from provider.aws import Aws
from provider.rpc.messages import Checked, Difference, Found, Made, Request
from provider.work import Work


class Context(Protocol):
    """What a handler gets from the plugin."""

    @property
    def aws(self) -> Aws:
        """AWS in the region of the provider's settings."""

    def work(self, request: Request) -> Work:
        """A long operation of this request; its limit is the custom timeout, else the input `timeoutSeconds`."""


class Handler:
    """Answers for one resource type. As `Plugin`'s methods of the same names."""

    def __init__(self, context: Context) -> None:
        self.context = context

    @property
    def aws(self) -> Aws:
        """AWS in the region of the provider's settings."""
        return self.context.aws

    def check(self, request: Request) -> Checked:
        """Validate the inputs and fill in defaults."""
        raise NotImplementedError

    def diff(self, request: Request) -> Difference:
        """Compare what is wanted with what is recorded or was read."""
        raise NotImplementedError

    def create(self, request: Request) -> Made:
        """Do it for the first time."""
        return self.update(request)

    def update(self, request: Request) -> Made:
        """Do it again."""
        raise NotImplementedError

    def read(self, request: Request) -> Found:
        """The state with what is live now."""
        return Found(id=request.id, state=request.state, inputs=request.old_inputs)


def resource_id(request: Request) -> str:
    """These resources have no id of AWS's: the logical name is one that never changes."""
    return request.id or request.name


def differs(old: Mapping[str, Any], new: Mapping[str, Any], keys: tuple[str, ...]) -> list[str]:
    """Those of the keys whose values are not the same."""
    return [key for key in keys if old.get(key) != new.get(key)]
