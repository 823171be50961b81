"""What counts where an input is left out, and what an input may be: each said once.

Programs (`provider.resources`) and the plugin both take them from here, so nothing else is imported. The program's own
settings (`infra.setting_keys`) and the application say some of them again; a test keeps them equal.
"""

from __future__ import annotations

from typing import Final

TIMEOUT_SECONDS: Final = 900
STEPS: Final = (10, 50, 100)
BAKE_SECONDS: Final = 60
CONTAINER: Final = "app"
PREVIOUS: Final = "warm"
ON_FAILURE: Final = "rollback"
FREEZE_TAGS: Final = "bluegreen:frozen"  # what the keys of a freeze's tags begin with
# Before a contract: how long the old color must have been quiet, and what the metric that says so is like at AWS.
QUIET_SECONDS: Final = 300
METRIC_PERIOD_SECONDS: Final = 60
METRIC_DELAY_SECONDS: Final = 180
MOST_TASKS: Final = 5000  # ECS: tasks per service
# What a Docker tag may be: it starts with neither a dot nor a hyphen.
VERSION: Final = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}"
VERSION_WORDS: Final = "1 to 128 letters, digits, dots, underscores or hyphens, with neither a dot nor a hyphen first"
REGION: Final = r"[a-z]{2}(-[a-z]+)+-\d"
