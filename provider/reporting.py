"""From the inputs of `ReleaseReport` to the report: loaded only when one is made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from preview import report
from preview.cost import Task
from preview.release import NOTHING, RETIRED, Asked, Part
from provider import facts
from provider.aws import Aws
from provider.examining import examiner
from provider.freeze import read_freeze
from provider.live import read_weights
from provider.plan import COLORS, FULL, same_shares
from provider.rpc.values import unknown
from provider.steps import steps_to
from provider.work import Work

FORWARD: Final = "expand"


def made(aws: Aws, work: Work, inputs: Mapping[str, Any], state: Mapping[str, Any]) -> Part:
    """The report, with what is live looked at now."""
    known = facts.known(state)
    carried = facts.contracts(inputs)
    if carried is not None:
        known = {**known, inputs["version"]: carried}
    asked = _asked(aws, inputs, known)
    return report.build(asked, _schema(inputs, facts.latest(inputs, state)), examiner(work))


def _asked(aws: Aws, inputs: Mapping[str, Any], known: Mapping[str, list[str]]) -> Asked:
    rule, groups = inputs["listenerRuleArn"], inputs["targetGroupArns"]
    there = not unknown(rule) and not unknown(groups)
    live = read_weights(aws, rule, groups) if there else None
    frozen = read_freeze(aws, rule) if there else None
    settled = live is not None and same_shares(live, inputs["weights"])
    return Asked(
        # The plan's story is of the release that brought the version into service; with the weights there it is over.
        action=NOTHING if settled else inputs["action"],
        version=inputs["version"],
        previous_version=inputs["previousVersion"],
        target=inputs["targetColor"],
        previous_color=inputs["previousColor"],
        target_count=inputs["targetCount"],
        previous_count=inputs["previousCount"],
        live_weights=inputs["weights"] if settled else inputs["liveWeights"],
        steps=[] if settled else _steps(inputs),
        bake=inputs["bakeSeconds"],
        previous=inputs["previous"],
        on_failure=inputs["onFailure"],
        frozen=str(frozen) if frozen else "",
        lineage=inputs["lineage"],
        known=known,
        task=Task(
            region=inputs["region"],
            architecture=inputs["architecture"],
            cpu=inputs["cpu"],
            memory=inputs["memory"],
        ),
    )


def _steps(inputs: Mapping[str, Any]) -> list[Mapping[str, int]]:
    start, wanted = inputs["liveWeights"], inputs["weights"]
    if same_shares(start, wanted):
        return []
    made = steps_to(start, wanted, [FULL] if inputs["rollback"] else inputs["steps"])
    return [{color: step[color] for color in COLORS} for step in made]


def _schema(inputs: Mapping[str, Any], found: facts.Facts | None) -> report.Schema:
    """The tree to look at: none where another image's is released, and none where nothing of it will run."""
    version, tree = inputs["version"], facts.folder(inputs)
    if inputs["gate"] == FORWARD:
        phases, notes = report.PHASES, []
    else:
        phases = ("contract",) if inputs["previous"] == RETIRED else ()
        notes = [f"no expand runs: the image of {version} only checks that it can serve the database"]
    if tree is None and phases:
        notes.append(f"this checkout holds {inputs['treeVersion']}: only the image of {version} holds its SQL")
    return report.Schema(
        tree=tree if phases else None, notes=notes, phases=phases, facts=found, adopt=inputs.get("adopt") or ""
    )
