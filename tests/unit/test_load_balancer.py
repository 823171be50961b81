"""Listeners and rules: both colors always in the one weighted rule, tests kept apart from clients."""

import pytest

from infra.load_balancer import LoadBalancer, LoadBalancerArgs
from tests.unit.program import run_part
from tests.unit.recording import Recording

LISTENER, RULE = "aws:lb/listener:Listener", "aws:lb/listenerRule:ListenerRule"
CERTIFICATE = "arn:aws:acm:eu-west-1:123456789012:certificate/1"


def load_balancer(**changes: object) -> tuple[Recording, list[LoadBalancer]]:
    usual = {
        "prefix": "bluegreen-test",
        "subnet_ids": ["subnet-1", "subnet-2"],
        "security_group_id": "sg-1",
        "target_group_arns": {"blue": "arn:blue", "green": "arn:green"},
        "port": 80,
        "test_port": 8081,
        "redirect_port": 80,
        "certificate_arn": None,
        "host_name": None,
        "internal": False,
        "protect": True,
    }
    made: list[LoadBalancer] = []
    recording = run_part(lambda: made.append(LoadBalancer("traffic", LoadBalancerArgs(**{**usual, **changes}))))
    return recording, made


@pytest.fixture(scope="module")
def recording() -> Recording:
    return load_balancer()[0]


def test_the_weighted_rule_names_both_colors_and_starts_on_blue(recording: Recording) -> None:
    rule = recording.one(RULE, "traffic-traffic")
    assert rule.inputs["actions"] == [
        {
            "type": "forward",
            "forward": {"targetGroups": [{"arn": "arn:blue", "weight": 100}, {"arn": "arn:green", "weight": 0}]},
        }
    ]
    assert rule.inputs["conditions"] == [{"pathPattern": {"values": ["/*"]}}]


def test_the_weights_have_another_owner(recording: Recording) -> None:
    assert recording.one(RULE, "traffic-traffic").ignore_changes == ("actions",)


def test_the_test_listener_picks_a_color_by_header(recording: Recording) -> None:
    for color in ("blue", "green"):
        rule = recording.one(RULE, f"traffic-test-{color}")
        assert rule.inputs["listenerArn"].endswith("traffic-test")
        assert rule.inputs["conditions"] == [{"httpHeader": {"httpHeaderName": "bluegreen-color", "values": [color]}}]
        assert rule.inputs["actions"] == [{"type": "forward", "targetGroupArn": f"arn:{color}"}]
        assert rule.ignore_changes == ()


def test_priorities_are_fixed_and_differ_on_each_listener(recording: Recording) -> None:
    found = [(each.inputs["listenerArn"], each.inputs["priority"]) for each in recording.of(RULE)]
    assert len(set(found)) == len(found)
    assert all(isinstance(priority, (int, float)) for _, priority in found)


def test_a_request_for_no_color_is_answered_404(recording: Recording) -> None:
    for each in recording.of(LISTENER):
        assert each.inputs["defaultActions"][0]["type"] == "fixed-response"
        assert each.inputs["defaultActions"][0]["fixedResponse"]["statusCode"] == "404"


def test_requests_that_could_be_smuggled_are_dropped(recording: Recording) -> None:
    inputs = recording.one("aws:lb/loadBalancer:LoadBalancer").inputs
    assert (inputs["dropInvalidHeaderFields"], inputs["desyncMitigationMode"]) == (True, "defensive")
    assert inputs["subnets"] == ["subnet-1", "subnet-2"]


def test_without_a_certificate_there_are_two_plain_listeners(recording: Recording) -> None:
    listeners = {each.name: (each.inputs["port"], each.inputs["protocol"]) for each in recording.of(LISTENER)}
    assert listeners == {"traffic-production": (80, "HTTP"), "traffic-test": (8081, "HTTP")}


def test_with_a_certificate_both_speak_tls_and_http_leads_there() -> None:
    found, _ = load_balancer(certificate_arn=CERTIFICATE, host_name="orders.example.com", port=443)
    listeners = {each.name: each.inputs for each in found.of(LISTENER)}
    assert {name: (each["port"], each["protocol"]) for name, each in listeners.items()} == {
        "traffic-production": (443, "HTTPS"),
        "traffic-test": (8081, "HTTPS"),
        "traffic-redirect": (80, "HTTP"),
    }
    for name in ("traffic-production", "traffic-test"):
        assert listeners[name]["certificateArn"] == CERTIFICATE
        assert listeners[name]["sslPolicy"].startswith("ELBSecurityPolicy-TLS13-1-2-")
    redirect = listeners["traffic-redirect"]["defaultActions"][0]["redirect"]
    assert redirect == {"port": "443", "protocol": "HTTPS", "statusCode": "HTTP_301"}
