"""A version that comes back after a rollback: what its gate finds then is filled, though it was filled before.

The component `SchemaGate` as the program has it, under the real engine.
"""

import json

import pytest

from tests.engine.engine_run import PROGRAM
from tests.provider.task_script import TaskScript

pytestmark = pytest.mark.slow
BEFORE, _, _ = PROGRAM.partition("gate = r.TaskRun(")
GATE = """
from infra import containers, schema
from infra.tasks import Place

containers.MIGRATE = spec["task"]["container"]  # the one that the fake's task definitions have
if not spec["again"]:
    made = schema.migration

    def once(place, color, definitions, command, trigger, *given, **named):
        return made(place, color, definitions, command, "once" if command == "backfill" else trigger, *given, **named)

    schema.migration = once
place = Place(
    cluster=spec["task"]["cluster"],
    subnet_ids=spec["task"]["subnets"],
    security_group_id=spec["task"]["security_groups"][0],
    public=False,
    timeout=60,
)
schema.SchemaGate(
    "schema",
    schema.SchemaGateArgs(
        place=place,
        release=release,
        migrate_task_definitions=spec["task"]["task_definitions"],
        database_identity="db",
        backfill_timeout=60,
        backfill_environment={},
    ),
    own,
)
"""


@pytest.fixture
def gate(engine):
    (engine.folder / "__main__.py").write_text(BEFORE + GATE)
    engine.spec["again"] = True
    return engine


def commands(fake):
    """The migrations that ran, by the word after `python -m migrations`."""
    overrides = [call["overrides"]["containerOverrides"][0] for name, call in fake.calls if name == "run_task"]
    return [one["command"][3] for one in overrides]


def filled(engine, fake, version, *needed):
    """What ran when the gate of this version named the backfills that it needs."""
    engine.spec["release"] |= {"version": version, "image": f"repo@sha256:{version}"}
    fake.scripts = [TaskScript.ends(0, json.dumps({"result": {"revision": "r1", "neededBackfills": needed}}))]
    fake.calls.clear()
    engine.up().ok()
    return commands(fake)


def there_and_back(engine, fake):
    assert filled(engine, fake, "v2", "b0001") == ["roles", "expand", "backfill"]
    assert filled(engine, fake, "v2", "b0001") == [], "its gate has not run again"
    assert filled(engine, fake, "v1") == ["check"]
    return filled(engine, fake, "v2", "b0001")


def test_what_the_gate_finds_when_a_version_comes_back_is_filled(gate, fake):
    assert there_and_back(gate, fake) == ["expand", "backfill"]


def test_twin_with_a_trigger_that_knows_only_the_version_it_is_not(gate, fake):
    gate.spec["again"] = False
    assert there_and_back(gate, fake) == ["expand"]
