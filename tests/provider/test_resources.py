"""The SDK classes: names on the wire, keys of maps left alone, attributes in Python's spelling."""

import dataclasses

import pulumi
import pytest

from provider import capacity, release, report, report_resource, resources, shift, task_run
from tests.support.own_loop import own_loop


class Mocks(pulumi.runtime.Mocks):
    def __init__(self):
        self.made = {}

    def new_resource(self, args):
        self.made[args.name] = (args.typ, args.inputs)
        return args.name, {**args.inputs, "taskArn": "arn:task", "exitCode": 0, "result": {"revision": "r1"}}

    def call(self, _):
        return {}


@pytest.fixture
def mocks():
    made = Mocks()
    with own_loop():
        pulumi.runtime.set_mocks(made, project="bluegreen", stack="test", preview=False)
        yield made
        pulumi.runtime.reset_options()


COLORS = {"blue": "b", "green": "g"}
TASK = resources.TaskRunArgs(
    name="expand", trigger="1", cluster="c", task_definitions=COLORS, color="blue", container="app", command=["true"],
    subnets=["s"], security_groups=["g"], environment={"task_arn": "stays", "DB_HOST": "h"},
)  # fmt: skip


@pytest.mark.parametrize(
    ("args", "names"),
    [
        (resources.ReleaseArgs, release.INPUTS),
        (resources.TaskRunArgs, task_run.INPUTS),
        (resources.ServiceCapacityArgs, capacity.INPUTS),
        (resources.TrafficShiftArgs, shift.INPUTS),
        (report_resource.ReleaseReportArgs, (*report.TOLD, *report.BESIDE)),
    ],
)
def test_the_classes_and_the_plugin_have_the_same_inputs(args, names):
    assert {resources._camel(one.name) for one in dataclasses.fields(args)} == set(names)


@pulumi.runtime.test
def test_names_are_translated_and_keys_of_maps_are_not(mocks):
    made = resources.TaskRun("expand", TASK)

    def check(values):
        arn, code, result = values
        assert (arn, code, result) == ("arn:task", 0, {"revision": "r1"})
        kind, inputs = mocks.made["expand"]
        assert kind == "bluegreen:index:TaskRun"
        assert inputs["taskDefinitions"] == COLORS
        assert inputs["environment"] == {"task_arn": "stays", "DB_HOST": "h"}
        assert inputs["assignPublicIp"] is False

    return pulumi.Output.all(made.task_arn, made.exit_code, made.result).apply(check)


@pulumi.runtime.test
def test_the_provider_takes_its_own_settings(mocks):
    made = resources.Provider("own", resources.ProviderArgs(region="eu-west-1"))

    def check(_):
        assert mocks.made["own"] == ("pulumi:providers:bluegreen", {"region": "eu-west-1"})

    return made.urn.apply(check)


def test_arguments_are_frozen_and_keyword_only():
    with pytest.raises(dataclasses.FrozenInstanceError):
        TASK.name = "other"
    with pytest.raises(TypeError):
        resources.ProviderArgs("eu-west-1")
