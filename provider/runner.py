"""One run of a task: start it or take it over, follow it to its end, and judge how it ended."""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Mapping
from typing import Any, Final

from provider import stopped, task_time
from provider.aws import Aws, AwsError
from provider.evidence import Evidence
from provider.logs import LAST_LINES, LogPlace, LogReader, is_result, log_place
from provider.rpc.messages import Fail, InitFailed, Request
from provider.tasks import describe, exit_code, may_pass, short, why_stopped
from provider.work import Canceled, Overdue, Work

PAST: Final = "pastTasks"  # in state: tasks that this resource knows about, so that none is taken over twice
PAST_KEPT: Final = 20
RESULT_SECONDS: Final = 15.0  # how long the last line may take to reach CloudWatch Logs after the task has stopped
IDLE_RESULT_SECONDS: Final = 3.0  # the same where nobody needs it
STOP_SECONDS: Final = 8.0
STOP_POLL_SECONDS: Final = 0.2
LONGEST_REASON: Final = 255  # ECS: StopTask reason
CAPACITY_SECONDS: Final = 60.0  # how long Fargate may have none before the run fails
UNSEEN_SECONDS: Final = 15.0  # DescribeTasks may not know a task yet that RunTask has just answered
STREAMED_LINES: Final = 200  # a chatty task must not drown the terminal; the rest is in the log


class Runner:
    """One run."""

    def __init__(self, aws: Aws, work: Work, request: Request, id_: str) -> None:
        self.aws, self.work, self.id = aws, work, id_
        self.inputs, self.past, self.recorded = request.inputs, _past(request.state), bool(request.state)
        inputs = request.inputs
        self.cluster, self.container, self.name = inputs["cluster"], inputs["container"], inputs["name"]
        self.definition = inputs["taskDefinitions"][inputs["color"]]
        self.reader = LogReader(aws, LogPlace())
        self.shown = 0

    def run(self) -> dict[str, Any]:
        """The state after success. Raises Fail where no task came to be, InitFailed where one ended badly."""
        self.work.check()
        definition = self.aws.call("ecs", "describe_task_definition", taskDefinition=self.definition)["taskDefinition"]
        self.definition = definition["taskDefinitionArn"]
        names = [one["name"] for one in definition["containerDefinitions"]]
        if self.container not in names:
            raise Fail(f"task definition {self.definition} has no container {self.container!r}; it has {names}")
        task = self._finished(definition, self._left_over() or self._start())
        if may_pass(task, self.container):
            self.work.say(f"{self.name}: never started ({task.get('stoppedReason')}); trying once more")
            self.past = [*self.past, task["taskArn"]]
            task = self._finished(definition, self._start())
        return self._judge(task)

    def _finished(self, definition: Mapping[str, Any], task: dict[str, Any]) -> dict[str, Any]:
        """The task when it has stopped."""
        self.reader = LogReader(self.aws, log_place(definition, self.container, task["taskArn"]))
        try:
            return self._follow(task)
        except (Canceled, Overdue) as stop:
            raise self._stopped_waiting(task, stop) from stop

    def _left_over(self) -> dict[str, Any] | None:
        """The task of an earlier run of this trigger that was killed: running, or just stopped with success."""
        mark = started_by(self.inputs)
        running = self.aws.pages("ecs", "list_tasks", "taskArns", cluster=self.cluster, startedBy=mark)
        # ECS allows no other filter beside startedBy, and without one it lists running tasks only.
        family = self.definition.rsplit("/", 1)[-1].rsplit(":", 1)[0]
        ended = self.aws.pages(
            "ecs", "list_tasks", "taskArns", cluster=self.cluster, family=family, desiredStatus="STOPPED"
        )
        unknown = [arn for arn in dict.fromkeys([*running, *ended]) if arn not in self.past]
        for task in describe(self.aws, self.cluster, unknown):
            if task.get("startedBy") == mark and self._worth(task):
                self.work.say(f"{self.name}: taking over task {short(task['taskArn'])}, which an earlier run started")
                return task
        return None

    def _worth(self, task: Mapping[str, Any]) -> bool:
        if task["lastStatus"] == "STOPPED" or task.get("desiredStatus") == "STOPPED":
            same = task["taskDefinitionArn"] == self.definition
            ended = task["lastStatus"] == "STOPPED" and exit_code(task, self.container) == 0
            # One of a resource that was deleted since is history: what needs evidence has it looked at now.
            return same and ended and (self.recorded or not self.inputs.get("evidence"))
        if task["taskDefinitionArn"] != self.definition:
            raise Fail(
                f"{self.name}: task {short(task['taskArn'])} of an earlier run still runs, with task definition "
                f"{task['taskDefinitionArn']}; expected {self.definition}. Wait for its end, or stop it, then run again"
            )
        return True

    def _start(self) -> dict[str, Any]:
        inputs = self.inputs
        network = {
            "subnets": inputs["subnets"],
            "securityGroups": inputs["securityGroups"],
            "assignPublicIp": "ENABLED" if inputs["assignPublicIp"] else "DISABLED",
        }
        asked = {
            "cluster": self.cluster,
            "taskDefinition": self.definition,
            "launchType": "FARGATE",
            "count": 1,
            "startedBy": started_by(inputs),
            "networkConfiguration": {"awsvpcConfiguration": network},
        }
        until = time.monotonic() + CAPACITY_SECONDS
        while not (answer := self._run_task({**asked, **self._overrides(self._named())})).get("tasks"):
            failures = "; ".join(
                f"{one.get('reason', 'no reason given')} {one.get('detail', '')}".strip()
                for one in answer.get("failures", [])
            )
            if "apacity" not in failures or time.monotonic() > until:
                raise Fail(
                    f"{self.name}: ECS did not start the task: {failures or 'no reason given'}. Nothing ran. "
                    "Run `pulumi up` again; where it is capacity, later or in more subnets"
                )
            self.work.tick(f"{self.name}: waiting for capacity ({failures})")
            self.work.pause()
        task: dict[str, Any] = answer["tasks"][0]
        self.work.say(f"{self.name}: task {short(task['taskArn'])} started, {' '.join(inputs['command'])}")
        return task

    def _named(self) -> dict[str, str]:
        """The environment. Evidence is looked at for each asking: what was found for an earlier one says nothing."""
        inputs = self.inputs
        told = Evidence(self.aws, inputs).require(self.work) if inputs.get("evidence") else {}
        return {**inputs["environment"], **stopped.environment(self.aws, inputs), **told}

    def _overrides(self, named: Mapping[str, str]) -> dict[str, Any]:
        """Made for each asking: the time that is left gets less while it waits for capacity."""
        all_named = {**named, **task_time.environment(self.inputs, self.work.limit - self.work.seconds)}
        environment = [{"name": name, "value": value} for name, value in sorted(all_named.items())]
        override = {"name": self.container, "command": self.inputs["command"], "environment": environment}
        return {"overrides": {"containerOverrides": [override]}}

    def _run_task(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        # ECS starts one task for one token, whatever the connection did; a retry of ours is a new token all the same.
        return self.aws.call("ecs", "run_task", safe=False, clientToken=uuid.uuid4().hex, **asked)

    def _follow(self, task: dict[str, Any]) -> dict[str, Any]:
        """Wait until the task has stopped. RUNNING is not waited for: a quick task is never seen in it."""
        arn, status, seen = task["taskArn"], "", self.work.seconds
        while True:
            if task["lastStatus"] != status:
                status = task["lastStatus"]
                self.work.say(f"{self.name}: task {short(arn)} {status}, {self.work.seconds:.1f} s")
            if status == "STOPPED":
                return task
            if status not in {"PROVISIONING", "PENDING"}:
                self._stream()
            self.work.tick(f"{self.name}: task {short(arn)} {status}, waiting for it to stop")
            self.work.pause()
            found = describe(self.aws, self.cluster, [arn])
            if found:
                task, seen = found[0], self.work.seconds
            elif self.work.seconds - seen > UNSEEN_SECONDS:
                raise self._failed(task, f"is no longer known to ECS, so nobody can say how it ended. {self._where()}")

    def _stream(self) -> None:
        for line in self.reader.more():
            if is_result(line):  # for the program; what it says is shown where it matters
                continue
            self.shown += 1
            if self.shown <= STREAMED_LINES:
                # The program may begin its lines with the same name.
                self.work.say(f"{self.name}: {line.removeprefix(f'{self.name}: ')}")
            elif self.shown == STREAMED_LINES + 1:
                self.work.say(f"{self.name}: more lines are in {self.reader.place}")

    def _judge(self, task: dict[str, Any]) -> dict[str, Any]:
        code = exit_code(task, self.container)
        self._stream()
        if code == 0 and self.reader.place.group:
            self._wait_for_the_result(task)
        if code is None:
            raise self._failed(task, f"never started: {why_stopped(task, self.container)}. {self._where()}")
        if code != 0:
            raise self._failed(task, f"failed: {why_stopped(task, self.container)}. {self._where()}")
        if self.inputs.get("expectsResult") and self.reader.result() is None:
            raise self._untold(task)
        self.work.say(f"{self.name}: succeeded after {self.work.seconds:.1f} s")
        return self._state(task, code)

    def _wait_for_the_result(self, task: Mapping[str, Any]) -> None:
        """The log is behind the task; what follows may hang on the last line."""
        needed = bool(self.inputs.get("expectsResult"))
        left = max(0.0, self.work.limit - self.work.seconds)
        end = time.monotonic() + (min(RESULT_SECONDS, left) if needed else IDLE_RESULT_SECONDS)
        if needed and self.reader.result() is None:
            self.work.say(
                f"{self.name}: task {short(task['taskArn'])} ended with 0, and its result is not in the log yet; "
                f"waiting up to {end - time.monotonic():.0f} s for it"
            )
        while self.reader.result() is None and time.monotonic() < end and not self.work.cancelled.wait(0.2):
            self._stream()

    def _untold(self, task: Mapping[str, Any]) -> InitFailed:
        """It did its work, and nobody knows what that was: not a success, and no reason to run it again.

        Neither its ARN nor its exit code go on record, so that the next run takes it over and reads its log again.
        """
        found = self._failed(
            task,
            'ended with 0, and its last line is not known; expected {"result": ...}, without which nobody can say what '
            f"is left to do. {self._unread()} What it did in the database stays, and it is not run twice: run "
            f"`pulumi up` again, which takes this task over and reads its log again. {self._where()}",
        )
        state = {**found.state, "taskArn": "", "exitCode": None, PAST: self.past}
        return InitFailed(found.id, state, found.inputs, found.reasons)

    def _unread(self) -> str:
        if not self.reader.place.group:
            return "Its container needs the log driver awslogs with awslogs-stream-prefix."
        if self.reader.refused:
            return f"The log could not be read: {self.reader.refused}; this needs logs:GetLogEvents."
        if not self.reader.lines:
            return (
                "No line has arrived: the execution role of the task needs logs:CreateLogStream and logs:PutLogEvents."
            )
        return "The log is late, or the image is not one whose command ends with a result."

    def _where(self) -> str:
        if not self.reader.lines:
            return f"No log lines ({self.reader.place})"
        count = min(LAST_LINES, len(self.reader.lines))
        return f"Last {count} lines ({self.reader.place}):{self.reader.last()}"

    def _failed(self, task: Mapping[str, Any], text: str) -> InitFailed:
        message = f"{self.name}: task {task['taskArn']} {text}"
        if advice := self.inputs.get("advice"):
            message += f"\n{advice}"
        state = self._state(task, exit_code(task, self.container))
        return InitFailed(self.id, state, self.inputs, [message])

    def _stopped_waiting(self, task: dict[str, Any], stop: Fail) -> Fail:
        """Canceled or too late: stop the task. With the engine dead, leave it: the next run takes it over."""
        if self.work.orphaned.is_set():
            return Fail(f"{self.name}: the engine is gone; task {task['taskArn']} goes on, the next run takes it over")
        why = "canceled" if isinstance(stop, Canceled) else str(stop)
        try:
            task = self._stop(task, f"bluegreen {self.name}: {why}")
        except AwsError as refused:
            return self._failed(task, f"still runs, and could not be stopped ({refused}): {why}. {self._where()}")
        self.reader.more()
        now = "is stopped" if task["lastStatus"] == "STOPPED" else "was told to stop and is still stopping"
        return self._failed(task, f"{now}: {why} after {self.work.seconds:.0f} s. {self._where()}")

    def _stop(self, task: dict[str, Any], reason: str) -> dict[str, Any]:
        """Tell the task to stop and give it STOP_SECONDS; the task as it is then."""
        arn, end = task["taskArn"], time.monotonic() + STOP_SECONDS
        self.aws.call(
            "ecs",
            "stop_task",
            stubborn=True,
            seconds=STOP_SECONDS,
            cluster=self.cluster,
            task=arn,
            reason=reason[:LONGEST_REASON],
        )
        while task["lastStatus"] != "STOPPED" and time.monotonic() < end:
            time.sleep(STOP_POLL_SECONDS)
            task = next(iter(describe(self.aws, self.cluster, [arn])), task)
        return task

    def _state(self, task: Mapping[str, Any], code: int | None) -> dict[str, Any]:
        arn = task["taskArn"]
        started = task.get("startedAt")
        return {
            **self.inputs,
            "taskArn": arn,
            "exitCode": code,
            "seconds": round(self.work.seconds, 2),
            "logGroup": self.reader.place.group,
            "logStream": self.reader.place.stream,
            "result": self.reader.result() or {},
            "startedAt": started.isoformat() if started is not None else "",
            PAST: [*self.past, arn][-PAST_KEPT:],
        }


def started_by(inputs: Mapping[str, Any]) -> str:
    """ECS's `startedBy` of a run: the same for the same trigger, so that a killed run's task is found again."""
    text = "\n".join((inputs["cluster"], inputs["name"], inputs["trigger"], *inputs["command"]))
    return f"bluegreen-{hashlib.sha256(text.encode()).hexdigest()[:24]}"


def _past(state: Mapping[str, Any]) -> list[str]:
    known = [str(one) for one in state.get(PAST, [])]
    last = state.get("taskArn")
    return [*known, last] if last and last not in known else known
