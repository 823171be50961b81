"""The real engine retires the old color while somebody still runs a task of its version: the contract waits for it."""

import pytest

from tests.engine.engine_run import PROGRAM
from tests.provider.task_script import TaskScript

pytestmark = pytest.mark.slow
GOOD = TaskScript.ends(0, '{"result": {"revision": "r1"}}')
CONTRACT = """
previous = r.ServiceCapacity(
    "previous",
    r.ServiceCapacityArgs(color=release.previous_color, desired_count=release.previous_count, **spec["capacity"]),
    after(shift),
)
evidence = {**spec["evidence"], "color": release.previous_color, "pending": gate.told("pendingContracts")}
r.TaskRun(
    "contract",
    r.TaskRunArgs(
        color=release.target_color, trigger=release.version, evidence=evidence if spec["look"] else None, **spec["contract"]
    ),
    after(previous),
)
"""  # noqa: E501 - a program


@pytest.fixture
def retiring(engine, stack):
    """`up` releases v2, retires v1 and then runs the contract."""
    (engine.folder / "__main__.py").write_text(PROGRAM + CONTRACT)
    engine.spec["release"]["previous"] = "retired"
    engine.spec["contract"] = {**engine.spec["task"], "name": "migrations", "command": ["contract"]}
    engine.spec["evidence"] = {
        "listenerRuleArn": stack.rule,
        "targetGroupArns": stack.groups,
        "services": stack.services,
        "taskDefinitions": stack.definitions,
        "quietSeconds": 5,
        "waitSeconds": 20,
    }
    engine.spec["look"] = True
    return engine


@pytest.fixture
def stray(stack, fake):
    """A task of v1 that somebody started by hand; the rest of the tasks end well at once."""
    script = TaskScript()
    fake.scripts = [script]
    network = {"awsvpcConfiguration": {"subnets": stack.subnets, "securityGroups": [stack.security]}}
    made = fake.client("ecs").run_task(
        cluster=stack.name, taskDefinition=stack.definitions["blue"], launchType="FARGATE", networkConfiguration=network
    )
    fake.calls.clear()
    fake.scripts = [GOOD]
    return made["tasks"][0]["taskArn"]


def commands(fake):
    return [call["overrides"]["containerOverrides"][0]["command"][0] for name, call in fake.calls if name == "run_task"]


def test_the_contract_waits_for_the_last_task_of_the_old_version(retiring, stack, fake, stray):
    failed = retiring.up()
    assert failed.code != 0
    for text in (
        "contract was not started",
        "the old color blue",
        f"{stray.rsplit('/', 1)[-1]} (v1, RUNNING",
        "Nothing was changed in the database",
    ):
        assert text in " ".join(failed.text.split()), failed.text
    assert stack.weights() == (0, 100)
    assert retiring.resource("contract") is None
    assert sorted(commands(fake)) == ["expand", "true"]

    fake.client("ecs").stop_task(cluster=stack.name, task=stray)
    fake.calls.clear()
    retiring.up().ok()
    assert commands(fake) == ["contract"]
    assert retiring.resource("contract")["outputs"]["exitCode"] == 0
    fake.calls.clear()
    retiring.up().ok()
    assert commands(fake) == []


def test_twin_without_the_look_it_contracts_under_that_task(retiring, stack, fake, stray):
    retiring.spec["look"] = False
    retiring.up().ok()
    assert sorted(commands(fake)) == ["contract", "expand", "true"]
    assert fake.client("ecs").describe_tasks(cluster=stack.name, tasks=[stray])["tasks"][0]["lastStatus"] == "RUNNING"


def test_a_release_without_a_contract_is_not_held_back(retiring, fake, stray):
    """The gate said that nothing is pending. The command still runs, and is told who lives."""
    fake.scripts = [TaskScript.ends(0, '{"result": {"revision": "r1", "pendingContracts": []}}')]
    retiring.up().ok()
    (contract,) = [
        call["overrides"]["containerOverrides"][0]
        for name, call in fake.calls
        if name == "run_task" and call["overrides"]["containerOverrides"][0]["command"] == ["contract"]
    ]
    (told,) = [one["value"] for one in contract["environment"] if one["name"] == "MIGRATION_RUNNING_VERSIONS"]
    assert f"v1@{stray.rsplit('/', 1)[-1]}" in told.split(",")


@pytest.mark.usefixtures("stray")
def test_a_preview_knows_that_it_will_run_and_asks_nobody(retiring, fake):
    retiring.preview().ok()
    assert commands(fake) == []
