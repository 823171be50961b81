"""What the tasks need from the scheduler they belong to."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from local.addresses import Addresses
from local.contracts import ImageStore, TargetGroups
from local.ecs.spawner import Spawner
from local.ecs.watcher import Watcher


class Host(Protocol):
    """The machine, so to speak, that tasks run on.

    Attributes:
        task_environment: given to every container.
        scratch: each task has a folder in it while it lives.
    """

    targets: TargetGroups
    images: ImageStore
    addresses: Addresses
    spawner: Spawner
    watcher: Watcher
    task_environment: Mapping[str, str]
    scratch: Path

    def wake(self) -> None:
        """Something changed that the scheduler should look at."""
        ...

    def hurried(self) -> bool:
        """True when the whole embedded AWS stops: nothing is drained, and nobody has long to end."""
        ...
