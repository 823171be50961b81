"""What the parts of the embedded AWS know of each other.

The scheduler (`local/ecs`), the load balancing (`local/elb`) and the images (`local/images`) meet only here, and in
`local/daemon.py`, which puts them together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

TargetState = Literal["initial", "healthy", "unhealthy", "draining", "unused"]


@dataclass(frozen=True, kw_only=True)
class TargetHealth:
    """The health of one target, in the words of DescribeTargetHealth.

    Attributes:
        state: as `TargetHealth.State`.
        reason: as `TargetHealth.Reason` (`Target.FailedHealthChecks`, ...); None for a healthy target.
        description: as `TargetHealth.Description`; None for a healthy target.
    """

    state: TargetState
    reason: str | None = None
    description: str | None = None


class TargetGroups(Protocol):
    """What the scheduler asks of the load balancing. No method waits; all may be called from any thread."""

    def register(self, target_group_arn: str, address: str, port: int) -> None:
        """Add a target, which is `initial` until its first successful health check."""
        ...

    def deregister(self, target_group_arn: str, address: str, port: int) -> None:
        """Start draining: no new request goes to the target, those in flight are finished."""
        ...

    def health(self, target_group_arn: str, address: str, port: int) -> TargetHealth:
        """The health of one target; `unused` for one that is not registered."""
        ...

    def drained(self, target_group_arn: str, address: str, port: int) -> bool:
        """True when no request is in flight (3 looks 50 ms apart) or the deregistration delay is over."""
        ...


@dataclass(frozen=True, kw_only=True)
class Image:
    """An image that can be run.

    Attributes:
        digest: `sha256:` and 64 hex digits.
        rootfs: the folder that holds the image's files.
        command: CMD, in exec form.
        entrypoint: ENTRYPOINT, in exec form.
        workdir: WORKDIR, absolute inside the image.
        environment: ENV, with PATH that begins with the image's own programs.
        stop_signal: STOPSIGNAL, as `SIGTERM`.
    """

    digest: str
    rootfs: Path
    command: tuple[str, ...]
    entrypoint: tuple[str, ...]
    workdir: str
    environment: Mapping[str, str]
    stop_signal: str


class ImageStore(Protocol):
    """What the scheduler asks of the images."""

    def resolve(self, reference: str) -> Image:
        """The image behind `repository@sha256:...` or `repository:tag`.

        Raises:
            LookupError: (as `local.images.store.ImageNotFound`) with a message like ECS's CannotPullContainerError.
        """
        ...
