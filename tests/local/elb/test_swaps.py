"""Targets replaced one by one under load, as a rolling deployment does it: nothing is lost, with no retry anywhere."""

from __future__ import annotations

import pytest

from tests.local.elb.elb_load import Client, Flips
from tests.local.elb.elb_stage import Stage, forward
from tests.support.until import until

pytestmark = pytest.mark.slow


def test_replacing_targets_under_load_loses_nothing(stage: Stage) -> None:
    sites = [stage.site(f"v1-{number}") for number in range(3)]
    group = stage.group(*sites, delay=30)
    balancer, address = stage.balancer()
    stage.listener(balancer, forward({group: 1}))
    stage.healthy(group)
    clients = [Client(address, Flips()) for _ in range(4)]
    for number, old in enumerate(sites):
        new = stage.site(f"v2-{number}")
        stage.balancing.register(group, new.address, 8080)
        until(lambda new=new: stage.balancing.health(group, new.address, 8080).state == "healthy")
        stage.balancing.deregister(group, old.address, 8080)
        until(lambda old=old: stage.balancing.drained(group, old.address, 8080))
        old.close()  # its port is closed at once, as that of a server that was told to end
        seen = sum(len(client.answers) for client in clients)
        until(lambda seen=seen: sum(len(client.answers) for client in clients) > seen + 100)
    answers = [answer for client in clients for answer in client.stop()]
    assert [answer for answer in answers if answer[2] != 200] == []
    assert {body for _, _, _, body in answers[-20:]} <= {"v2-0", "v2-1", "v2-2"}
