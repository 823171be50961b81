"""A color: its target group, the container definitions in ECS's normal form, and its service."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from infra.color import ColorStack, ColorStackArgs
from tests.unit.program import run_part, run_program
from tests.unit.recording import Recording

TASK, SERVICE, GROUP = "aws:ecs/taskDefinition:TaskDefinition", "aws:ecs/service:Service", "aws:lb/targetGroup:TargetGroup"  # fmt: skip # noqa: E501
GOLDEN = Path(__file__).with_name("golden")
FULL_SECRET = re.compile(r"arn:aws:secretsmanager:[a-z0-9-]+:\d{12}:secret:.+-[A-Za-z0-9]{6}:password::")


@pytest.fixture(scope="module")
def recording() -> Recording:
    return run_program(version="v2")


def container(recording: Recording, name: str) -> dict[str, Any]:
    (definition,) = json.loads(recording.one(TASK, name).inputs["containerDefinitions"])
    return definition


@pytest.mark.parametrize("kind", ["app", "migrate"])
def test_the_container_definitions_are_exactly_these(recording: Recording, kind: str) -> None:
    text = recording.one(TASK, f"green-tasks-{kind}").inputs["containerDefinitions"]
    golden = json.loads((GOLDEN / f"{kind}.json").read_text())
    assert json.loads(text) == golden
    assert text == json.dumps(golden, sort_keys=True, separators=(",", ":"))


@pytest.mark.parametrize("kind", ["app", "migrate"])
def test_they_are_in_the_form_in_which_ecs_answers_them(recording: Recording, kind: str) -> None:
    definition = container(recording, f"green-tasks-{kind}")
    assert "null" not in json.dumps(definition)
    for key in ("environment", "secrets"):
        names = [each["name"] for each in definition[key]]
        assert names == sorted(names)
        assert all(isinstance(each.get("value", each.get("valueFrom")), str) for each in definition[key])
    assert {"cpu", "essential", "mountPoints", "portMappings", "systemControls", "volumesFrom"} <= set(definition)


@pytest.mark.parametrize("kind", ["app", "migrate"])
def test_a_task_can_do_as_little_as_it_needs(recording: Recording, kind: str) -> None:
    definition = container(recording, f"blue-tasks-{kind}")
    assert int(definition["user"]) >= 10000
    assert definition["readonlyRootFilesystem"] is True
    assert definition["linuxParameters"]["capabilities"]["drop"] == ["ALL"]
    assert "privileged" not in definition


def migrations_at_boot(definitions: list[dict[str, Any]]) -> list[str]:
    """What would run the migrations once for each task that starts: the program itself, or a container it waits for."""
    found = [f"{one['name']} waits for another container" for one in definitions if one.get("dependsOn")]
    words = [(one["name"], " ".join([*one.get("entryPoint", []), *one.get("command", [])])) for one in definitions]
    return found + [f"{name} runs migrations" for name, text in words if re.search(r"migrations|alembic", text)]


def test_no_task_of_a_service_migrates_at_its_start(recording: Recording) -> None:
    """As a sidecar a migration runs once for each task, at the same time, and again on every scale-out."""
    services = recording.of(SERVICE)
    assert len(services) == 2
    for color in ("blue", "green"):
        definitions = json.loads(recording.one(TASK, f"{color}-tasks-app").inputs["containerDefinitions"])
        assert [one["essential"] for one in definitions] == [True]
        assert migrations_at_boot(definitions) == []


def test_twin_a_sidecar_that_migrates_is_found(recording: Recording) -> None:
    app = container(recording, "green-tasks-app")
    sidecar = {**app, "name": "migrate", "essential": False, "command": ["python", "-m", "migrations", "expand"]}
    waits = {**app, "dependsOn": [{"containerName": "migrate", "condition": "SUCCESS"}]}
    assert migrations_at_boot([sidecar, waits]) == ["app waits for another container", "migrate runs migrations"]


@pytest.mark.parametrize("kind", ["app", "migrate"])
def test_secrets_come_by_their_full_arn_and_never_in_the_environment(recording: Recording, kind: str) -> None:
    definition = container(recording, f"green-tasks-{kind}")
    assert definition["secrets"]
    assert all(FULL_SECRET.fullmatch(each["valueFrom"]) for each in definition["secrets"])
    assert not [each["name"] for each in definition["environment"] if "PASSWORD" in each["name"]]


def test_the_application_is_not_told_the_owner_of_the_database(recording: Recording) -> None:
    text = json.dumps(container(recording, "green-tasks-app"))
    assert "rds!" not in text
    assert "bluegreen_owner" not in text
    assert "rds!" in json.dumps(container(recording, "green-tasks-migrate"))


def test_each_color_runs_the_image_and_version_of_the_plan(recording: Recording) -> None:
    for color, version in (("blue", "v1"), ("green", "v2")):
        found = [container(recording, f"{color}-tasks-{kind}") for kind in ("app", "migrate")]
        environments = [{each["name"]: each["value"] for each in one["environment"]} for one in found]
        assert [each["APP_VERSION"] for each in environments] == [version, version]
        assert len({each["image"] for each in found}) == 1
        assert re.search(r"@sha256:[0-9a-f]{64}$", found[0]["image"])
        assert found[0]["logConfiguration"]["options"]["awslogs-stream-prefix"] == color


def test_a_lost_log_line_may_cost_the_app_nothing_and_a_migration_its_result(recording: Recording) -> None:
    modes = {
        kind: container(recording, f"green-tasks-{kind}")["logConfiguration"]["options"]["mode"]
        for kind in ("app", "migrate")
    }
    assert modes == {"app": "non-blocking", "migrate": "blocking"}


def test_both_task_definitions_are_for_fargate_with_two_different_roles(recording: Recording) -> None:
    for each in recording.of(TASK):
        inputs = each.inputs
        assert inputs["networkMode"] == "awsvpc"
        assert inputs["requiresCompatibilities"] == ["FARGATE"]
        assert inputs["runtimePlatform"] == {"cpuArchitecture": "X86_64", "operatingSystemFamily": "LINUX"}
        assert inputs["executionRoleArn"] != inputs["taskRoleArn"]
    assert {each.inputs["family"] for each in recording.of(TASK)} == {
        f"bluegreen-test-{color}{suffix}" for color in ("blue", "green") for suffix in ("", "-migrate")
    }


def test_a_log_group_exists_before_the_task_that_writes_to_it(recording: Recording) -> None:
    assert "cluster-app" in recording.needs(TASK, "green-tasks-app")
    assert "cluster-migrate" in recording.needs(TASK, "green-tasks-migrate")


def test_the_service_leaves_count_and_success_to_the_release(recording: Recording) -> None:
    for color in ("blue", "green"):
        service = recording.one(SERVICE, f"{color}-service")
        inputs = service.inputs
        assert service.ignore_changes == ("desiredCount",)
        assert (inputs["desiredCount"], inputs["waitForSteadyState"]) == (0, False)
        assert inputs["deploymentCircuitBreaker"] == {"enable": True, "rollback": False}
        assert (inputs["deploymentMinimumHealthyPercent"], inputs["deploymentMaximumPercent"]) == (100, 200)
        assert inputs["name"] == f"bluegreen-test-{color}"
        assert inputs["loadBalancers"][0]["containerPort"] == 8080


def test_a_new_task_is_given_time_to_start(recording: Recording) -> None:
    assert {each.inputs["healthCheckGracePeriodSeconds"] for each in recording.of(SERVICE)} == {60}


def test_deleting_a_service_may_take_as_long_as_its_last_task() -> None:
    found = run_program(deregistrationDelaySeconds=600, timeoutSeconds=3600)
    assert {each.delete_timeout for each in found.of(SERVICE)} == {"930s"}


@pytest.mark.parametrize(("interval", "timeout"), [(5, 4), (6, 5), (30, 5)])
def test_a_health_check_ends_before_the_next_begins(interval: int, timeout: int) -> None:
    args = ColorStackArgs(prefix="p", color="blue", vpc_id="vpc-1", deregistration_delay=5, health_interval=interval)
    check = run_part(lambda: ColorStack("blue", args)).one(GROUP).inputs["healthCheck"]
    assert (check["interval"], check["timeout"]) == (interval, timeout)
    assert (check["path"], check["port"], check["matcher"]) == ("/readyz", "traffic-port", "200")


def test_no_setting_replaces_a_target_group() -> None:
    usual = {each.name: each.inputs for each in run_program().of(GROUP)}
    other = run_program(
        healthIntervalSeconds=30, deregistrationDelaySeconds=7, listenerPort=8080, internal=True, cpu=512, memory=1024
    )
    for each in other.of(GROUP):
        for forcing in ("name", "port", "protocol", "targetType", "vpcId"):
            assert each.inputs[forcing] == usual[each.name][forcing]
