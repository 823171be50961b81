"""What a failed step tells at its end: what has run by then, and what there is to choose from.

What has run decides: before a contract the old version fits the schema, after it only going forward is sure.
"""

from __future__ import annotations

from typing import Final

_CHOOSE: Final = "do what the message asks for, then `pulumi up` again, or ask for another version (bluegreen:version)"
ROLES: Final = f"Nothing of the release has run: what served before serves on. Choose: {_CHOOSE}"
GATE: Final = (
    "Only this has run, on the database: no weight, count or service was changed, and what served before serves on and "
    f"fits the schema. Choose: {_CHOOSE}"
)
FILL: Final = (
    "Expand (or check) has run, and of the backfill what was done stays done; no weight, count or service was changed: "
    "what served before serves on and fits the schema. Choose: run `pulumi up` again, which goes on where the backfill "
    "stopped, or ask for another version (bluegreen:version)"
)
SMOKE: Final = (
    "The gate has run (expand or check) and the new color is up, without traffic: what served before serves on and "
    f"fits the schema. Choose: {_CHOOSE}"
)
BACKFILL: Final = (
    "The new version serves, and no contract of it has run: the version before still fits the schema. Choose: run "
    "`pulumi up` again, which goes on where the backfill stopped, or go back (bluegreen:version)"
)
CONTRACT: Final = (
    "The new version serves. Where the message does not say that nothing was changed, a part of the contract may have "
    "been applied, and then the version before may not fit the schema any more. Choose: do what the message asks for, "
    "then `pulumi up` again; going back is checked before anything is changed; or keep the traffic where it is with "
    "`make freeze`"
)
