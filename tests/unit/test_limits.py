"""What lies in different parts and must nest or be equal: load balancer, application, ECS, program, provider."""

import pytest

from app import settings as app_settings
from app.server import GRACEFUL_SECONDS, KEEP_ALIVE_SECONDS
from infra.containers import PORT, STOP_SECONDS, USER
from infra.load_balancer import IDLE_SECONDS
from infra.setting_keys import KEYS, REGION_PATTERN, VERSION_PATTERN
from provider import defaults
from tests.unit.program import ROOT


def test_the_application_keeps_an_idle_connection_longer_than_the_load_balancer() -> None:
    assert KEEP_ALIVE_SECONDS > IDLE_SECONDS


def test_the_application_has_finished_before_ecs_kills_it() -> None:
    assert GRACEFUL_SECONDS < STOP_SECONDS <= 120  # 120: the most that Fargate gives


def test_the_image_is_made_for_the_user_and_port_of_the_task() -> None:
    lines = (ROOT / "app/Dockerfile").read_text().splitlines()
    assert f"USER {USER}" in lines
    assert f"EXPOSE {PORT}" in lines


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("timeoutSeconds", defaults.TIMEOUT_SECONDS),
        ("bakeSeconds", defaults.BAKE_SECONDS),
        ("steps", list(defaults.STEPS)),
        ("previous", defaults.PREVIOUS),
        ("onFailure", defaults.ON_FAILURE),
        ("contractQuietSeconds", defaults.QUIET_SECONDS),
        ("metricPeriodSeconds", defaults.METRIC_PERIOD_SECONDS),
        ("metricDelaySeconds", defaults.METRIC_DELAY_SECONDS),
    ],
)
def test_a_setting_left_out_is_what_the_provider_takes_where_an_input_is_left_out(key: str, value: object) -> None:
    assert next(each.default for each in KEYS if each.name == key) == value


def test_the_provider_takes_every_count_that_can_be_set() -> None:
    check = next(each.check for each in KEYS if each.name == "desiredCount")
    assert check(defaults.MOST_TASKS + 1) is not None


def test_versions_and_regions_look_the_same_to_program_provider_and_application() -> None:
    assert defaults.VERSION == VERSION_PATTERN == app_settings._VERSION.pattern
    assert defaults.REGION == REGION_PATTERN


@pytest.mark.parametrize("version", [".v1", "-v1", "", "v 1", "v" * 129])
def test_a_version_that_no_image_tag_can_be_is_refused(version: str) -> None:
    with pytest.raises(app_settings.SettingsError):
        app_settings.version({"APP_VERSION": version})
