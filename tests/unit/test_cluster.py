"""The cluster and the log groups of its tasks."""

from infra.cluster import Cluster, ClusterArgs
from tests.unit.program import run_part


def test_the_cluster_is_observed_and_logs_are_kept_for_a_while() -> None:
    args = ClusterArgs(prefix="bluegreen-test", log_retention_days=30)
    recording = run_part(lambda: Cluster("cluster", args))
    cluster = recording.one("aws:ecs/cluster:Cluster").inputs
    assert cluster["name"] == "bluegreen-test"
    assert cluster["settings"] == [{"name": "containerInsights", "value": "enabled"}]
    groups = {
        each.inputs["name"]: each.inputs["retentionInDays"] for each in recording.of("aws:cloudwatch/logGroup:LogGroup")
    }
    assert groups == {"/bluegreen-test/app": 30, "/bluegreen-test/migrate": 30}
