"""Takes edges out of the program, for the twins that must notice."""

from collections.abc import Callable, Iterable
from typing import Any, Self

import pulumi
import pytest


class Cutter:
    """Takes entries out of resources' depends_on while the program runs: the mistakes that the tests must notice."""

    def __init__(self, edges: Iterable[tuple[type[pulumi.Resource], str, str]]) -> None:
        self.left = set(edges)
        self._patch = pytest.MonkeyPatch()

    def __enter__(self) -> Self:
        for kind in {edge[0] for edge in self.left}:
            self._patch.setattr(kind, "__init__", self._cutting(kind, kind.__init__))
        return self

    def __exit__(self, *_: object) -> None:
        self._patch.undo()

    def _cutting(self, kind: type[pulumi.Resource], original: Callable[..., None]) -> Callable[..., None]:
        def init(resource: pulumi.Resource, name: str, /, *args: Any, **kwargs: Any) -> None:
            for options in (*args, *kwargs.values()):
                if isinstance(options, pulumi.ResourceOptions):
                    options.depends_on = [
                        each for each in options.depends_on or [] if not self._cut((kind, name, each._name))
                    ]
            original(resource, name, *args, **kwargs)

        return init

    def _cut(self, edge: tuple[type[pulumi.Resource], str, str]) -> bool:
        found = edge in self.left
        self.left.discard(edge)
        return found
