import ast
import itertools
import json
import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from rehearsal import bench, idle, terraform
from rehearsal.embedded import Embedded
from rehearsal.engine import Outcome
from rehearsal.trees import PROJECT


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


@pytest.fixture
def stage(tmp_path):
    """A stage whose previews take 2 s each."""
    preview = Outcome(began=0.0, seconds=2.0, log=tmp_path / "log")
    state = json.dumps({"deployment": {"resources": STATE}})
    return SimpleNamespace(
        folder=tmp_path,
        stack="local",
        environment={"AWS_REGION": "eu-west-1"},
        engine=SimpleNamespace(run=lambda *_: preview, plain=lambda *_: state),
    )


@pytest.fixture
def peer(tmp_path, monkeypatch):
    """A stand-in for terraform that runs this script."""

    def make(script):
        program = tmp_path / "bin" / "terraform"
        program.parent.mkdir()
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        monkeypatch.setattr(bench.shutil, "which", lambda _: str(program))

    return make


def test_a_ratio_needs_terraform(stage, monkeypatch):
    monkeypatch.setattr(bench.shutil, "which", lambda _: None)
    found = bench._previews(stage)
    assert found == {
        "noop_preview_seconds": 2.0,
        "noop_preview_to_terraform_plan": None,
        "noop_preview_to_terraform_plan_reason": "terraform is not installed",
    }


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (
            "echo 'Error: Failed to query provider packages'; exit 1",
            "init: exit code 1: Error: Failed",
        ),
        ('test "$1" = plan && exit 2; exit 0', "plan: exit code 2: it wants changes"),
    ],
)
def test_without_a_provider_or_with_changes_there_is_no_ratio_but_the_reason(stage, peer, script, reason):
    peer(script)
    found = bench._previews(stage)
    assert found["noop_preview_seconds"] == 2.0
    assert found["noop_preview_to_terraform_plan"] is None
    assert reason in found["noop_preview_to_terraform_plan_reason"]


def test_a_ratio_is_of_plans_in_turns(stage, peer, monkeypatch):
    peer("exit 0")
    times = itertools.cycle([10.0, 18.0])  # begin and end of each plan
    monkeypatch.setattr(terraform.time, "monotonic", lambda: next(times))
    found = bench._previews(stage)
    assert (found["noop_preview_to_terraform_plan"], found["terraform_plan_seconds"]) == (0.25, 8.0)
    assert found["terraform_resources"] == 2


def keys(path):
    """The keys of the figures: of every dict that is written out in the file, without those within another."""
    inner = {"p50", "p99", "worst", *bench._PHASES, "total", "image", "program_start", "engine"}
    nodes = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Dict)]
    return {key.value for node in nodes for key in node.keys if isinstance(key, ast.Constant)} - inner


def test_every_figure_is_documented():
    text = (PROJECT / "docs" / "rehearsal.md").read_text()
    documented = set(re.findall(r"`(\w+)`", text.partition("## `make bench`")[2]))
    folder = PROJECT / "rehearsal"
    measured = keys(folder / "bench.py") | (keys(folder / "idle.py") & {"start_seconds", *_IDLE})
    assert set(_IDLE) | {"open_seconds", "platform_mb", "check_reason"} <= measured
    assert measured - documented == set()


_IDLE = ("idle_mb", "idle_mb_by_process", "idle_cpu_percent")


@pytest.mark.slow
def test_the_idle_embedded_aws_has_a_load_balancer_and_a_database(tmp_path, monkeypatch):
    for name in ("SETTLE_SECONDS", "IDLE_SECONDS"):
        monkeypatch.setattr(idle, name, 0.1)
    monkeypatch.setattr(idle, "STARTS", 1)
    found = idle.measure(Embedded(project=PROJECT, folder=tmp_path / "aws"))
    assert {"envoy", "postgres"} <= {name[:8] for name in found["idle_mb_by_process"]}
    assert found["idle_mb"] > 100
    assert found["idle_cpu_percent"] >= 0
    assert not any((tmp_path / "aws").glob("*"))


@pytest.mark.slow
def test_without_a_database_it_is_not_what_is_promised(tmp_path, monkeypatch):
    monkeypatch.setattr(idle, "SETTLE_SECONDS", 0.1)
    monkeypatch.setattr(idle, "STARTS", 1)
    monkeypatch.setattr(idle, "_database", lambda _: None)
    with pytest.raises(idle.IdleError, match="no process postgres among "):
        idle.measure(Embedded(project=PROJECT, folder=tmp_path / "aws"))
    assert not any((tmp_path / "aws").glob("*"))
