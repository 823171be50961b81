"""What AWS refuses is refused with AWS's code, and nothing has changed."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.local.elb.elb_stage import ANY_PATH, NOT_FOUND, Stage, forward

pytestmark = pytest.mark.slow


def refused(call: Callable[..., Any], **given: Any) -> tuple[str, str]:
    """Code and message of the refusal."""
    with pytest.raises(ClientError) as caught:
        call(**given)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


@pytest.mark.parametrize(
    "name", ["x" * 33, "under_score", "-begins", "ends-", "internal-lb", "dot.ted", "a" * 32 + "-"]
)
def test_names_of_load_balancers(stage: Stage, name: str) -> None:
    code, message = refused(stage.elb.create_load_balancer, Name=name, Subnets=stage.subnets)
    assert code == "ValidationError"
    assert name in message


@pytest.mark.parametrize("name", ["x" * 33, "under_score", "-begins", "ends-"])
def test_names_of_target_groups(stage: Stage, name: str) -> None:
    given = {"Name": name, "Protocol": "HTTP", "Port": 80, "VpcId": stage.vpc, "TargetType": "ip"}
    assert refused(stage.elb.create_target_group, **given)[0] == "ValidationError"


def test_the_same_load_balancer_again_is_the_same(stage: Stage) -> None:
    arn, address = stage.balancer()
    name = arn.split("/")[2]
    again = stage.elb.create_load_balancer(Name=name, Subnets=stage.subnets)["LoadBalancers"][0]
    assert (again["LoadBalancerArn"], again["DNSName"]) == (arn, address)
    given = {"Name": name, "Subnets": stage.subnets, "Scheme": "internal"}
    assert refused(stage.elb.create_load_balancer, **given)[0] == "DuplicateLoadBalancerName"


def test_the_same_target_group_again_is_the_same(stage: Stage) -> None:
    arn = stage.group()
    given = {"Name": arn.split("/")[1], "Protocol": "HTTP", "VpcId": stage.vpc, "TargetType": "ip"}
    assert stage.elb.create_target_group(Port=8080, **given)["TargetGroups"][0]["TargetGroupArn"] == arn
    assert refused(stage.elb.create_target_group, Port=9090, **given)[0] == "DuplicateTargetGroupName"


def test_one_zone_is_not_enough(stage: Stage) -> None:
    given = {"Name": stage.unique("lb"), "Subnets": stage.subnets[:1]}
    assert refused(stage.elb.create_load_balancer, **given)[0] == "ValidationError"


def test_deletion_protection(stage: Stage) -> None:
    arn, _ = stage.balancer()

    def protect(value: str) -> None:
        attributes = [{"Key": "deletion_protection.enabled", "Value": value}]
        stage.elb.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=attributes)

    protect("true")
    assert refused(stage.elb.delete_load_balancer, LoadBalancerArn=arn)[0] == "OperationNotPermitted"
    protect("false")


def test_a_listener_port_of_the_same_load_balancer(stage: Stage) -> None:
    balancer, _ = stage.balancer()
    stage.listener(balancer, NOT_FOUND)
    given = {"LoadBalancerArn": balancer, "Protocol": "HTTP", "Port": 8080, "DefaultActions": [NOT_FOUND]}
    assert refused(stage.elb.create_listener, **given)[0] == "DuplicateListener"


def test_a_listener_port_of_another_program_names_it(stage: Stage) -> None:
    balancer, address = stage.balancer()
    with socket.create_server((address, 0)) as other:
        port = other.getsockname()[1]
        given = {"LoadBalancerArn": balancer, "Protocol": "HTTP", "Port": port, "DefaultActions": [NOT_FOUND]}
        code, message = refused(stage.elb.create_listener, **given)
    assert code == "InvalidConfigurationRequest"
    assert str(port) in message
    assert "pid" in message
    assert stage.elb.describe_listeners(LoadBalancerArn=balancer)["Listeners"] == []


def test_priorities(stage: Stage) -> None:
    balancer, _ = stage.balancer()
    listener = stage.listener(balancer, NOT_FOUND)
    first, second = stage.rule(listener, 1, NOT_FOUND), stage.rule(listener, 2, NOT_FOUND)
    given = {"ListenerArn": listener, "Actions": [NOT_FOUND], "Conditions": [ANY_PATH]}
    assert refused(stage.elb.create_rule, Priority=1, **given)[0] == "PriorityInUse"
    assert refused(stage.elb.create_rule, Priority=50_001, **given)[0] == "ValidationError"
    taken = [{"RuleArn": first, "Priority": 2}]
    assert refused(stage.elb.set_rule_priorities, RulePriorities=taken)[0] == "PriorityInUse"
    stage.elb.set_rule_priorities(RulePriorities=[*taken, {"RuleArn": second, "Priority": 1}])


def test_default_and_unknown_rules(stage: Stage) -> None:
    balancer, _ = stage.balancer()
    listener = stage.listener(balancer, NOT_FOUND)
    default = stage.elb.describe_rules(ListenerArn=listener)["Rules"][0]["RuleArn"]
    assert refused(stage.elb.delete_rule, RuleArn=default)[0] == "OperationNotPermitted"
    assert refused(stage.elb.delete_rule, RuleArn=f"{default}0")[0] == "RuleNotFound"


def test_a_target_group_in_use(stage: Stage) -> None:
    group = stage.group()
    balancer, _ = stage.balancer()
    listener = stage.listener(balancer, forward({group: 1}))
    assert refused(stage.elb.delete_target_group, TargetGroupArn=group)[0] == "ResourceInUse"
    described = stage.elb.describe_target_groups(TargetGroupArns=[group])["TargetGroups"][0]
    assert described["LoadBalancerArns"] == [balancer]
    other, _ = stage.balancer()
    given = {"LoadBalancerArn": other, "Protocol": "HTTP", "Port": 8080, "DefaultActions": [forward({group: 1})]}
    assert refused(stage.elb.create_listener, **given)[0] == "TargetGroupAssociationLimit"
    stage.elb.delete_listener(ListenerArn=listener)
    assert not stage.elb.describe_target_groups(TargetGroupArns=[group])["TargetGroups"][0].get("LoadBalancerArns")


def test_unknown_target_groups(stage: Stage) -> None:
    balancer, _ = stage.balancer()
    listener = stage.listener(balancer, NOT_FOUND)
    unknown = f"{stage.group()}0"
    given: dict[str, Any] = {"ListenerArn": listener, "DefaultActions": [forward({unknown: 1})]}
    assert refused(stage.elb.modify_listener, **given)[0] == "TargetGroupNotFound"
    targets = [{"Id": "127.64.0.1"}]
    for call in (stage.elb.register_targets, stage.elb.deregister_targets, stage.elb.describe_target_health):
        assert refused(call, TargetGroupArn=unknown, Targets=targets)[0] == "TargetGroupNotFound"


@pytest.mark.parametrize("weights", [(1000, 0), (-1, 1)])
def test_weights_out_of_range(stage: Stage, weights: tuple[int, int]) -> None:
    groups = (stage.group(), stage.group())
    balancer, _ = stage.balancer()
    listener = stage.listener(balancer, NOT_FOUND)
    given: dict[str, Any] = {"ListenerArn": listener, "Priority": 1, "Conditions": [ANY_PATH]}
    action = forward(dict(zip(groups, weights, strict=True)))
    assert refused(stage.elb.create_rule, Actions=[action], **given)[0] == "ValidationError"
    rule = stage.rule(listener, 1, forward(dict.fromkeys(groups, 999)))
    assert refused(stage.elb.modify_rule, RuleArn=rule, Actions=[action])[0] == "ValidationError"
    kept = stage.elb.describe_rules(RuleArns=[rule])["Rules"][0]["Actions"][0]["ForwardConfig"]["TargetGroups"]
    assert [one["Weight"] for one in kept] == [999, 999]


def test_stickiness_of_groups_needs_that_of_the_rule(stage: Stage) -> None:
    one, two = stage.group(), stage.group()
    attributes = [{"Key": "stickiness.enabled", "Value": "true"}, {"Key": "stickiness.type", "Value": "lb_cookie"}]
    stage.elb.modify_target_group_attributes(TargetGroupArn=one, Attributes=attributes)
    balancer, _ = stage.balancer()
    listener = stage.listener(balancer, NOT_FOUND)
    given: dict[str, Any] = {"ListenerArn": listener, "Priority": 1, "Conditions": [ANY_PATH]}
    code, message = refused(stage.elb.create_rule, Actions=[forward({one: 50, two: 50})], **given)
    assert code == "InvalidConfigurationRequest"
    assert "group stickiness" in message
    stage.elb.create_rule(Actions=[forward({one: 50, two: 50}, sticky=60)], **given)
    three, four = stage.group(), stage.group()
    stage.rule(listener, 2, forward({three: 1, four: 1}))
    again = refused(stage.elb.modify_target_group_attributes, TargetGroupArn=three, Attributes=attributes)
    assert again[0] == "InvalidConfigurationRequest"
    stage.delete_balancer(balancer)


@pytest.mark.parametrize(
    ("setting", "value"),
    [("HealthCheckIntervalSeconds", 4), ("HealthyThresholdCount", 1), ("UnhealthyThresholdCount", 11)],
)
def test_health_check_numbers(stage: Stage, setting: str, value: int) -> None:
    given = {"Name": stage.unique("tg"), "Protocol": "HTTP", "Port": 80, "VpcId": stage.vpc, "TargetType": "ip"}
    code, message = refused(stage.elb.create_target_group, **given, **{setting: value})
    assert code == "ValidationError"
    assert str(value) in message
    assert refused(stage.elb.modify_target_group, TargetGroupArn=stage.group(), **{setting: value})[0] == code


def test_what_the_data_plane_cannot_do_is_refused_and_named(stage: Stage) -> None:
    balancer, _ = stage.balancer()
    listener = stage.listener(balancer, NOT_FOUND)
    given: dict[str, Any] = {"ListenerArn": listener, "Priority": 1}
    regex = {"Field": "path-pattern", "PathPatternConfig": {"RegexValues": ["^/a+$"]}}
    code, message = refused(stage.elb.create_rule, Actions=[NOT_FOUND], Conditions=[regex], **given)
    assert (code, "RegexValues" in message) == ("ValidationError", True)


def test_targets_that_cannot_be(stage: Stage) -> None:
    group = stage.group()
    given: dict[str, Any] = {"TargetGroupArn": group}
    assert refused(stage.elb.register_targets, Targets=[{"Id": "name"}], **given)[0] == "ValidationError"
    too_high = [{"Id": "127.64.0.1", "Port": 70_000}]
    assert refused(stage.elb.register_targets, Targets=too_high, **given)[0] == "ValidationError"
    stage.elb.deregister_targets(Targets=[{"Id": "127.64.0.1"}], **given)  # as AWS: not registered is no error
