"""When the next try comes and how long it waits, by a clock of the test's own."""

import contextlib
from dataclasses import replace
from types import SimpleNamespace

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrations.errors import LockNotObtainedError, OutOfTimeError
from migrations.locking.limits import Limits
from migrations.locking.tries import Tries

LIMITS = Limits(tables=(), mode="ACCESS EXCLUSIVE", lock_timeout=0.1, statement_timeout=30)


class World:
    """A clock that moves only when somebody sleeps or works, and a session that notes the lock_timeouts it is set."""

    def __init__(self):
        self.now = 1000.0
        self.sleeps, self.timeouts, self.lines = [], [], []
        self.overdue = self.withdrawn = self.closed = False

    def sleep(self, seconds):
        self.sleeps.append(seconds)
        self.now += seconds

    def execute(self, _, parameters):
        if isinstance(parameters, dict):
            self.timeouts.append(int(parameters["lock"].removesuffix("ms")))
        return SimpleNamespace(fetchall=list)

    @contextlib.contextmanager
    def over(self, *_):
        yield

    def tries(self, budget=180.0, phase=3600.0, longest=1.0, jitter=0.5):
        watch = SimpleNamespace(over=self.over, overdue=self.overdue, withdrawn=self.withdrawn)
        return Tries(
            budget=budget, longest=longest, until=self.now + phase, watch=watch, say=self.lines.append,
            clock=lambda: self.now, sleep=self.sleep, jitter=lambda: jitter,
        )  # fmt: skip


def refused(world, seconds=0.1):
    world.now += seconds
    raise psycopg.errors.LockNotAvailable


def test_lock_timeout_grows_from_a_tenth_of_a_second_to_one():
    world = World()
    with pytest.raises((LockNotObtainedError, OutOfTimeError)):
        world.tries().run(world, "expand x", LIMITS, lambda: refused(world))
    assert world.timeouts[:6] == [100, 200, 400, 800, 1000, 1000]


@given(st.floats(0, 1), st.floats(10, 1000))
def test_pauses_grow_from_one_second_to_a_minute_and_end_with_the_budget(jitter, budget):
    world = World()
    began = world.now
    with pytest.raises((LockNotObtainedError, OutOfTimeError)):
        world.tries(budget=budget, jitter=jitter).run(world, "expand x", LIMITS, lambda: refused(world))
    pauses = world.sleeps[:-2]  # the last ones are cut to what is left
    assert all(1.0 <= pause <= 60.0 for pause in pauses)
    assert pauses == sorted(pauses)
    assert world.now - began <= budget + 0.1 + 1e-6


def pauses_with(jitter):
    world = World()
    with pytest.raises((LockNotObtainedError, OutOfTimeError)):
        world.tries(jitter=jitter).run(world, "expand x", LIMITS, lambda: refused(world))
    return world.sleeps


def test_pauses_of_two_runs_differ():
    assert pauses_with(0.1) != pauses_with(0.9)


def test_the_budget_for_locks_is_one_for_all_revisions_of_the_phase_and_their_work_is_not_in_it():
    world = World()
    tries = world.tries(budget=10)
    state = {"calls": 0}

    def work():
        state["calls"] += 1
        if state["calls"] in (1, 3):
            refused(world)
        world.now += 50  # the work itself: longer than the budget for locks

    tries.run(world, "expand x", LIMITS, work)
    assert tries.waited == pytest.approx(1.1)  # the refused try and the pause after it
    tries.run(world, "expand y", LIMITS, work)
    assert tries.waited == pytest.approx(2.2)
    with pytest.raises((LockNotObtainedError, OutOfTimeError)):
        tries.run(world, "expand z", LIMITS, lambda: refused(world))
    assert world.now - 1000 == pytest.approx(110, abs=0.2)


def test_without_time_nothing_is_tried():
    world = World()
    tries = world.tries(phase=5)
    tries.run(world, "expand x", LIMITS, lambda: world.sleep(6))
    with pytest.raises(OutOfTimeError, match="expand y: the time of the whole phase is over"):
        tries.run(world, "expand y", LIMITS, lambda: pytest.fail("tried"))


@pytest.mark.parametrize(
    ("outside", "kept"), [(False, "nothing of it was kept"), (True, "may be there in part, and the next run goes on")]
)
def test_a_lock_that_was_refused_is_told_as_that_also_where_nobody_was_seen(outside, kept):
    world = World()
    limits = replace(LIMITS, outside_transaction=outside)
    with pytest.raises(LockNotObtainedError, match="tries: nobody was seen in the way") as told:
        world.tries(budget=5).run(world, "expand x", limits, lambda: refused(world))
    assert kept in str(told.value)


def test_a_cancel_that_nobody_of_us_sent_is_no_refusal():
    world = World()

    def canceled():
        raise psycopg.errors.QueryCanceled

    with pytest.raises(psycopg.errors.QueryCanceled):
        world.tries().run(world, "expand x", LIMITS, canceled)
    world.withdrawn = True
    attempts = []

    def once():
        attempts.append(world.now)
        if len(attempts) == 1:
            canceled()

    world.tries().run(world, "expand x", LIMITS, once)
    assert attempts == [1000.0, 1000.0]  # at once: the look before it waits for who was in the way
