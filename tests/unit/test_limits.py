"""Limits that lie in different parts and must nest: the load balancer's, the application's, ECS's."""

from app.server import GRACEFUL_SECONDS, KEEP_ALIVE_SECONDS
from infra.containers import PORT, STOP_SECONDS, USER
from infra.load_balancer import IDLE_SECONDS
from tests.unit.program import ROOT


def test_the_application_keeps_an_idle_connection_longer_than_the_load_balancer() -> None:
    assert KEEP_ALIVE_SECONDS > IDLE_SECONDS


def test_the_application_has_finished_before_ecs_kills_it() -> None:
    assert GRACEFUL_SECONDS < STOP_SECONDS <= 120  # 120: the most that Fargate gives


def test_the_image_is_made_for_the_user_and_port_of_the_task() -> None:
    lines = (ROOT / "app/Dockerfile").read_text().splitlines()
    assert f"USER {USER}" in lines
    assert f"EXPOSE {PORT}" in lines
