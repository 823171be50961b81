"""The one rule of how long a run may take: it gives up by itself before anybody ends its task."""

import math

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from app.settings import SettingsError
from migrations.locking.budgets import budgets
from rehearsal.trees import PROJECT

STACKS = [PROJECT / "Pulumi.local.yaml", PROJECT / "Pulumi.dev.yaml"]


def of(**environment):
    return budgets({name: str(value) for name, value in environment.items()})


def test_by_hand_the_budgets_are_three_and_ten_minutes():
    assert (of().lock["expand"], of().lock["contract"]) == (180, 600)
    assert (of().lock_timeout, of().longest_lock_timeout) == (0.1, 1.0)


@given(st.integers(1, 864_000))
def test_locks_end_before_the_phase_and_the_phase_before_the_task(seconds):
    found = of(MIGRATION_TASK_SECONDS=seconds)
    assert max(found.lock.values()) < found.phase < seconds
    assert found.phase >= seconds / 2
    assert found.until == found.began + found.phase


@given(st.integers(1, 864_000))
def test_what_is_ended_by_force_is_ended_before_the_task_is(seconds):
    found = of(MIGRATION_TASK_SECONDS=seconds)
    assert found.phase < found.phase + found.grace < seconds
    assert found.of_backfills == found


def test_a_backfill_by_hand_takes_as_long_as_it_takes():
    assert of().of_backfills.until == math.inf
    assert of().until < math.inf


@pytest.mark.parametrize("stack", STACKS, ids=lambda file: file.name)
def test_a_contract_fits_into_the_timeout_of_each_stack(stack):
    config = yaml.safe_load(stack.read_text(encoding="utf-8"))["config"]
    timeout = int(config.get("bluegreen:timeoutSeconds", 900))
    found = of(MIGRATION_TASK_SECONDS=timeout)
    assert found.lock["contract"] <= 600
    # Room for the container to start, for a statement of the usual limit, and to say how it ended.
    assert timeout - found.lock["contract"] >= 30 + 10


def test_a_budget_of_ones_own_is_cut_to_what_fits():
    assert of(MIGRATION_LOCK_BUDGET_SECONDS=60).lock == {"expand": 60, "contract": 60, "backfill": 60}
    assert of(MIGRATION_LOCK_BUDGET_SECONDS=3600, MIGRATION_TASK_SECONDS=240).lock["contract"] == 0.8 * (240 - 48)


def test_lock_timeouts():
    found = of(MIGRATION_LOCK_TIMEOUT_MILLISECONDS=2000)
    assert (found.lock_timeout, found.longest_lock_timeout) == (2.0, 2.0)
    found = of(MIGRATION_LOCK_TIMEOUT_MILLISECONDS=50, MIGRATION_LOCK_TIMEOUT_MAX_MILLISECONDS=300)
    assert (found.lock_timeout, found.longest_lock_timeout) == (0.05, 0.3)


@pytest.mark.parametrize(
    "environment",
    [
        {"MIGRATION_TASK_SECONDS": 0},
        {"MIGRATION_LOCK_TIMEOUT_MILLISECONDS": 0},
        {"MIGRATION_LOCK_TIMEOUT_MILLISECONDS": 500, "MIGRATION_LOCK_TIMEOUT_MAX_MILLISECONDS": 400},
    ],
)
def test_what_makes_no_sense_is_named(environment):
    with pytest.raises(SettingsError, match=list(environment)[-1]):
        of(**environment)
