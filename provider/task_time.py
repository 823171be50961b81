"""How long a run of the migrations command has until this provider stops it, told to the command itself.

It then ends by itself before that, and says why. How it divides the time: `migrations/locking/budgets.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from provider.stopped import PROGRAM

SETTING: Final = "MIGRATION_TASK_SECONDS"
_LEAST: Final = 1


def environment(inputs: Mapping[str, Any], left: float) -> dict[str, str]:
    """The setting for a task that runs migrations and may take `left` seconds from now."""
    return {SETTING: str(max(_LEAST, int(left)))} if PROGRAM in inputs["command"] else {}
