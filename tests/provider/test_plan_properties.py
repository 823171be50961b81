"""Properties of the plan, from any live weights, slots and history."""

from hypothesis import given, settings
from hypothesis import strategies as st

from provider.choice import ON_FAILURE, choose
from provider.plan import COLORS, History, Slot, Wanted, held_by_freeze, other, plan, same_shares

MANY = settings(max_examples=400, database=None, deadline=None)
VERSIONS = st.sampled_from(["v1", "v2", "v3", "v4"])
WEIGHTS = st.one_of(
    st.none(),
    st.fixed_dictionaries({color: st.sampled_from([0, 1, 10, 50, 90, 100, 999]) for color in COLORS}),
    st.fixed_dictionaries({color: st.integers(0, 999) for color in COLORS}),
)
SLOT = st.one_of(
    st.none(),
    st.builds(
        lambda version, desired, healthy: Slot(
            version=version, image=f"repo@{version}", desired_count=desired, healthy_count=min(desired, healthy)
        ),
        VERSIONS,
        st.integers(0, 4),
        st.integers(0, 4),
    ),
)
SLOTS = st.fixed_dictionaries(dict.fromkeys(COLORS, SLOT))
WANTED = st.builds(
    lambda version, count, previous: Wanted(
        version=version, image=f"repo@{version}", desired_count=count, previous=previous
    ),
    VERSIONS,
    st.integers(1, 4),
    st.sampled_from(["warm", "retired"]),
)
HISTORY = st.builds(
    History,
    lineage=st.lists(VERSIONS, unique=True).map(tuple),
    settled=st.one_of(st.none(), st.sampled_from(COLORS)),
    setting=st.one_of(st.none(), st.integers(1, 4)),
    counts=st.one_of(st.just({}), st.fixed_dictionaries(dict.fromkeys(COLORS, st.integers(0, 4)))),
)


def applied(found):
    """The world after the plan: weights and slots as it wants them."""
    slots = {
        color: Slot(
            version=one.version, image=one.image, desired_count=one.desired_count, healthy_count=one.desired_count
        )
        for color, one in found.colors.items()
    }
    counts = {color: one.desired_count for color, one in found.colors.items()}
    history = learned_from(found, counts)
    return dict(found.weights), slots, history


def learned_from(found, counts):
    """What goes on record before anything of the plan is carried out."""
    wanted = found.colors[found.target].version
    return History(
        lineage=found.lineage,
        untried=wanted if found.untried else None,
        settled=found.live,
        setting=found.setting,
        counts=counts,
    )


def cut_short(found, slots, share):
    """The world after a plan that failed: at its gate (None), before the shift (0), or with this share of the weight.

    With 0 or 100 of it the weights were put back, as a shift that fails does; anything between was left by a kill.
    """
    _, after, learned = applied(found)
    if share is None:
        return dict(found.live_weights), slots, learned
    left = {found.target: share, found.previous: 100 - share}
    return (left if 0 < share < 100 else dict(found.live_weights)), after, learned


@MANY
@given(live=WEIGHTS, slots=SLOTS, wanted=WANTED, history=HISTORY)
def test_a_color_with_weight_keeps_its_version(live, slots, wanted, history):
    found = plan(live, slots, wanted, history)
    for color in COLORS:
        before = slots[color]
        if before is not None and found.live_weights[color] > 0:
            assert found.colors[color].version == before.version


@MANY
@given(live=WEIGHTS, slots=SLOTS, wanted=WANTED, history=HISTORY)
def test_a_reset_only_takes_weight_and_gives_it_to_a_color_that_had_some(live, slots, wanted, history):
    found = plan(live, slots, wanted, history)
    if not found.reset:
        assert live is None or dict(found.live_weights) == live
        return
    assert live is not None
    kept = [color for color in COLORS if found.live_weights[color]]
    assert len(kept) == 1
    assert all(live[color] > 0 for color in COLORS)
    assert kept == [found.previous]


@MANY
@given(live=WEIGHTS, slots=SLOTS, wanted=WANTED, history=HISTORY)
def test_every_plan_reaches_the_wanted_version(live, slots, wanted, history):
    found = plan(live, slots, wanted, history)
    weights, after, _ = applied(found)
    carrying = [color for color in COLORS if weights[color] > 0]
    assert carrying == [found.target]
    assert after[found.target].version == wanted.version
    assert after[found.target].desired_count >= wanted.desired_count


@MANY
@given(live=WEIGHTS, slots=SLOTS, wanted=WANTED, history=HISTORY)
def test_a_color_that_takes_over_is_never_smaller_than_one_in_service(live, slots, wanted, history):
    found = plan(live, slots, wanted, history)
    if found.action == "none":
        return
    in_service = [slots[color].desired_count for color in COLORS if live and live[color] and slots[color] is not None]
    assert found.colors[found.target].desired_count >= max(in_service, default=0)


@MANY
@given(live=WEIGHTS, slots=SLOTS, wanted=WANTED, history=HISTORY)
def test_a_lowered_setting_is_obeyed_as_soon_as_nothing_is_released(live, slots, wanted, history):
    weights, after, learned = applied(plan(live, slots, wanted, history))
    if history.setting is not None and wanted.desired_count < history.setting:
        weights, after, learned = applied(plan(weights, after, wanted, learned))
        assert after[learned.settled].desired_count == wanted.desired_count
    assert learned.setting == wanted.desired_count


@MANY
@given(live=WEIGHTS, slots=SLOTS, wanted=WANTED, history=HISTORY)
def test_applying_twice_changes_nothing(live, slots, wanted, history):
    """One exception: a lowered setting that came with a release is obeyed by the second run."""
    weights, after, learned = applied(plan(live, slots, wanted, history))
    if learned.setting != wanted.desired_count:
        weights, after, learned = applied(plan(weights, after, wanted, learned))
    again = plan(weights, after, wanted, learned)
    assert again.action == "none"
    assert same_shares(again.live_weights, again.weights)
    assert same_shares(again.weights, weights)
    for color in COLORS:
        assert again.colors[color].version == after[color].version
        assert again.colors[color].image == after[color].image
        assert again.colors[color].desired_count == after[color].desired_count
    assert again.lineage == learned.lineage
    assert again.setting == learned.setting


@MANY
@given(live=WEIGHTS, slots=SLOTS, wanted=WANTED, history=HISTORY)
def test_retired_leaves_no_task_of_the_previous_color(live, slots, wanted, history):
    found = plan(live, slots, wanted, history)
    if wanted.previous == "retired":
        assert found.colors[found.previous].desired_count == 0


@MANY
@given(live=WEIGHTS, slots=SLOTS, wanted=WANTED, history=HISTORY)
def test_what_a_freeze_lets_pass_moves_no_weight_and_stops_no_color_that_serves(live, slots, wanted, history):
    found = plan(live, slots, wanted, history)
    held = held_by_freeze(found, live, slots)
    moves = live is not None and not same_shares(live, applied(found)[0])
    retires = any(
        slots[color] is not None and slots[color].healthy_count and not found.colors[color].desired_count
        for color in COLORS
    )
    assert (held is not None) == (moves or retires)
    assert not found.reset or held


@MANY
@given(live=WEIGHTS, slots=SLOTS, wanted=WANTED, history=HISTORY, again=WANTED)
def test_under_a_freeze_no_row_of_runs_moves_a_weight(live, slots, wanted, history, again):
    """A run is refused whole or moves nothing, whatever is asked for, and one after another."""
    weights, after, learned = live, slots, history
    for asked in (wanted, again, wanted):
        found = plan(weights, after, asked, learned)
        if held_by_freeze(found, weights, after) is None and weights is not None:
            moved, after, learned = applied(found)
            assert same_shares(moved, weights)


@MANY
@given(runs=st.lists(st.tuples(VERSIONS, st.sampled_from(["done", None, 0, 40, 100])), max_size=12))
def test_a_version_that_never_served_is_never_the_target_of_a_rollback(runs):
    """Any row of releases, each done or failed somewhere: only what had all the weight is gone back to."""
    live, slots, history, served = None, dict.fromkeys(COLORS), History(), set()
    for version, end in [("v0", "done"), *runs]:
        found = plan(live, slots, Wanted(version=version, image=f"repo@{version}", desired_count=2), history)
        if found.action == "rollback":
            assert version in served
        before = slots[found.previous]
        if version in served and before is not None and before.version not in served and found.action != "none":
            assert found.gate == "check" or found.live_weights[found.previous] == 0
        live, slots, history = applied(found) if end == "done" else cut_short(found, slots, end)
        served |= {slots[color].version for color in COLORS if live[color] and not live[other(color)] and slots[color]}
        served |= {version} if end == "done" else set()


@MANY
@given(failed=st.sampled_from([None, 0, 40, 100]), again=st.sampled_from(["done", None, 0, 100]))
def test_a_version_that_failed_is_new_when_it_is_asked_for_after_another(failed, again):
    live, slots, history = None, dict.fromkeys(COLORS), History()
    for version, end in (("v1", "done"), ("v2", "done"), ("v3", failed), ("v2.1", "done"), ("v3", again)):
        found = plan(live, slots, Wanted(version=version, image=f"repo@{version}", desired_count=2), history)
        assert found.gate == "expand"
        assert found.action in {"first", "release"}
        live, slots, history = applied(found) if end == "done" else cut_short(found, slots, end)


@MANY
@given(setting=st.sampled_from(ON_FAILURE), canceled=st.booleans(), back_serves=st.booleans())
def test_weights_never_go_back_to_what_serves_nothing_and_a_canceled_run_never_freezes_else(
    setting, canceled, back_serves
):
    done = choose(setting, canceled=canceled, back_serves=back_serves)
    assert back_serves or done == "freeze"
    assert not (canceled and back_serves) or done == "rollback"
    assert canceled or not back_serves or done == setting


@MANY
@given(start=VERSIONS, releases=st.lists(VERSIONS, max_size=6), interrupted=st.lists(st.integers(1, 99), max_size=6))
def test_any_row_of_releases_with_interruptions_gets_there(start, releases, interrupted):
    """Releases one after another, each shift cut short once at some percent, end as if nothing had happened."""
    live, slots, history = None, dict.fromkeys(COLORS), History()
    for number, version in enumerate([start, *releases]):
        wanted = Wanted(version=version, image=f"repo@{version}", desired_count=2)
        found = plan(live, slots, wanted, history)
        live, slots, history = applied(found)
        if found.action in {"release", "rollback"} and number < len(interrupted):
            live = {found.target: interrupted[number], found.previous: 100 - interrupted[number]}
    final = plan(live, slots, wanted, history)
    weights, after, _ = applied(final)
    assert after[final.target].version == version
    assert weights[final.target] == 100
