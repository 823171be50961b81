from pathlib import Path

import pytest

from rehearsal import bench, terraform
from rehearsal.engine import Outcome


def test_the_phases_of_a_release_add_up():
    outcome = Outcome(began=0.0, seconds=20.0, log=Path("x"), program_seconds=2.5)
    outcome.spans = {"registry docker:index/image:Image": 1.5, "x aws:ecs/taskDefinition:TaskDefinition": 0.2}
    outcome.outputs = {
        "schema-expand": {"seconds": 1.0},
        "cutover-start": {"seconds": 2.0},
        "cutover-smoke": {"seconds": 0.5},
        "cutover-shift": {"seconds": 3.25},
        "cutover-previous": {"seconds": 0.25},
    }
    found = bench.phases(outcome)
    assert (found["total"], found["image"], found["shift"], found["roles"]) == (18.5, 1.5, 3.25, 0.0)
    parts = ("roles", "schema", "start", "smoke", "shift", "previous", "engine")
    assert sum(found[name] for name in parts) == found["total"]


STATE = [
    {"type": "pulumi:pulumi:Stack", "id": "", "outputs": {}},
    {"type": "bluegreen:index:Release", "custom": True, "id": "r", "outputs": {}},
    {"type": "aws:ec2/vpc:Vpc", "custom": True, "id": "vpc-1", "outputs": {"cidrBlock": "10.0.0.0/16"}},
    {
        "type": "aws:ecs/service:Service",
        "custom": True,
        "id": "arn:aws:ecs:eu-west-1:1:service/cluster/blue",
        "outputs": {"name": "blue"},
    },
]


def test_terraform_takes_over_every_aws_resource_and_nothing_else():
    found, count = terraform.configuration(STATE)
    assert count == 2
    assert found["import"] == [
        {"to": "aws_vpc.r0", "id": "vpc-1"},
        {"to": "aws_ecs_service.r1", "id": "cluster/blue"},
    ]
    assert found["resource"]["aws_vpc"]["r0"] == {
        "cidr_block": "10.0.0.0/16",
        "lifecycle": {"ignore_changes": "all"},
    }


def test_a_type_without_a_counterpart_is_named():
    with pytest.raises(terraform.PeerError, match="aws:sns/topic:Topic"):
        terraform.configuration([{"type": "aws:sns/topic:Topic", "custom": True, "id": "x", "outputs": {}}])
