"""The resource class of `ReleaseReport`, for programs; beside `provider.resources`, which has the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi

from provider import defaults
from provider.resources import Colors, _Resource

Weights = Mapping[str, pulumi.Input[int]]


@dataclass(frozen=True, kw_only=True)
class ReleaseReportArgs:
    """Inputs of `ReleaseReport`: the plan as `Release` has it, the settings that shape a release, and where to look.

    `context` is the folder of the tree, relative to the project's, and `tree_version` the version that it holds.
    `results` are those of the migration tasks; the newest facts in them count. `adopt` is the revision through which an
    existing database is taken over.
    """

    version: pulumi.Input[str]
    action: pulumi.Input[str]
    gate: pulumi.Input[str]
    rollback: pulumi.Input[bool]
    target_color: pulumi.Input[str]
    previous_color: pulumi.Input[str]
    previous_version: pulumi.Input[str]
    weights: pulumi.Input[Weights]
    live_weights: pulumi.Input[Weights]
    target_count: pulumi.Input[int]
    previous_count: pulumi.Input[int]
    lineage: pulumi.Input[Sequence[pulumi.Input[str]]]
    listener_rule_arn: pulumi.Input[str]
    target_group_arns: pulumi.Input[Colors]
    context: pulumi.Input[str]
    tree_version: pulumi.Input[str]
    region: pulumi.Input[str]
    cpu: pulumi.Input[int]
    memory: pulumi.Input[int]
    architecture: pulumi.Input[str]
    results: pulumi.Input[Sequence[pulumi.Input[Mapping[str, Any]]]]
    steps: pulumi.Input[Sequence[pulumi.Input[int]]] = defaults.STEPS
    bake_seconds: pulumi.Input[float] = defaults.BAKE_SECONDS
    previous: pulumi.Input[str] = defaults.PREVIOUS
    on_failure: pulumi.Input[str] = defaults.ON_FAILURE
    adopt: pulumi.Input[str] | None = None


class ReleaseReport(_Resource):
    """What a release would do, told in the preview: SQL, locks, traffic, going back, cost. Changes nothing.

    A preview of a release that would be refused fails, after everything was shown.
    """

    kind = "ReleaseReport"
    outputs = ("facts", "known")

    facts: pulumi.Output[dict[str, Any]]
    """What the newest migration task told of the database."""
    known: pulumi.Output[dict[str, list[str]]]
    """The contract revisions that each version's tree carries."""

    def __init__(self, name: str, args: ReleaseReportArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)
