"""The ECS cluster, and the log groups that its tasks write to.

The groups are made here and not by the tasks: a task whose group is missing never starts.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra import naming


@dataclass(frozen=True, kw_only=True)
class ClusterArgs:
    """`prefix` is the cluster's name and begins those of the log groups."""

    prefix: str
    log_retention_days: int


class Cluster(pulumi.ComponentResource):
    """`bluegreen:infra:Cluster`: ECS cluster with Container Insights, log groups of app and migrations.

    Outputs: cluster_arn, cluster_name. app_logs and migrate_logs are the groups.
    """

    cluster: aws.ecs.Cluster
    app_logs: aws.cloudwatch.LogGroup
    migrate_logs: aws.cloudwatch.LogGroup
    cluster_arn: pulumi.Output[str]
    cluster_name: pulumi.Output[str]

    def __init__(self, name: str, args: ClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("bluegreen:infra:Cluster", name, {}, opts)
        self.cluster = aws.ecs.Cluster(
            name,
            name=args.prefix,
            settings=[{"name": "containerInsights", "value": "enabled"}],
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.app_logs, self.migrate_logs = (
            aws.cloudwatch.LogGroup(
                f"{name}-{container}",
                name=naming.log_group(args.prefix, container),
                retention_in_days=args.log_retention_days,
                opts=pulumi.ResourceOptions(parent=self),
            )
            for container in ("app", "migrate")
        )
        self.cluster_arn = self.cluster.arn
        self.cluster_name = self.cluster.name
        self.register_outputs({"clusterArn": self.cluster_arn, "clusterName": self.cluster_name})
