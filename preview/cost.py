"""What running both colors at once costs in an hour, from AWS's public on-demand prices of Fargate.

Only what the tasks themselves cost: no database, load balancer, logs, transfer, Spot or Savings Plan.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

# US dollars for an hour of one vCPU and of one GB, Linux, on demand. A price that could not be confirmed is left out:
# the report then gives the hours alone.
AS_OF: Final = "2026-11-25"
SOURCE: Final = "https://aws.amazon.com/fargate/pricing/"
PRICES: Final[dict[tuple[str, str], tuple[float, float]]] = {
    ("us-east-1", "X86_64"): (0.04048, 0.004445),
    ("us-east-1", "ARM64"): (0.03238, 0.00356),
    ("us-west-2", "X86_64"): (0.04048, 0.004445),
    ("us-west-2", "ARM64"): (0.03238, 0.00356),
    ("eu-west-1", "X86_64"): (0.04048, 0.004445),
    ("eu-west-1", "ARM64"): (0.03238, 0.00356),
    ("eu-central-1", "X86_64"): (0.04656, 0.00511),
    ("ap-southeast-2", "X86_64"): (0.04856, 0.00532),
    ("ap-southeast-2", "ARM64"): (0.03885, 0.00426),
    ("sa-east-1", "X86_64"): (0.0696, 0.0076),
    ("sa-east-1", "ARM64"): (0.0557, 0.00612),
}
CPU_UNITS: Final = 1024  # ECS: CPU units of one vCPU
MIB: Final = 1024  # of a GB, as Fargate counts


@dataclass(frozen=True, kw_only=True)
class Task:
    """What one task of the service is given, and where it runs."""

    region: str
    architecture: str
    cpu: int
    memory: int


def per_hour(tasks: int, task: Task) -> dict[str, Any]:
    """Hours of vCPU and GB that so many tasks use in an hour, and dollars; None where the price is not known."""
    vcpu, memory = tasks * task.cpu / CPU_UNITS, tasks * task.memory / MIB
    price = PRICES.get((task.region, task.architecture))
    dollars = None if price is None else round(vcpu * price[0] + memory * price[1], 5)
    return {"tasks": tasks, "vcpuHours": round(vcpu, 4), "gbHours": round(memory, 4), "dollars": dollars}


def overlap(taking: int, leaving: int, task: Task) -> dict[str, Any]:
    """Both colors together, and the part of it that the color which is left costs on top."""
    return {
        "region": task.region,
        "architecture": task.architecture,
        "both": per_hour(taking + leaving, task),
        "extra": per_hour(leaving, task),
        "pricesAsOf": AS_OF,
        "source": SOURCE,
    }
