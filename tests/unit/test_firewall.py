"""Who may talk to whom, as a table."""

import re

import pytest

from infra.firewall import Firewall, FirewallArgs
from tests.unit.program import run_part
from tests.unit.recording import Recording

GROUP = "aws:ec2/securityGroup:SecurityGroup"
IN, OUT = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule", "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"  # fmt: skip # noqa: E501
Rule = tuple[str, str, int, str]


def firewall(**changes: object) -> Recording:
    usual = {
        "vpc_id": "vpc-1",
        "production_ports": (80,),
        "test_port": 8081,
        "task_port": 8080,
        "database_port": 5432,
        "internal": False,
        "allowed_cidrs": ("0.0.0.0/0",),
        "nat_address": "198.51.100.7",
    }
    return run_part(lambda: Firewall("fw", FirewallArgs(**{**usual, **changes})))


def rules(recording: Recording) -> set[Rule]:
    return {
        (
            "in" if each.type == IN else "out",
            each.inputs["securityGroupId"].removeprefix("fw-").removesuffix("-id"),
            each.inputs["fromPort"],
            each.inputs.get("cidrIpv4")
            or each.inputs["referencedSecurityGroupId"].removeprefix("fw-").removesuffix("-id"),
        )
        for each in (*recording.of(IN), *recording.of(OUT))
    }


INSIDE: set[Rule] = {
    ("out", "load-balancer", 8080, "tasks"),
    ("in", "tasks", 8080, "load-balancer"),
    ("out", "tasks", 5432, "database"),
    ("in", "database", 5432, "tasks"),
    ("out", "tasks", 443, "0.0.0.0/0"),
}


def test_an_internet_facing_load_balancer_is_tested_through_nat() -> None:
    assert rules(firewall()) == INSIDE | {
        ("in", "load-balancer", 80, "0.0.0.0/0"),
        ("in", "load-balancer", 8081, "198.51.100.7/32"),
        ("out", "tasks", 8081, "0.0.0.0/0"),
    }


def test_an_internal_load_balancer_is_tested_from_the_tasks() -> None:
    assert rules(firewall(internal=True, nat_address=None, allowed_cidrs=("10.0.0.0/8",))) == INSIDE | {
        ("in", "load-balancer", 80, "10.0.0.0/8"),
        ("in", "load-balancer", 8081, "tasks"),
        ("out", "tasks", 8081, "load-balancer"),
    }


def test_each_listener_and_range_has_its_rule() -> None:
    found = rules(
        firewall(
            production_ports=(443, 80),
            allowed_cidrs=("192.0.2.0/24", "198.51.100.0/24"),
            test_allowed_cidrs=("203.0.113.0/24",),
        )
    )
    assert {rule[2:] for rule in found if rule[:2] == ("in", "load-balancer")} == {
        (443, "192.0.2.0/24"),
        (443, "198.51.100.0/24"),
        (80, "192.0.2.0/24"),
        (80, "198.51.100.0/24"),
        (8081, "203.0.113.0/24"),
        (8081, "198.51.100.7/32"),
    }


@pytest.mark.parametrize("internal", [True, False])
def test_only_the_clients_listeners_are_open_to_the_world(internal: bool) -> None:
    world = {rule for rule in rules(firewall(internal=internal)) if rule[0] == "in" and rule[3] == "0.0.0.0/0"}
    assert world == {("in", "load-balancer", 80, "0.0.0.0/0")}


def test_no_rule_is_inside_a_group() -> None:
    for each in firewall().of(GROUP):
        assert not {"ingress", "egress"} & set(each.inputs), each.name


def test_every_rule_is_one_port_and_says_what_for() -> None:
    found = firewall()
    for each in (*found.of(IN), *found.of(OUT)):
        assert each.inputs["fromPort"] == each.inputs["toPort"]
        assert each.inputs["ipProtocol"] == "tcp"
        assert each.inputs["description"]
    assert all(each.inputs["description"] for each in found.of(GROUP))


def test_descriptions_hold_only_what_ec2_allows() -> None:
    # EC2 API reference, AuthorizeSecurityGroupIngress: no apostrophe, for one.
    allowed = re.compile(r"[a-zA-Z0-9. _\-:/()#,@\[\]+=&;{}!$*]{1,255}")
    found = firewall(test_allowed_cidrs=("203.0.113.0/24",))
    texts = [each.inputs["description"] for each in (*found.of(IN), *found.of(OUT), *found.of(GROUP))]
    assert not [text for text in texts if not allowed.fullmatch(text)]
