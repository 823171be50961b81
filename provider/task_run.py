"""`TaskRun`: a gate. Runs a task definition once per trigger; good only if the named container exits with 0."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from provider import defaults, evidence
from provider.checks import Checks
from provider.handler import Handler, differs, resource_id
from provider.plan import COLORS
from provider.rpc.messages import Change, Checked, Difference, Made, Request
from provider.rpc.values import UNKNOWN, unknown
from provider.runner import Runner

INPUTS: Final = (
    "cluster",
    "taskDefinitions",
    "color",
    "container",
    "command",
    "environment",
    "subnets",
    "securityGroups",
    "assignPublicIp",
    "trigger",
    "timeoutSeconds",
    "name",
    "evidence",
    "skip",
    "pending",
    "advice",
    "expectsResult",
)
DEFAULTS: Final = {"environment": {}, "assignPublicIp": False, "timeoutSeconds": defaults.TIMEOUT_SECONDS}
# What makes it another run. A new revision of a task definition for the same trigger does not.
RERUN: Final = ("trigger", "color", "container", "command", "environment", "cluster", "name")
OUTPUTS: Final = ("taskArn", "exitCode", "seconds", "logGroup", "logStream", "result", "startedAt")
NOTHING_RAN: Final = {"taskArn": "", "seconds": 0, "logGroup": "", "logStream": "", "result": {}, "startedAt": ""}


class TaskRun(Handler):
    """Nothing that depends on it changes before its task has succeeded. Delete does nothing."""

    def check(self, request: Request) -> Checked:
        """Validate the inputs and fill in defaults."""
        checks = Checks(request.inputs, DEFAULTS, INPUTS)
        for name in ("cluster", "container", "trigger", "name"):
            checks.text(name)
        checks.colors("taskDefinitions")
        checks.choice("color", COLORS)
        checks.texts("command", least=1)
        checks.texts("subnets", least=1)
        checks.texts("securityGroups")
        checks.environment("environment")
        checks.flag("assignPublicIp")
        checks.number("timeoutSeconds", 1, whole=False)
        evidence.check(checks)
        checks.text("advice", required=False)
        checks.flag("skip", required=False)
        checks.flag("expectsResult", required=False)
        checks.texts("pending", required=False)
        return checks.done()

    def diff(self, request: Request) -> Difference:
        """Another run is asked for, or the recorded one did not succeed.

        A refresh wipes the engine's own mark of a failed resource, so the exit code on record decides. With `skip`
        nothing runs and nothing is recorded, so the inputs since then say nothing about what ran last: state does.
        """
        if skips(request.inputs):
            return Difference()
        ran = request.state if skips(request.old_inputs) else request.old_inputs
        found = {key: Change() for key in differs(ran, request.inputs, RERUN)}
        if request.state.get("exitCode") != 0:
            found["exitCode"] = Change(input=False)
        return Difference(changes=found)

    def update(self, request: Request) -> Made:
        """Run the task, or take over the one that a killed run left; a preview says that one will run."""
        skip = skips(request.inputs)
        if skip:
            # What is on record stays there. Without any there is no exit code: the first one that is asked for runs.
            state = request.state or {**request.inputs, **NOTHING_RAN}
        elif request.preview:
            self._foresee(request, skip)
            state = {**request.inputs, **dict.fromkeys(OUTPUTS, UNKNOWN)}
        else:
            state = Runner(self.aws, self.context.work(request), request, resource_id(request)).run()
        return Made(id=resource_id(request), state=state)

    def _foresee(self, request: Request, skip: bool | None) -> None:
        """What a preview can say of the run."""
        inputs, work = request.inputs, self.context.work(request)
        if skip is None:
            work.say(f"{inputs['name']}: whether it runs is known once the runs before it have said what is left")
        if inputs.get("evidence"):
            evidence.foresee(self.aws, inputs, work)


def skips(inputs: Mapping[str, Any]) -> bool | None:
    """Whether nothing is to run; None where a preview can't know yet."""
    skip, pending = inputs.get("skip"), inputs.get("pending")
    if skip is True or pending == []:
        return True
    return None if unknown(skip) or unknown(pending) else False
