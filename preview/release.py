"""What a release will do beside its SQL: where the traffic goes, what going back would do, what the overlap costs.

Pure: everything is computed from what the plan says. The parts are dictionaries as they stand in the JSON artefact.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from preview import cost
from preview.table import tasks

Part = dict[str, Any]
NOTHING: Final = "none"
ROLLBACK: Final = "rollback"
RETIRED: Final = "retired"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The plan of a release, and the settings that shape it.

    Attributes:
        action: as `Release` has it; `none` where the version is in service already and no weight moves.
        steps: the weights of each step of the shift, empty where none moves.
        known: the contract revisions that each version's tree was seen to carry, by version.
        frozen: why no weight may move, or empty.
    """

    action: str
    version: str
    previous_version: str
    target: str
    previous_color: str
    target_count: int
    previous_count: int
    live_weights: Mapping[str, int]
    steps: Sequence[Mapping[str, int]]
    bake: float
    previous: str
    on_failure: str
    frozen: str
    lineage: Sequence[str]
    known: Mapping[str, Collection[str]]
    task: cost.Task

    @property
    def back(self) -> str:
        """The version that going back would ask for; empty where there is none."""
        return self.previous_version if self.previous_version != self.version else ""


def release(asked: Asked) -> Part:
    """What is asked for."""
    return {
        "action": asked.action,
        "version": asked.version,
        "from": asked.back or None,
        "color": asked.target,
        "previous": asked.previous,
        "onFailure": asked.on_failure,
        "frozen": asked.frozen or None,
    }


def traffic(asked: Asked) -> Part:
    """The steps with their weights. A rollback does not bake."""
    bake = 0.0 if asked.action == ROLLBACK else asked.bake
    steps = [{"weights": dict(weights), "bakeSeconds": bake} for weights in asked.steps]
    return {"start": dict(asked.live_weights), "steps": steps, "seconds": round(bake * len(steps), 1)}


def overlap(asked: Asked) -> Part | None:
    """What both colors cost while both run; None where only one does."""
    leaving = asked.previous_count
    if not leaving and asked.steps and asked.back:
        leaving = asked.target_count  # retired right after: until then it has what the target takes over
    if not leaving:
        return None
    kept = "until the shift is done" if not asked.previous_count else "until the next release, or previous: retired"
    return {**cost.overlap(asked.target_count, leaving, asked.task), "lasts": kept}


def oldest_able(asked: Asked, contracts: Collection[str]) -> str | None:
    """The oldest version known to carry all these contract revisions; None where nothing is known of any."""
    needed = set(contracts)
    return next((one for one in asked.lineage if one in asked.known and needed <= set(asked.known[one])), None)


def going_back(asked: Asked, phases: Mapping[str, Collection[str]]) -> list[Part]:
    """What asking for the version before would do after each phase. `phases`: names of what is pending in each."""
    if not asked.back:
        return []
    rows = []
    if phases.get("expand"):
        rows.append(_row("expand", possible=True, what=_after_expand(asked)))
    if asked.steps:
        rows.append(_row("shift", possible=True, what=_after_shift(asked)))
    if phases.get("backfill"):
        after = "as after the shift" if asked.steps else _after_shift(asked)
        rows.append(_row("backfill", possible=True, what=f"{after}; the rows that were filled stay filled"))
    if contracts := phases.get("contract"):
        rows.append(_after_contract(asked, contracts))
    return rows


def _row(after: str, *, possible: bool, what: str) -> Part:
    return {"after": after, "possible": possible, "what": what}


def _after_expand(asked: Asked) -> str:
    return (
        f"{asked.previous_color} still has all the weight: asking for {asked.back} moves nothing, "
        "and what expand added stays"
    )


def _after_shift(asked: Asked) -> str:
    step = f"one step back to {asked.previous_color}, without a migration"
    if asked.previous_count:
        return f"the check, then {step}: it is warm with {tasks(asked.previous_count)}"
    return f"the check, {asked.previous_color} is started again (it is retired, 0 tasks), then {step}"


def _after_contract(asked: Asked, contracts: Collection[str]) -> Part:
    if set(contracts) <= set(asked.known.get(asked.back, ())):
        return _row("contract", possible=True, what=f"{asked.back} knows {', '.join(sorted(contracts))} too")
    able = oldest_able(asked, contracts) or asked.version
    what = (
        f"{asked.back} is refused, as it does not know {', '.join(sorted(contracts))}; "
        f"the oldest version that can serve then is {able}. Roll forward"
    )
    held = "" if asked.previous == RETIRED else f" (it is held back now, as previous is {asked.previous})"
    return {**_row("contract", possible=False, what=f"{what}{held}"), "oldestAble": able}
