"""A contract is held back while the old color answered a request not long ago. Over gRPC, fake AWS."""

import datetime
import re
import time

import pytest

from tests.provider.holding_back import (
    DELAY,
    PERIOD,
    QUIET,
    RESULT,
    answered,
    contract,
    contracts,
    gone,
    inputs,
    refused,
    without_evidence,
)
from tests.provider.plugin_process import Error
from tests.provider.task_script import TaskScript

__all__ = ["gone"]  # a fixture
pytestmark = pytest.mark.slow


def test_it_answered_a_request_not_long_ago(plugin, gone):
    end = answered(gone, 12, ago=120)
    shown = datetime.datetime.fromtimestamp(end, datetime.UTC).strftime("%H:%M:%S")
    text = refused(plugin, gone, f"blue answered 12 requests in the last 540 s, the last one before {shown} UTC")
    assert "expected none for 300 s" in text
    wait = int(re.search(r"Run `pulumi up` again in (\d+) s", text).group(1))
    # The end of that minute, the quiet time, and the time that the metric may be late.
    assert abs(end + QUIET + DELAY - time.time() - wait) < 15
    without_evidence(plugin, gone)
    assert contract(plugin, gone, quietSeconds=0)["exitCode"] == 0


def test_a_minute_that_may_not_have_arrived_yet_is_no_proof(plugin, gone):
    """Quiet for longer than asked for, as far as is seen; but the last minutes may still be on their way."""
    answered(gone, 1, ago=QUIET + PERIOD)
    refused(plugin, gone, "blue answered 1 request in the last")
    assert contract(plugin, gone, delaySeconds=0)["exitCode"] == 0


def test_a_minute_that_began_before_the_quiet_time_and_ended_in_it_counts(plugin, gone):
    began = 5  # seconds before the stretch that must be quiet; so 55 s of that minute are in it
    quiet = QUIET + (time.time() - QUIET - DELAY - began) % PERIOD
    answered(gone, 1, ago=quiet + DELAY)
    refused(plugin, gone, "blue answered 1 request in the last", quietSeconds=quiet)


def test_what_only_time_mends_is_not_waited_for_where_a_person_is_needed_too(plugin, gone):
    answered(gone, 3, ago=0)
    gone.set_weights(5, 95)
    before = len(plugin.lines.lasting())
    refused(plugin, gone, "blue has weight 5", "blue answered 3 requests", waitSeconds=900)
    assert not [line for line in plugin.lines.lasting()[before:] if "waits up to" in line]


def test_what_it_answered_long_ago_or_the_other_color_answered_is_no_matter(plugin, gone):
    answered(gone, 5, ago=QUIET + DELAY + 2 * PERIOD + 5)
    answered(gone, 5, ago=10, group="green")
    contracts(plugin, gone)


def test_the_quiet_time_is_waited_for_where_there_is_time(plugin, gone):
    answered(gone, 3, ago=0)
    gone.fake.scripts = [TaskScript.ends(0, RESULT)]
    gone.fake.calls.clear()
    few = {"quietSeconds": 1, "delaySeconds": 0}
    call = plugin.begin("TaskRun", plugin.checked("TaskRun", inputs(gone, waitSeconds=80, **few)))
    plugin.lines.wait_for("migrations: contract waits up to")
    plugin.lines.wait_for("blue answered 3 requests")
    assert gone.fake.count("run_task") == 0
    gone.set_weights(5, 95)  # meanwhile somebody gives it weight: no clock mends that
    with pytest.raises(Error) as failed:
        plugin.finish(call)
    assert "blue has weight 5" in failed.value.text
    assert gone.fake.count("run_task") == 0


def test_a_cancel_ends_the_wait_and_starts_nothing(plugin, gone):
    answered(gone, 3, ago=0)
    call = plugin.begin("TaskRun", plugin.checked("TaskRun", inputs(gone, waitSeconds=900)))
    plugin.lines.wait_for("migrations: contract waits up to")
    plugin.cancel()
    with pytest.raises(Error) as failed:
        plugin.finish(call)
    assert "contract was not started: canceled while it waited for blue. Nothing was changed" in failed.value.text
    assert gone.fake.count("run_task") == 0
