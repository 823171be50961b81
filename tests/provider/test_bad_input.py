"""Inputs that Check refuses, over the wire: property and reason."""

import pytest

RELEASE = {
    "service": "orders",
    "version": "v1",
    "repository": "r",
    "cluster": "c",
    "services": {"blue": "b", "green": "g"},
    "listenerRuleArn": "arn",
    "targetGroupArns": {"blue": "b", "green": "g"},
    "desiredCount": 2,
}
TASK = {
    "name": "expand",
    "trigger": "1",
    "cluster": "c",
    "taskDefinitions": {"blue": "b", "green": "g"},
    "color": "blue",
    "container": "app",
    "command": ["true"],
    "subnets": ["s"],
    "securityGroups": [],
}
CAPACITY = {
    "cluster": "c",
    "services": {"blue": "b", "green": "g"},
    "taskDefinitions": {"blue": "b", "green": "g"},
    "targetGroupArns": {"blue": "b", "green": "g"},
    "color": "blue",
    "desiredCount": 0,
}
SHIFT = {
    "listenerRuleArn": "arn",
    "targetGroupArns": {"blue": "b", "green": "g"},
    "weights": {"blue": 0, "green": 100},
    "seenWeights": {"blue": 100, "green": 0},
    "cluster": "c",
    "services": {"blue": "b", "green": "g"},
}
GOOD = {"Release": RELEASE, "TaskRun": TASK, "ServiceCapacity": CAPACITY, "TrafficShift": SHIFT}
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"

BAD = [
    ("Release", {"version": "a b"}, "version", "is 'a b'; expected 1 to 128 letters"),
    ("Release", {"version": UNKNOWN}, "version", "must be known before the run"),
    ("Release", {"version": None}, "version", "is missing"),
    ("Release", {"previous": "cold"}, "previous", "is 'cold'; expected warm or retired"),
    ("Release", {"desiredCount": 0}, "desiredCount", "is 0; expected a whole number from 1"),
    ("Release", {"desiredCount": True}, "desiredCount", "is True"),
    ("Release", {"services": {"blue": "b"}}, "services", "exactly the keys blue and green"),
    ("Release", {"services": {"blue": "b", "red": "r"}}, "services", "exactly the keys blue and green"),
    ("Release", {"services": {"blue": "b", "green": ""}}, "services.green", "is ''; expected a non-empty text"),
    ("Release", {"previus": "warm"}, "previus", "no such input; expected one of cluster, container"),
    ("TaskRun", {"command": []}, "command", "has 0 entries; expected at least 1"),
    ("TaskRun", {"command": "true"}, "command", "is 'true'; expected a list of texts"),
    ("TaskRun", {"trigger": 3}, "trigger", "is 3; expected a non-empty text"),
    ("TaskRun", {"color": "red"}, "color", "is 'red'; expected blue or green"),
    ("TaskRun", {"environment": {"PASSWORD": 5}}, "environment.PASSWORD", "is a int; expected a text"),
    ("TaskRun", {"timeoutSeconds": 0}, "timeoutSeconds", "is 0; expected a number from 1 to 86400"),
    ("TaskRun", {"assignPublicIp": "yes"}, "assignPublicIp", "is 'yes'; expected true or false"),
    ("ServiceCapacity", {"desiredCount": -1}, "desiredCount", "is -1; expected a whole number from 0"),
    ("ServiceCapacity", {"desiredCount": 1.5}, "desiredCount", "is 1.5; expected a whole number"),
    ("TrafficShift", {"weights": {"blue": 0, "green": 0}}, "weights", "is 0 for both colors"),
    ("TrafficShift", {"weights": {"blue": 1000, "green": 0}}, "weights.blue", "is 1000; expected"),
    ("TrafficShift", {"weights": {"blue": -1, "green": 0}}, "weights.blue", "is -1; expected"),
    ("TrafficShift", {"weights": {"blue": "x", "green": 0}}, "weights.blue", "is 'x'; expected"),
    ("TrafficShift", {"weights": "blue"}, "weights", "exactly the keys blue and green"),
    ("TrafficShift", {"steps": []}, "steps", "is []; expected growing whole percents that end with 100"),
    ("TrafficShift", {"steps": [50, 10, 100]}, "steps", "expected growing whole percents"),
    ("TrafficShift", {"steps": [10, 50]}, "steps", "that end with 100"),
    ("TrafficShift", {"steps": [0, 100]}, "steps", "expected growing whole percents"),
    ("TrafficShift", {"steps": ["10", 100]}, "steps", "expected growing whole percents"),
    ("TrafficShift", {"bakeSeconds": -1}, "bakeSeconds", "is -1; expected a number from 0"),
    ("TrafficShift", {"bakeSeconds": 60, "timeoutSeconds": 100}, "timeoutSeconds", "3 steps that bake 60 s each"),
    ("TrafficShift", {"alarms": [""]}, "alarms", "expected a list of texts"),
]


@pytest.mark.parametrize(("kind", "change", "name", "reason"), BAD, ids=[f"{kind}-{one}" for kind, one, *_ in BAD])
def test_bad_input_is_refused_with_its_property(plugin, kind, change, name, reason):
    _, failures = plugin.check(kind, {**GOOD[kind], **change})
    assert list(failures) == [name]
    assert reason in failures[name]


@pytest.mark.parametrize("kind", GOOD)
def test_good_input_passes_with_its_defaults(plugin, kind):
    found, failures = plugin.check(kind, GOOD[kind])
    assert failures == {}
    assert set(GOOD[kind]) <= set(found)


@pytest.mark.parametrize("kind", GOOD)
def test_values_that_a_preview_does_not_know_pass(plugin, kind):
    known = {"version"}
    inputs = {key: value if key in known else UNKNOWN for key, value in GOOD[kind].items()}
    assert plugin.check(kind, inputs)[1] == {}


def test_the_value_of_an_environment_variable_is_never_shown(plugin):
    _, failures = plugin.check("TaskRun", {**TASK, "environment": {"PASSWORD": 31337}})
    assert "31337" not in str(failures)
