"""Weights as a client of the load balancer sees them."""

from __future__ import annotations

import pytest

from tests.local.elb.elb_stage import NOT_FOUND, Stage, forward, request

pytestmark = pytest.mark.slow


def test_a_flip_is_exact_for_the_next_request(stage: Stage) -> None:
    blue, green = stage.site("blue"), stage.site("green")
    blues, greens = stage.group(blue), stage.group(green)
    balancer, address = stage.balancer()
    listener = stage.listener(balancer, NOT_FOUND)
    rule = stage.rule(listener, 100, forward({blues: 100, greens: 0}))
    stage.healthy(blues)
    stage.healthy(greens)
    for turn in range(50):
        weights = {blues: 0, greens: 100} if turn % 2 else {blues: 100, greens: 0}
        stage.elb.modify_rule(RuleArn=rule, Actions=[forward(weights)])
        answers = {request(address).body for _ in range(4)}
        assert answers == {"green" if turn % 2 else "blue"}
