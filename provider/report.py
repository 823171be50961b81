"""`ReleaseReport`: what a release would do, told in the preview; the last resource of a release.

On `up` it keeps what the migration tasks told of the database: the next preview, which runs no task, starts from that.
What a report needs is loaded only when one is made.
"""

from __future__ import annotations

import os
from typing import Final

from provider import defaults, facts
from provider.checks import Checks
from provider.handler import Handler, differs, resource_id
from provider.plan import COLORS
from provider.rpc.messages import Change, Checked, Difference, Fail, Made, Request
from provider.rpc.values import UNKNOWN

# What makes another report.
TOLD: Final = (
    "version",
    "action",
    "gate",
    "rollback",
    "targetColor",
    "previousColor",
    "previousVersion",
    "weights",
    "liveWeights",
    "targetCount",
    "previousCount",
    "steps",
    "bakeSeconds",
    "previous",
    "onFailure",
    "cpu",
    "memory",
    "architecture",
    "adopt",
)
# Where to look, and what is on record. None of it is news by itself: the tree's folder is another one on each machine.
BESIDE: Final = (
    "lineage",
    "context",
    "treeVersion",
    "region",
    "listenerRuleArn",
    "targetGroupArns",
    "results",
)
FILE: Final = "BLUEGREEN_REPORT"  # in the environment: the JSON file to write; the Markdown comes beside it


class ReleaseReport(Handler):
    """Changes nothing in AWS. A preview of a release that would be refused fails, after all of it was shown."""

    def check(self, request: Request) -> Checked:
        """Validate the inputs, and take the newest facts out of the migration tasks' results."""
        given = {key: value for key, value in request.inputs.items() if key not in facts.INPUTS}
        checks = Checks(given, {"onFailure": defaults.ON_FAILURE, "results": []}, (*TOLD, *BESIDE))
        for name in ("version", "treeVersion", "context", "region", "architecture", "previousVersion"):
            checks.text(name)
        for name in ("targetColor", "previousColor"):
            checks.choice(name, COLORS)
        for name in ("weights", "liveWeights"):
            checks.weights(name)
        checks.colors("targetGroupArns")
        for name in ("cpu", "memory"):
            checks.number(name, 1, float("inf"))
        checks.number("bakeSeconds", 0, whole=False)
        checks.text("adopt", required=False)
        checks.inputs |= facts.told(checks.inputs.pop("results"))
        return checks.done()

    def diff(self, request: Request) -> Difference:
        """Whether there is something to tell: another plan, or migration tasks that told something or will."""
        old, new = request.old_inputs, request.inputs
        found = differs(old, new, TOLD)
        # The facts themselves are long, and hold a structure that nobody reads: their time stands for them.
        return Difference(changes={key: Change() for key in found or differs(old, new, facts.SHOWN)})

    def update(self, request: Request) -> Made:
        """Tell the report in a preview; note what the next one needs on `up`."""
        if request.preview:
            self._tell(request)
            return Made(id=resource_id(request), state={**request.inputs, facts.KNOWN: UNKNOWN})
        return Made(id=resource_id(request), state={**request.inputs, **facts.noted(request.inputs, request.state)})

    def _tell(self, request: Request) -> None:
        from preview import files, table, text, visible
        from provider.reporting import made

        work = self.context.work(request)
        report = made(self.aws, work, request.inputs, request.state)
        work.check()
        work.say(text.render(report))
        if os.environ.get(FILE):
            files.write(report, os.environ[FILE])
        if refused := report["refused"]:
            reasons = visible.terminal("; ".join(table.one_line(one["reason"]) for one in refused))
            raise Fail(
                f"this release would be refused: {reasons}. Nothing was changed "
                f"(exit code {refused[0]['exit']} of the migrations command)"
            )
