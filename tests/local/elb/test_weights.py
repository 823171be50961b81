"""Weights as a client of the load balancer sees them."""

from __future__ import annotations

import http.client
from collections import Counter

import pytest

from tests.local.elb.elb_load import Client, Flips
from tests.local.elb.elb_stage import NOT_FOUND, Site, Stage, forward, request
from tests.support.until import until

pytestmark = pytest.mark.slow


@pytest.fixture
def colors(stage: Stage) -> tuple[Site, Site, str, str]:
    """Two sites, each in its own target group."""
    blue, green = stage.site("blue"), stage.site("green")
    return blue, green, stage.group(blue), stage.group(green)


def test_flips_under_load_lose_nothing_and_leave_no_stale_answer(
    stage: Stage, colors: tuple[Site, Site, str, str]
) -> None:
    _, _, blues, greens = colors
    balancer, address = stage.balancer()
    rule = stage.rule(stage.listener(balancer, NOT_FOUND), 100, forward({blues: 100, greens: 0}))
    stage.healthy(blues)
    stage.healthy(greens)
    flips = Flips()
    clients = [Client(address, flips) for _ in range(3)]
    for turn in range(1, 61):
        green = 100 if turn % 2 else 0
        flips.begun = turn
        stage.elb.modify_rule(RuleArn=rule, Actions=[forward({blues: 100 - green, greens: green})])
        flips.returned = turn
        seen = sum(len(client.answers) for client in clients)
        until(lambda seen=seen: sum(len(client.answers) for client in clients) > seen + 8)
    answers = [answer for client in clients for answer in client.stop()]
    assert {status for _, _, status, _ in answers} == {200}
    # Sent after flip n had returned and answered before the next one began: only the color of flip n is right.
    settled = [(sent, body) for sent, begun, _, body in answers if sent == begun]
    assert len(settled) > 200
    assert [(sent, body) for sent, body in settled if body != ("green" if sent % 2 else "blue")] == []


def test_a_flip_is_exact_for_the_next_request(stage: Stage, colors: tuple[Site, Site, str, str]) -> None:
    _, _, blues, greens = colors
    balancer, address = stage.balancer()
    rule = stage.rule(stage.listener(balancer, NOT_FOUND), 100, forward({blues: 100, greens: 0}))
    stage.healthy(blues)
    stage.healthy(greens)
    kept = http.client.HTTPConnection(address, 8080, timeout=15)
    for turn in range(40):
        color = "green" if turn % 2 else "blue"
        weights = {blues: 0, greens: 100} if turn % 2 else {blues: 100, greens: 0}
        stage.elb.modify_rule(RuleArn=rule, Actions=[forward(weights)])
        kept.request("GET", "/")
        assert kept.getresponse().read().decode() == color
        assert {request(address).body for _ in range(3)} == {color}
    kept.close()


def test_default_actions_and_priorities_take_effect_before_the_call_returns(
    stage: Stage, colors: tuple[Site, Site, str, str]
) -> None:
    _, _, blues, greens = colors
    balancer, address = stage.balancer()
    listener = stage.listener(balancer, forward({blues: 1}))
    stage.healthy(blues)
    assert request(address).body == "blue"
    stage.elb.modify_listener(ListenerArn=listener, DefaultActions=[NOT_FOUND])
    assert (request(address).status, request(address).body) == (404, "nothing here")
    first, second = stage.rule(listener, 1, forward({blues: 1})), stage.rule(listener, 2, forward({greens: 1}))
    stage.healthy(greens)
    assert request(address).body == "blue"
    stage.elb.set_rule_priorities(
        RulePriorities=[{"RuleArn": first, "Priority": 2}, {"RuleArn": second, "Priority": 1}]
    )
    assert request(address).body == "green"
    stage.elb.delete_rule(RuleArn=second)
    assert request(address).body == "blue"
    stage.elb.delete_rule(RuleArn=first)
    assert request(address).status == 404


def test_shares_follow_the_weights(stage: Stage, colors: tuple[Site, Site, str, str]) -> None:
    _, _, blues, greens = colors
    balancer, address = stage.balancer()
    stage.listener(balancer, forward({blues: 90, greens: 10}))
    stage.healthy(blues)
    stage.healthy(greens)
    count = Counter(request(address).body for _ in range(400))
    # Mean 40, standard deviation 6: outside this range once in many millions.
    assert 8 <= count["green"] <= 80
    assert count.total() == 400


def test_weights_of_zero_everywhere_are_503(stage: Stage, colors: tuple[Site, Site, str, str]) -> None:
    _, _, blues, greens = colors
    balancer, address = stage.balancer()
    stage.listener(balancer, forward({blues: 0, greens: 0}))
    stage.healthy(blues)
    assert request(address).status == 503


def test_sticky_clients_stay_until_their_color_has_no_weight(stage: Stage, colors: tuple[Site, Site, str, str]) -> None:
    _, _, blues, greens = colors
    balancer, address = stage.balancer()
    listener = stage.listener(balancer, forward({blues: 50, greens: 50}, sticky=60))
    stage.healthy(blues)
    stage.healthy(greens)
    cookies = {}
    while len(cookies) < 2:  # one client on each color
        answer = request(address)
        cookies[answer.body] = answer.headers["set-cookie"].split(";")[0]
        assert answer.headers["set-cookie"].endswith("; Max-Age=60; Path=/")
    for color, cookie in cookies.items():
        assert {request(address, cookie=f"a=b; {cookie}").body for _ in range(10)} == {color}
    stage.elb.modify_listener(ListenerArn=listener, DefaultActions=[forward({blues: 0, greens: 100}, sticky=60)])
    assert {request(address, cookie=cookie).body for cookie in cookies.values() for _ in range(5)} == {"green"}
