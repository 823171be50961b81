"""The report of a release as a component: the last one, so that a preview has told everything else before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from infra.settings import Settings
from provider import report_resource, resources


@dataclass(frozen=True, kw_only=True)
class ReleaseReportingArgs:
    """`migrations`: the tasks whose results tell of the database. `after`: the last steps of the release."""

    settings: Settings
    release: resources.Release
    tree_version: str
    rule_arn: pulumi.Input[str]
    target_group_arns: resources.Colors
    migrations: Sequence[resources.TaskRun]
    after: Sequence[pulumi.Resource]


class ReleaseReporting(pulumi.ComponentResource):
    """`bluegreen:infra:ReleaseReporting`: what the release would do, as one text in the preview.

    Outputs: facts.
    """

    report: report_resource.ReleaseReport

    def __init__(self, name: str, args: ReleaseReportingArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("bluegreen:infra:ReleaseReporting", name, {}, opts)
        self.report = report_resource.ReleaseReport(
            name, _report(args), pulumi.ResourceOptions(parent=self, depends_on=list(args.after))
        )
        self.register_outputs({"facts": self.report.facts})


def _report(args: ReleaseReportingArgs) -> report_resource.ReleaseReportArgs:
    settings, release = args.settings, args.release
    return report_resource.ReleaseReportArgs(
        version=release.version,
        action=release.action,
        gate=release.gate,
        rollback=release.rollback,
        target_color=release.target_color,
        previous_color=release.previous_color,
        previous_version=release.previous_version,
        weights=release.weights,
        live_weights=release.live_weights,
        target_count=release.target_count,
        previous_count=release.previous_count,
        lineage=release.lineage,
        listener_rule_arn=args.rule_arn,
        target_group_arns=args.target_group_arns,
        context=settings.release.context,
        tree_version=args.tree_version,
        region=settings.region,
        cpu=settings.service.cpu,
        memory=settings.service.memory,
        architecture=settings.service.architecture,
        results=[task.result for task in args.migrations],
        steps=list(settings.release.steps),
        bake_seconds=settings.release.bake,
        previous=settings.release.previous,
        on_failure=settings.release.on_failure,
        adopt=settings.release.adopt,
    )
