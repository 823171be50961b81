"""`TaskRun` with `skip` or an empty `pending`: nothing runs, nothing differs, and what is on record stays."""

import json

import pytest

from provider.rpc.values import UNKNOWN
from tests.provider.plugin_process import Error
from tests.provider.task_script import TaskScript

pytestmark = pytest.mark.slow

RESULT = json.dumps({"result": {"backfills": {"b0001": {"rows": 3}}}})
NOTHING = ({"skip": True}, {"pending": []}, {"skip": False, "pending": []}, {"skip": True, "pending": ["b0001"]})
SOMETHING = ({}, {"skip": False}, {"pending": ["b0001"]}, {"skip": False, "pending": ["b0001"]})


@pytest.fixture
def defined(stack):
    stack.define("blue", "v1")
    stack.define("green", "v2")
    return stack


def inputs(plugin, stack, trigger="v2", **more):
    return plugin.checked("TaskRun", stack.task(trigger, **more))


@pytest.mark.parametrize("nothing", NOTHING)
def test_the_first_run_can_be_skipped_and_is_not_taken_for_a_success(plugin, defined, fake, nothing):
    skipped = inputs(plugin, defined, "v1", **nothing)
    state = plugin.create("TaskRun", skipped)
    assert fake.count("run_task") == 0
    assert (state["result"], state["seconds"], "exitCode" in state) == ({}, 0, False)
    assert plugin.diff("TaskRun", skipped, skipped, state) == []
    assert plugin.diff("TaskRun", skipped, inputs(plugin, defined, "v1"), state) == ["exitCode"]


@pytest.mark.parametrize("nothing", NOTHING)
def test_a_rollback_differs_in_nothing_and_keeps_the_record(plugin, defined, fake, nothing):
    defined.fake.scripts = [TaskScript.ends(0, RESULT)]
    ran = inputs(plugin, defined, "v2", pending=["b0001"])
    state = plugin.create("TaskRun", ran)
    back = inputs(plugin, defined, "v1", color="green", **nothing)
    assert plugin.diff("TaskRun", ran, back, state) == []
    # Asked all the same, as `pulumi up --target-replace` may: the record stays.
    assert plugin.update("TaskRun", back, state, ran) == state
    assert fake.count("run_task") == 1


@pytest.mark.parametrize("something", SOMETHING)
def test_twin_without_it_a_rollback_would_run(plugin, defined, fake, something):
    defined.fake.scripts = [TaskScript.ends(0, RESULT), TaskScript.ends(0, RESULT)]
    ran = inputs(plugin, defined, "v2", pending=["b0001"])
    state = plugin.create("TaskRun", ran)
    back = inputs(plugin, defined, "v1", **something)
    assert plugin.diff("TaskRun", ran, back, state) == ["trigger"]
    plugin.update("TaskRun", back, state, ran)
    assert fake.count("run_task") == 2


def test_an_interrupted_one_waits_through_a_rollback_and_then_runs_again(plugin, defined, fake):
    defined.fake.scripts = [TaskScript.ends(143, "10 of 20 rows")]
    wanted = inputs(plugin, defined, "v2", pending=["b0001"])
    with pytest.raises(Error) as failed:
        plugin.create("TaskRun", wanted)
    back = inputs(plugin, defined, "v1", skip=True)
    assert plugin.diff("TaskRun", wanted, back, failed.value.kept) == []
    # The engine has noted the inputs of the rollback meanwhile, and the state of the run before it.
    assert plugin.diff("TaskRun", back, wanted, failed.value.kept) == ["exitCode"]
    defined.fake.scripts = [TaskScript.ends(0, RESULT)]
    assert plugin.update("TaskRun", wanted, failed.value.kept, back)["exitCode"] == 0
    assert fake.count("run_task") == 2


def test_what_ran_before_a_skip_is_what_counts_after_it(plugin, defined):
    defined.fake.scripts = [TaskScript.ends(0, RESULT)]
    ran = inputs(plugin, defined, "v2", pending=["b0001"])
    state = plugin.create("TaskRun", ran)
    skipped = inputs(plugin, defined, "v3", skip=True)
    assert plugin.diff("TaskRun", skipped, inputs(plugin, defined, "v2"), state) == []
    assert plugin.diff("TaskRun", skipped, inputs(plugin, defined, "v3"), state) == ["trigger"]


def test_a_preview_that_cannot_know_says_so(plugin, defined, fake):
    asked = inputs(plugin, defined, "v2", pending=UNKNOWN)
    plugin.create("TaskRun", asked, preview=True)
    plugin.lines.wait_for("whether it runs is known once the runs before it have said what is left")
    known = inputs(plugin, defined, "v2", skip=True, pending=UNKNOWN)
    assert plugin.diff("TaskRun", inputs(plugin, defined, "v1"), known, {"exitCode": 0}) == []
    assert fake.count("run_task") == 0


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [({"skip": "yes"}, "skip"), ({"pending": "b0001"}, "pending"), ({"pending": [""]}, "pending")],
)
def test_wrong_inputs_are_refused(plugin, defined, wrong, expected):
    _, failures = plugin.check("TaskRun", defined.task("v2", **wrong))
    assert list(failures) == [expected]
