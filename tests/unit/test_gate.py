"""The order of a release is in the graph. Each test has a twin that takes the edge out, and must fail."""

import itertools
from collections.abc import Callable

import pulumi_aws as aws
import pytest

from provider import resources
from tests.unit.cutter import Cutter
from tests.unit.program import run_program
from tests.unit.recording import Recording

RUN, CAPACITY, SHIFT = "bluegreen:index:TaskRun", "bluegreen:index:ServiceCapacity", "bluegreen:index:TrafficShift"
SERVICE, RULE = "aws:ecs/service:Service", "aws:lb/listenerRule:ListenerRule"


@pytest.fixture(scope="module")
def recording() -> Recording:
    return run_program(previous="retired")


def shift_waits_for_the_migration(recording: Recording) -> None:
    assert "schema-expand" in recording.needs(SHIFT, "cutover-shift")


def shift_waits_for_the_smoke_test(recording: Recording) -> None:
    assert "cutover-smoke" in recording.needs(SHIFT, "cutover-shift")


def shift_waits_for_the_steady_target(recording: Recording) -> None:
    assert "cutover-start" in recording.needs(SHIFT, "cutover-shift")


def smoke_waits_for_the_steady_target(recording: Recording) -> None:
    assert "cutover-start" in recording.needs(RUN, "cutover-smoke")


def services_wait_for_the_migration(recording: Recording) -> None:
    for color in ("blue", "green"):
        assert "schema-expand" in recording.needs(SERVICE, f"{color}-service")


def services_wait_for_the_rule(recording: Recording) -> None:
    for color in ("blue", "green"):
        assert "traffic-traffic" in recording.needs(SERVICE, f"{color}-service")


def start_waits_for_the_service(recording: Recording) -> None:
    for color in ("blue", "green"):
        assert f"{color}-service" in recording.needs(CAPACITY, "cutover-start")


def previous_waits_for_the_shift(recording: Recording) -> None:
    assert "cutover-shift" in recording.needs(CAPACITY, "cutover-previous")


def contract_waits_for_the_retirement(recording: Recording) -> None:
    assert "cutover-previous" in recording.needs(RUN, "cutover-contract")


def backfill_waits_for_the_shift(recording: Recording) -> None:
    assert "cutover-previous" in recording.needs(RUN, "cutover-backfill")


def contract_waits_for_the_backfill(recording: Recording) -> None:
    assert "cutover-backfill" in recording.needs(RUN, "cutover-contract")


def expand_waits_for_the_roles(recording: Recording) -> None:
    assert "schema-roles" in recording.needs(RUN, "schema-expand")


def services_wait_for_what_the_image_needs_filled(recording: Recording) -> None:
    for color in ("blue", "green"):
        assert "schema-backfill" in recording.needs("aws:ecs/service:Service", f"{color}-service")


def shift_waits_for_what_the_image_needs_filled(recording: Recording) -> None:
    assert "schema-backfill" in recording.needs(SHIFT, "cutover-shift")


def runs_wait_for_the_way_to_the_database(recording: Recording) -> None:
    for name in (
        "schema-roles",
        "schema-expand",
        "schema-backfill",
        "cutover-smoke",
        "cutover-backfill",
        "cutover-contract",
    ):
        assert {"firewall-to-database", "firewall-from-tasks", "network-private"} <= recording.needs(RUN, name), name


def runs_wait_for_their_rights(recording: Recording) -> None:
    for name in (
        "schema-roles",
        "schema-expand",
        "schema-backfill",
        "cutover-smoke",
        "cutover-backfill",
        "cutover-contract",
    ):
        assert {"roles-app-execution", "roles-migrate-execution"} <= recording.needs(RUN, name), name


EDGES = [
    (shift_waits_for_the_migration, resources.TrafficShift, "cutover-shift", "schema-expand"),
    (shift_waits_for_the_smoke_test, resources.TrafficShift, "cutover-shift", "cutover-smoke"),
    (shift_waits_for_the_steady_target, resources.TrafficShift, "cutover-shift", "cutover-start"),
    (smoke_waits_for_the_steady_target, resources.TaskRun, "cutover-smoke", "cutover-start"),
    (services_wait_for_the_migration, aws.ecs.Service, "green-service", "schema-expand"),
    (services_wait_for_the_rule, aws.ecs.Service, "blue-service", "traffic-traffic"),
    (start_waits_for_the_service, resources.ServiceCapacity, "cutover-start", "green-service"),
    (previous_waits_for_the_shift, resources.ServiceCapacity, "cutover-previous", "cutover-shift"),
    (contract_waits_for_the_retirement, resources.TaskRun, "cutover-contract", "cutover-previous"),
    (backfill_waits_for_the_shift, resources.TaskRun, "cutover-backfill", "cutover-previous"),
    (contract_waits_for_the_backfill, resources.TaskRun, "cutover-contract", "cutover-backfill"),
    (expand_waits_for_the_roles, resources.TaskRun, "schema-expand", "schema-roles"),
    (services_wait_for_what_the_image_needs_filled, aws.ecs.Service, "green-service", "schema-backfill"),
    (shift_waits_for_what_the_image_needs_filled, resources.TrafficShift, "cutover-shift", "schema-backfill"),
    (runs_wait_for_the_way_to_the_database, resources.TaskRun, "schema-expand", "firewall"),
    (runs_wait_for_their_rights, resources.TaskRun, "schema-expand", "roles"),
]
NAMES = [edge[0].__name__ for edge in EDGES]


@pytest.mark.parametrize("check", [edge[0] for edge in EDGES], ids=NAMES)
def test_the_edge_is_there(recording: Recording, check: Callable[[Recording], None]) -> None:
    check(recording)


@pytest.fixture(scope="module")
def damaged() -> Recording:
    """The program with every one of the edges missing; each check looks at its own."""
    with Cutter(edge[1:] for edge in EDGES) as cutter:
        recording = run_program(previous="retired", cached=False)
    assert not cutter.left, "the program does not name these"
    return recording


@pytest.mark.parametrize("check", [edge[0] for edge in EDGES], ids=NAMES)
def test_its_absence_is_noticed(damaged: Recording, check: Callable[[Recording], None]) -> None:
    with pytest.raises(AssertionError):
        check(damaged)


def test_the_whole_order_is_one_chain(recording: Recording) -> None:
    chain = [
        recording.one(RULE, "traffic-traffic"),
        recording.one("bluegreen:index:Release"),
        recording.one("aws:ecs/taskDefinition:TaskDefinition", "green-tasks-migrate"),
        recording.one(RUN, "schema-roles"),
        recording.one(RUN, "schema-expand"),
        recording.one(RUN, "schema-backfill"),
        recording.one(SERVICE, "green-service"),
        recording.one(CAPACITY, "cutover-start"),
        recording.one(RUN, "cutover-smoke"),
        recording.one(SHIFT, "cutover-shift"),
        recording.one(CAPACITY, "cutover-previous"),
        recording.one(RUN, "cutover-contract"),
    ]
    for earlier, later in itertools.pairwise(chain):
        assert recording.waits_for(later, earlier), f"{later.name} after {earlier.name}"
        assert not recording.waits_for(earlier, later), f"{earlier.name} before {later.name}"


def test_the_contract_runs_only_when_the_previous_version_is_retired() -> None:
    assert {each.name for each in run_program(previous="warm").of(RUN)} == {
        "schema-roles",
        "schema-expand",
        "schema-backfill",
        "cutover-smoke",
        "cutover-backfill",
    }


def test_every_run_says_in_its_failure_what_has_run_and_what_to_choose() -> None:
    made = run_program(previous="retired")
    told = {each.name: each.inputs["advice"] for each in made.resources if each.type == RUN}
    assert set(told) == {
        "schema-roles",
        "schema-expand",
        "schema-backfill",
        "cutover-smoke",
        "cutover-backfill",
        "cutover-contract",
    }
    assert all("Choose: " in advice for advice in told.values())
    before = {name for name, advice in told.items() if "what served before serves on" in advice}
    assert before == {"schema-roles", "schema-expand", "schema-backfill", "cutover-smoke"}
    assert [name for name, advice in told.items() if "may not fit" in advice] == ["cutover-contract"]
    assert [name for name, advice in told.items() if "Only this has run" in advice] == ["schema-expand"]
    assert "goes on where the backfill stopped" in told["schema-backfill"]
