"""The program as a whole: what every resource must have, whatever it is."""

import json
import re
from typing import Any

import pulumi
import pytest

from tests.unit.program import run_program
from tests.unit.recording import Recording, Registration

PROVIDERS = ("aws", "docker", "bluegreen")
# Whoever owns these instead is named beside each in the program.
OWNED_BY_OTHERS = {
    "traffic-traffic": ("actions",),
    "blue-service": ("desiredCount",),
    "green-service": ("desiredCount",),
    "database-app": ("secretString",),
}


@pytest.fixture(scope="module")
def recording() -> Recording:
    return run_program()


@pytest.fixture(scope="module")
def throw_away() -> Recording:
    return run_program(protect=False, publicTasks=True, natGateway=False, testAllowedCidrs=["203.0.113.0/24"])


def made(recording: Recording) -> list[Registration]:
    return [each for each in recording.resources if each.custom and not each.type.startswith("pulumi:providers:")]


def test_a_stack_is_of_a_size_that_stays_quick_to_preview(recording: Recording) -> None:
    assert len(made(recording)) <= 80


def test_every_resource_and_call_has_an_explicit_provider(recording: Recording) -> None:
    for each in made(recording):
        package = each.type.split(":")[0]
        assert each.provider.split("::")[-2:] == [package, f"{package}-id"], each.name
    assert {provider.split("::")[-2] for _, provider in recording.calls} == {"aws"}
    assert sorted(each.name for each in recording.resources if each.type.startswith("pulumi:")) == sorted(PROVIDERS)


def test_the_aws_provider_has_region_and_default_tags(recording: Recording) -> None:
    inputs = recording.one("pulumi:providers:aws").inputs
    assert inputs["region"] == "eu-west-1"
    assert json.loads(inputs["defaultTags"]) == {
        "tags": {"ManagedBy": "pulumi", "Project": "bluegreen", "Stack": "test"}
    }


def test_a_freeze_is_no_drift_to_the_aws_provider(recording: Recording) -> None:
    inputs = recording.one("pulumi:providers:aws").inputs
    assert json.loads(inputs["ignoreTags"]) == {"keyPrefixes": ["bluegreen:frozen"]}


def test_the_release_provider_is_told_region_and_endpoint() -> None:
    inputs = run_program(endpoint="http://127.0.0.1:4599").one("pulumi:providers:bluegreen").inputs
    assert (inputs["region"], inputs["endpoint"]) == ("eu-west-1", "http://127.0.0.1:4599")


def test_every_resource_belongs_to_a_component(recording: Recording) -> None:
    components = {each.urn: each for each in recording.resources if not each.custom}
    for each in made(recording):
        assert each.parent in components, each.name
        assert each.name.startswith(components[each.parent].name), each.name


def test_every_component_registers_its_outputs(recording: Recording) -> None:
    for each in recording.resources:
        assert each.custom or each.urn in recording.finished, each.name


def test_everything_of_a_color_has_its_stack_as_parent(recording: Recording) -> None:
    for color in ("blue", "green"):
        stack = recording.one("bluegreen:infra:ColorStack", color)
        parts = {each.urn: each for each in recording.resources if each.parent == stack.urn}
        assert sorted(each.name for each in parts.values()) == sorted([color, f"{color}-service", f"{color}-tasks"])
        below = sorted(each.name for each in recording.resources if each.parent in parts)
        assert below == sorted([f"{color}-service", f"{color}-tasks-app", f"{color}-tasks-migrate"])


def test_what_holds_data_or_traffic_is_protected(recording: Recording) -> None:
    protected = {(each.type.split(":")[-1], each.name) for each in recording.resources if each.protect}
    assert protected == {
        ("Instance", "database"),
        ("Secret", "database-app"),
        ("Repository", "registry"),
        ("LoadBalancer", "traffic"),
        ("Service", "blue-service"),
        ("Service", "green-service"),
    }


def test_a_throw_away_stack_can_be_destroyed(throw_away: Recording) -> None:
    assert not [each.name for each in throw_away.resources if each.protect]
    assert throw_away.one("aws:rds/instance:Instance").inputs["skipFinalSnapshot"] is True
    assert throw_away.one("aws:secretsmanager/secret:Secret").inputs["recoveryWindowInDays"] == 0
    assert throw_away.one("aws:ecr/repository:Repository").inputs["forceDelete"] is True
    assert throw_away.one("aws:lb/loadBalancer:LoadBalancer").inputs["enableDeletionProtection"] is False


def test_only_what_has_another_owner_is_ignored(recording: Recording) -> None:
    ignored = {each.name: each.ignore_changes for each in recording.resources if each.ignore_changes}
    assert ignored == OWNED_BY_OTHERS


def test_no_output_was_turned_into_text(recording: Recording) -> None:
    for each in recording.resources:
        text = json.dumps(each.inputs, default=str)
        assert not re.search(r"Calling __str__|<pulumi\.output|Output<|object at 0x", text), each.name


def test_the_password_is_a_secret_and_in_one_place(recording: Recording) -> None:
    holders = [each for each in recording.resources if "not-so-random" in json.dumps(each.inputs, default=str)]
    assert [(each.type, each.secrets) for each in holders] == [
        ("aws:secretsmanager/secretVersion:SecretVersion", frozenset({"secretString"}))
    ]


def test_the_registry_token_is_a_secret(recording: Recording) -> None:
    assert recording.one("docker:index/image:Image").secrets == {"registry"}


def test_tasks_get_no_public_address_unless_asked(recording: Recording, throw_away: Recording) -> None:
    def public(found: Recording) -> set[Any]:
        services = {
            each.inputs["networkConfiguration"]["assignPublicIp"] for each in found.of("aws:ecs/service:Service")
        }
        return services | {each.inputs["assignPublicIp"] for each in found.of("bluegreen:index:TaskRun")}

    assert public(recording) == {False}
    assert public(throw_away) == {True}


def test_the_stack_output_release_says_what_is_in_service(recording: Recording) -> None:
    release = dict(recording.outputs["release"])
    assert re.fullmatch(r"[0-9a-f]{12}", release.pop("version"))
    assert release == {
        "schemaRevision": "e2",
        "color": "green",
        "weights": {"blue": 0, "green": 100},
        "actor": "somebody",
        "previous": {"color": "blue", "version": "v1", "tasks": 2},
        "backfills": {name: {"rows": 3, "seconds": 0.5, "rowsPerSecond": 6} for name in ("b0", "b1")},
        "seconds": {
            "roles": 1.5,
            "schema": 1.5,
            "neededBackfill": 1.5,
            "start": 3.0,
            "smoke": 1.5,
            "shift": 4.0,
            "previous": 3.0,
            "backfill": 1.5,
        },
    }


def test_the_stack_output_release_has_the_seconds_of_the_contract_too() -> None:
    assert run_program(previous="retired").outputs["release"]["seconds"]["contract"] == 1.5


def test_the_other_outputs_are_what_operators_need(recording: Recording) -> None:
    assert recording.outputs["url"] == "http://lb.test:80"
    assert recording.outputs["testUrl"] == "http://lb.test:8081"
    assert recording.outputs["services"] == {"blue": "bluegreen-test-blue", "green": "bluegreen-test-green"}


def test_a_wrong_setting_stops_the_program_before_any_resource() -> None:
    with pytest.raises(pulumi.RunError, match=r"bluegreen:regoin: unknown key; did you mean region\?"):
        run_program(regoin="eu-west-1")
