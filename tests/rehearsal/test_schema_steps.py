"""The steps in which the schema moves must fail when what they promise is not so."""

import threading

import pytest

from rehearsal import schema
from rehearsal.acting import StepError
from rehearsal.engine import Outcome
from tests.rehearsal.play import Play


@pytest.fixture
def play(tmp_path):
    play = Play()
    play.outcome = Outcome(began=100.0, seconds=5.0, log=tmp_path / "01-up.jsonl")
    play.outcome.log.write_text("not queueing for orders")
    return play


@pytest.fixture
def short(monkeypatch):
    """The table is held for a moment only, so the stand-in's `up` has to wait for its end."""
    monkeypatch.setattr(schema, "BLOCK_SECONDS", 0.01)


def until_free(play):
    deadline = 500
    while "rollback" not in play.statements and deadline:
        deadline -= 1
        play.waiting.wait(0.01)


@pytest.fixture
def held(play):
    play.waiting = threading.Event()
    play.during_up = lambda: until_free(play)
    return play


@pytest.mark.usefixtures("short")
def test_a_blocked_expand_waits_and_says_so(held):
    detail, outcome = held.story.schema.blocked_expand("v2")
    assert detail.startswith("v2 serves (v-2)")
    assert outcome is held.outcome
    assert "INSERT INTO orders" in held.statements[0]
    began, ended = held.story.schema.blocked
    assert ended > began
    held.statements.clear()
    held.outcome.log.write_text("expand e0002 applied")
    with pytest.raises(StepError, match="did not say that it waits"):
        held.story.schema.blocked_expand("v2")


def test_an_expand_that_did_not_wait_is_told(play, monkeypatch):
    monkeypatch.setattr(schema, "BLOCK_SECONDS", 30.0)
    with pytest.raises(StepError, match="while the table was held"):
        play.story.schema.blocked_expand("v2")


@pytest.mark.parametrize(
    ("left", "record", "says"),
    [
        (3, [(40_000, 2.0)], "3 rows of orders are not filled"),
        (0, [], "schema_backfills says"),
        (0, [(29_999, 2.0)], "with at least 30000 rows"),
    ],
)
def test_a_backfill_is_looked_at_in_the_database(play, left, record, says):
    play.answers = {"amount_cents IS NULL": [(left,)], "schema_backfills": record}
    with pytest.raises(StepError, match=says):
        play.story.schema.backfilled()
    play.answers = {"amount_cents IS NULL": [(0,)], "schema_backfills": [(30_500, 2.04)]}
    assert play.story.schema.backfilled() == "30500 rows in 2.0 s under load, 0 left"


REFUSED = "contract c0001 was not started: blue has 1 running or pending task: blue-by-hand (v-1, RUNNING)"


def test_a_contract_waits_for_a_task_by_hand(play):
    play.outcome.code, play.outcome.errors = 1, [REFUSED]
    said = play.story.schema.contract_refused("v1")
    assert "nothing was removed; it says: blue has 1 running or pending task: blue-by-hand" in said
    assert play.ran == [{"previous": "retired"}]
    assert play.stopped == ["arn:task/blue-by-hand"]


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda play: setattr(play.outcome, "code", 0), "succeeded, expected it to fail"),
        (lambda play: play.outcome.errors.__setitem__(0, "the disk is full"), "does not say"),
        (lambda play: play.outcome.errors.__setitem__(0, REFUSED.replace("v-1", "v-9")), "does not say 'v-1'"),
        (lambda play: play.columns.discard("price"), "is gone while a task of v1 runs"),
    ],
)
def test_a_contract_that_did_not_wait_rightly_is_told_and_the_task_is_stopped(play, spoil, says):
    play.outcome.code, play.outcome.errors = 1, [REFUSED]
    play.drops = set()
    spoil(play)
    with pytest.raises(StepError, match=says):
        play.story.schema.contract_refused("v1")
    assert play.stopped == ["arn:task/blue-by-hand"]


def test_a_task_by_hand_that_never_runs_is_told(play, monkeypatch):
    monkeypatch.setattr(schema, "TASK_SECONDS", 0.0)
    play.task = ["PENDING"]
    with pytest.raises(StepError, match="is PENDING after 0 s, expected RUNNING"):
        play.story.schema.contract_refused("v1")
    assert play.stopped


def test_a_contract_needs_the_old_color_gone(play):
    play.held["green"] = "v-3"
    assert play.story.schema.contract("v3") == "old color at 0 tasks, schema e0002+c0002, orders.price is gone"
    assert play.ran == [{"previous": "retired"}]
    play.columns.add("price")
    play.release["previous"]["tasks"] = 2
    with pytest.raises(StepError, match="2 tasks, expected 0"):
        play.story.schema.contract("v3")


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda play: play.release.update(schemaRevision="e0002"), r"schema revision e0002, expected .* \+c0002"),
        (lambda play: play.release.update(schemaRevision="e0002+c0001"), "schema revision"),
        (lambda play: play.drops.clear(), "orders.price is still there"),
        (lambda play: play.columns.discard("price"), "gone before the contract"),
    ],
)
def test_a_contract_must_really_run_and_not_before_its_time(play, spoil, says):
    play.held["green"] = "v-3"
    spoil(play)
    with pytest.raises(StepError, match=says):
        play.story.schema.contract("v3")


NO_WAY_BACK = "cannot serve: contract c0002 removed what it needs; the oldest version that can serve is v-3"


def test_there_is_no_way_back_across_a_contract(play):
    play.outcome.code, play.outcome.errors = 1, [NO_WAY_BACK]
    assert "the oldest version that can serve is v-3" in play.story.schema.roll_back_refused("v2", "v3")
    assert play.ran == [{"version": "v-2", "previous": "warm"}]
    play.outcome.errors = ["another reason"]
    with pytest.raises(StepError, match="does not say"):
        play.story.schema.roll_back_refused("v2", "v3")
    play.outcome.errors = [NO_WAY_BACK]
    play.during_up = lambda: play.held.update(blue="v-2")
    with pytest.raises(StepError, match=r"expected .* as before"):
        play.story.schema.roll_back_refused("v2", "v3")


def test_a_database_in_use_is_refused_until_it_is_adopted(play, tmp_path):
    play.outcomes = [Outcome(began=1.0, log=tmp_path / "first")]
    play.outcome.code, play.outcome.errors = 1, ["tables and no history: adopt it"]
    assert play.story.schema.existing_database() == "refused until it is told to adopt it"
    assert "CREATE TABLE orders" in play.statements[0]
    play.outcomes = [Outcome(began=1.0, log=tmp_path / "first")]
    play.outcome.code = 0
    with pytest.raises(StepError, match="expected a refusal that says adopt"):
        play.story.schema.existing_database()


def test_adopting_keeps_every_row(play):
    play.weights = {"blue": 100, "green": 0}
    play.answers = {"legacy": [(500,)]}
    assert play.story.schema.adopt().startswith("v1 serves (v-1), blue 100 / green 0 on 500 rows from before")
    assert play.ran == [{"adopt": "e0001"}]
    play.answers = {"legacy": [(499,)]}
    with pytest.raises(StepError, match="499 of the rows"):
        play.story.schema.adopt()
