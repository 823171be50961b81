"""What the service scheduler does next, as pure functions.

The rules are those of the ECS rolling update ("Deploy Amazon ECS services by replacing tasks" in the developer guide):
`minimumHealthyPercent` (rounded up) of the desired count stays healthy, at most `maximumPercent` (rounded down) is
pending or running, tasks of older deployments go as those of the primary one become healthy.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

# "How the Amazon ECS deployment circuit breaker detects failures": half of the desired count, within these limits.
BREAKER_MINIMUM, BREAKER_MAXIMUM = 3, 200
BACKOFF_FIRST_SECONDS, BACKOFF_LAST_SECONDS = 0.5, 30.0


@dataclass(frozen=True, kw_only=True)
class Member:
    """One task that a service still wants, as the decision sees it.

    Attributes:
        key: names the task; opaque here.
        primary: it belongs to the PRIMARY deployment.
        good: it runs and every target group says healthy.
        bad: a target group says unhealthy, after the grace period.
        proven: it has been good once.
    """

    key: str
    primary: bool
    good: bool
    bad: bool = False
    proven: bool = False


@dataclass(frozen=True, kw_only=True)
class Decision:
    """How many tasks of the PRIMARY deployment to start, and which tasks to stop."""

    start: int
    stop: tuple[str, ...]


def breaker_threshold(desired: int) -> int:
    """The number of failed tasks at which the deployment circuit breaker fails a deployment."""
    return min(BREAKER_MAXIMUM, max(BREAKER_MINIMUM, math.ceil(desired / 2)))


def backoff_seconds(failures: int) -> float:
    """How long to wait before the next start after so many failures in a row.

    ECS waits for minutes and only for tasks that never ran; a rehearsal must neither wait nor burn its two cores.
    """
    if failures <= 0:
        return 0.0
    return float(min(BACKOFF_LAST_SECONDS, BACKOFF_FIRST_SECONDS * 2 ** min(failures - 1, 10)))


def decide(
    *, desired: int, minimum_percent: int, maximum_percent: int, may_start: bool, members: Sequence[Member]
) -> Decision:
    """The next step of a service.

    Args:
        desired: the service's desired count.
        minimum_percent: minimumHealthyPercent.
        maximum_percent: maximumPercent.
        may_start: False for a FAILED deployment, and while a back-off lasts.
        members: the tasks that are not asked to stop yet, oldest first.
    """
    lower = math.ceil(desired * minimum_percent / 100)
    upper = math.floor(desired * maximum_percent / 100)
    primary = [member for member in members if member.primary]
    stop = [member for member in primary if member.bad and not member.proven]
    stop += _excess(primary, desired, stop)
    stop += _outdated(members, lower)
    room = upper - (len(members) - len(stop))
    missing = desired - sum(1 for member in primary if not member.bad)
    start = max(0, min(missing, room))
    stop += _sick(primary, desired, missing - start if may_start else 0, stop)
    return Decision(start=start if may_start else 0, stop=tuple(member.key for member in stop))


def _excess(primary: Iterable[Member], desired: int, stopping: Sequence[Member]) -> list[Member]:
    """What a smaller desired count leaves over: the sick first, then those not good yet, then the newest."""
    kept = [member for member in primary if member not in stopping]
    order = sorted(range(len(kept)), key=lambda index: (not kept[index].bad, kept[index].good, -index))
    healthy = sum(1 for member in kept if not member.bad)
    # A proven task that is sick now is replaced before it goes, so it counts as excess only beside enough others.
    surplus = healthy - desired if healthy >= desired else 0
    chosen = [kept[index] for index in order if not kept[index].bad][:surplus]
    return chosen if desired else kept


def _outdated(members: Sequence[Member], lower: int) -> list[Member]:
    """Tasks of older deployments: those that serve nobody at once, the others as far as the minimum allows."""
    outdated = [member for member in members if not member.primary]
    spare = sum(1 for member in members if member.good) - lower
    good = [member for member in outdated if member.good]
    return [member for member in outdated if not member.good] + good[: max(0, spare)]


def _sick(primary: Sequence[Member], desired: int, unplaced: int, stopping: Sequence[Member]) -> list[Member]:
    """Proven tasks that became unhealthy go when their replacements are good, or when there is no room beside them."""
    sick = [member for member in primary if member.bad and member not in stopping]
    if sum(1 for member in primary if member.good) >= desired:
        return sick
    return sick[: max(0, unplaced)]
