"""What the provider asks before a contract: when a color last answered, from real requests through Envoy."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from provider.answered import Answers, answers
from provider.aws import Aws
from tests.local.elb.elb_stage import Stage, forward, request
from tests.support.until import until

pytestmark = pytest.mark.slow

PERIOD = 5  # the embedded AWS keeps its metrics in so many seconds


@pytest.fixture
def asked(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Answers]:
    """`answers` as the plugin asks it."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    aws = Aws("eu-west-1", stage.cloudwatch.meta.endpoint_url, threading.Event())
    return lambda rule, group, period=PERIOD: answers(aws, rule, group, seconds=120, period=period)


def test_requests_of_one_color_and_the_end_of_the_period_they_were_in(
    stage: Stage, asked: Callable[..., Answers]
) -> None:
    blue, green = stage.site("blue"), stage.site("green")
    groups = {"blue": stage.group(blue), "green": stage.group(green)}
    balancer, address = stage.balancer()
    listener = stage.listener(balancer, forward({groups["blue"]: 1}))
    rule = stage.rule(listener, 1, forward({groups["blue"]: 1, groups["green"]: 0}))
    stage.healthy(groups["blue"])
    assert asked(rule, groups["blue"]).count == 0
    assert asked(rule, groups["blue"]).until == 0
    begun = time.time()
    for _ in range(3):
        assert request(address).body == "blue"
    ended = time.time()
    until(lambda: asked(rule, groups["blue"]).count == 3)
    seen = asked(rule, groups["blue"])
    assert begun < seen.until < ended + PERIOD + 1
    assert seen.until % PERIOD == 0
    assert ended - 1 <= seen.now <= time.time() + 1  # the server's clock, in whole seconds
    by_minute = asked(rule, groups["blue"], 60)
    assert (by_minute.count, by_minute.until % 60) == (3, 0)
    assert seen.until <= by_minute.until
    assert asked(rule, groups["green"]).count == 0
