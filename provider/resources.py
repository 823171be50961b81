"""Resource classes for programs. Importing this loads the Pulumi SDK and nothing of AWS.

Colors maps are `{"blue": ..., "green": ...}`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

import pulumi

from provider import defaults

Colors = Mapping[str, pulumi.Input[str]]


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


@dataclass(frozen=True, kw_only=True)
class ProviderArgs:
    """Where AWS is. `endpoint` is for anything but AWS itself; left out, AWS_ENDPOINT_URL counts."""

    region: pulumi.Input[str]
    endpoint: pulumi.Input[str] | None = None


class Provider(pulumi.ProviderResource):
    """The `bluegreen` provider with its own settings: those of the `aws` provider do not reach it."""

    def __init__(self, name: str, args: ProviderArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("bluegreen", name, {"region": args.region, "endpoint": args.endpoint}, opts)


class _Resource(pulumi.CustomResource):
    """A resource whose attributes are the inputs and outputs of its type, in Python's spelling."""

    kind: ClassVar[str]
    outputs: ClassVar[tuple[str, ...]]

    def __init__(self, name: str, args: Any, opts: pulumi.ResourceOptions | None = None) -> None:
        inputs = {one.name: getattr(args, one.name) for one in fields(args)}
        props = {**dict.fromkeys(self.outputs), **inputs}
        # Names go over the wire as they are given here. The SDK's own translation would also reach the keys of maps,
        # and an environment variable is not a property.
        super().__init__(
            f"bluegreen:index:{self.kind}", name, {_camel(one): value for one, value in props.items()}, opts
        )
        for one in props:
            self.__dict__[one] = self.__dict__[_camel(one)]


@dataclass(frozen=True, kw_only=True)
class ReleaseArgs:
    """Inputs of `Release`. `image` may be left out: then the version is looked up in what runs, then in ECR.

    `desired_count` is the least number of tasks of a color in service, and obeyed when it is lowered; `previous` is
    `warm` or `retired`.
    """

    service: pulumi.Input[str]
    version: pulumi.Input[str]
    repository: pulumi.Input[str]
    cluster: pulumi.Input[str]
    services: pulumi.Input[Colors]
    listener_rule_arn: pulumi.Input[str]
    target_group_arns: pulumi.Input[Colors]
    desired_count: pulumi.Input[int]
    image: pulumi.Input[str] | None = None
    container: pulumi.Input[str] = defaults.CONTAINER
    previous: pulumi.Input[str] = defaults.PREVIOUS


class Release(_Resource):
    """The plan of a release, made from the live weights: which color gets which version, and where the weights go.

    Known in a preview. Changes nothing, but for one thing: the weights that an interrupted shift left are put back
    before another version is released.
    """

    kind = "Release"
    outputs = (
        "action",
        "gate",
        "rollback",
        "live_color",
        "target_color",
        "previous_color",
        "colors",
        "weights",
        "live_weights",
        "first_release",
        "reset",
        "target_service",
        "previous_service",
        "previous_version",
        "target_count",
        "previous_count",
        "settled_count",
        "lineage",
        "untried",
        "actor",
    )

    action: pulumi.Output[str]
    """`first`, `release`, `rollback`, `resume` or `none`."""
    gate: pulumi.Output[str]
    """`expand` when the version is newer than the one it takes over from, else `check`."""
    rollback: pulumi.Output[bool]
    live_color: pulumi.Output[str]
    target_color: pulumi.Output[str]
    previous_color: pulumi.Output[str]
    version: pulumi.Output[str]
    image: pulumi.Output[str]
    colors: pulumi.Output[dict[str, dict[str, Any]]]
    """What each color is to hold: `{"blue": {"version", "image", "desiredCount"}, ...}`."""
    weights: pulumi.Output[dict[str, int]]
    live_weights: pulumi.Output[dict[str, int]]
    """Where the shift starts."""
    first_release: pulumi.Output[bool]
    reset: pulumi.Output[bool]
    target_service: pulumi.Output[str]
    previous_service: pulumi.Output[str]
    previous_version: pulumi.Output[str]
    target_count: pulumi.Output[int]
    previous_count: pulumi.Output[int]
    settled_count: pulumi.Output[int]
    """The `desired_count` that was last obeyed."""
    lineage: pulumi.Output[list[str]]
    """Versions in the order in which they first served; the one that is asked for is last where it never has."""
    untried: pulumi.Output[bool]
    """Whether the version had not served when this release was planned."""
    actor: pulumi.Output[str]
    """Who started the release that is in service."""

    def __init__(self, name: str, args: ReleaseArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)


@dataclass(frozen=True, kw_only=True)
class TaskRunArgs:
    """Inputs of `TaskRun`. It runs again when `trigger`, `command`, `environment` or the color changes.

    `name` says what the task does, in messages and in ECS's `startedBy`. `evidence` says which color must be gone
    before it is started, and where to look (`provider.evidence`). With `skip` nothing runs, whatever has changed, and
    what is on record stays; so it is where `pending`, the names of what it is to do, is given and empty. `advice`
    ends the message of a run that fails: what has run by then, and what there is to choose from. With `expects_result`
    a task that exits with 0 and whose last line is no result has failed: the next run reads its log again.
    """

    name: pulumi.Input[str]
    trigger: pulumi.Input[str]
    cluster: pulumi.Input[str]
    task_definitions: pulumi.Input[Colors]
    color: pulumi.Input[str]
    container: pulumi.Input[str]
    command: pulumi.Input[Sequence[pulumi.Input[str]]]
    subnets: pulumi.Input[Sequence[pulumi.Input[str]]]
    security_groups: pulumi.Input[Sequence[pulumi.Input[str]]]
    environment: pulumi.Input[Mapping[str, pulumi.Input[str]]] = field(default_factory=dict)
    assign_public_ip: pulumi.Input[bool] = False
    timeout_seconds: pulumi.Input[float] = defaults.TIMEOUT_SECONDS
    evidence: pulumi.Input[Mapping[str, Any]] | None = None
    skip: pulumi.Input[bool] | None = None
    pending: pulumi.Input[Sequence[str] | None] | None = None
    advice: pulumi.Input[str] | None = None
    expects_result: pulumi.Input[bool] | None = None


class TaskRun(_Resource):
    """A gate: an ECS task that must exit with 0 before anything that depends on this resource changes."""

    kind = "TaskRun"
    outputs = ("task_arn", "exit_code", "seconds", "log_group", "log_stream", "result", "started_at")

    task_arn: pulumi.Output[str]
    exit_code: pulumi.Output[int]
    seconds: pulumi.Output[float]
    log_group: pulumi.Output[str]
    log_stream: pulumi.Output[str]
    result: pulumi.Output[dict[str, Any]]
    """What the task's last line has under `result`, else empty."""
    started_at: pulumi.Output[str]

    def __init__(self, name: str, args: TaskRunArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)

    def told(self, name: str) -> pulumi.Output[Any]:
        """One entry of `result`; None where the task did not say it."""
        return self.result.apply(lambda result: result.get(name) if result else None)

    def told_names(self, *names: str) -> pulumi.Output[list[str] | None]:
        """Several lists of `result` in one; what the task did not say, as that of an older image may not, is empty.

        None where there is no result at all: then nobody knows.
        """
        return self.result.apply(
            lambda result: [one for name in names for one in result.get(name) or []] if result else None
        )

    def when_told(self, name: str, some: str, none: str) -> pulumi.Output[str]:
        """`some` where that list of `result` names anything, else `none`."""
        return self.result.apply(lambda result: some if result and result.get(name) else none)


def told_by_all(name: str, *runs: TaskRun) -> pulumi.Output[dict[str, Any]]:
    """The map that is one entry of several runs' results, put together; what a run did not say is not in it."""
    return pulumi.Output.all(*(run.result for run in runs)).apply(
        lambda results: {key: one for result in results for key, one in (result.get(name) or {}).items()}
    )


@dataclass(frozen=True, kw_only=True)
class ServiceCapacityArgs:
    """Inputs of `ServiceCapacity`.

    With `least_count` a count from outside (by hand, by autoscaling) that is at least so many is left alone; what is
    asked for is set when it becomes less, and when it is 0. Without it every other count is drift.
    With `listener_rule_arn` a freeze of that rule refuses to stop the color's last tasks: they are a way back.
    """

    cluster: pulumi.Input[str]
    services: pulumi.Input[Colors]
    task_definitions: pulumi.Input[Colors]
    target_group_arns: pulumi.Input[Colors]
    color: pulumi.Input[str]
    desired_count: pulumi.Input[int]
    least_count: pulumi.Input[int] | None = None
    listener_rule_arn: pulumi.Input[str] | None = None
    container: pulumi.Input[str] = defaults.CONTAINER
    timeout_seconds: pulumi.Input[float] = defaults.TIMEOUT_SECONDS


class ServiceCapacity(_Resource):
    """Owns one color's desired count: done when so many tasks of the task definition run and are healthy.

    The `aws.ecs.Service` is created with 0 tasks and `ignore_changes=["desired_count"]`.
    """

    kind = "ServiceCapacity"
    outputs = ("running_count", "task_definition", "seconds")

    running_count: pulumi.Output[int]
    desired_count: pulumi.Output[int]
    """As last read from ECS."""
    task_definition: pulumi.Output[str]
    seconds: pulumi.Output[float]

    def __init__(self, name: str, args: ServiceCapacityArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)


@dataclass(frozen=True, kw_only=True)
class TrafficShiftArgs:
    """Inputs of `TrafficShift`. `seen_weights` is what the plan was made from; `steps` are percents that end in 100.

    A `rollback` takes one step, does not bake and does not ask the alarms. `settled_color` is the one that gets all
    the weight when a shift that was interrupted, and is resumed here, fails. `on_failure` is `rollback` or `freeze`;
    `versions` names in messages what each color holds.
    """

    listener_rule_arn: pulumi.Input[str]
    target_group_arns: pulumi.Input[Colors]
    weights: pulumi.Input[Mapping[str, pulumi.Input[int]]]
    seen_weights: pulumi.Input[Mapping[str, pulumi.Input[int]]]
    cluster: pulumi.Input[str]
    services: pulumi.Input[Colors]
    settled_color: pulumi.Input[str] | None = None
    steps: pulumi.Input[Sequence[pulumi.Input[int]]] = defaults.STEPS
    bake_seconds: pulumi.Input[float] = defaults.BAKE_SECONDS
    rollback: pulumi.Input[bool] = False
    alarms: pulumi.Input[Sequence[pulumi.Input[str]]] = ()
    on_failure: pulumi.Input[str] = defaults.ON_FAILURE
    versions: pulumi.Input[Colors] | None = None
    timeout_seconds: pulumi.Input[float] = defaults.TIMEOUT_SECONDS


class TrafficShift(_Resource):
    """Owns the weights of the listener rule, which ignores changes of its actions.

    A cancel and the death of the engine put the weights of the start back, and so does any failure, unless it is to
    freeze them: then they stay, and a tag on the rule keeps every later run from moving them.
    """

    kind = "TrafficShift"
    outputs = ("plan", "seconds")

    weights: pulumi.Output[dict[str, int]]
    plan: pulumi.Output[str]
    """`blue 100 / green 0 -> blue 0 / green 100`."""
    seconds: pulumi.Output[float]

    def __init__(self, name: str, args: TrafficShiftArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)
