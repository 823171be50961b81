from pathlib import Path

from rehearsal import bench
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


def test_what_cannot_be_compared_is_null_with_the_reason():
    found = bench._terraform()
    assert found["noop_preview_to_terraform_plan"] is None
    assert "terraform" in found["noop_preview_to_terraform_plan_reason"]
