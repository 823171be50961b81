"""`ReleaseReport` over gRPC against the fake AWS: what a preview tells, when, and what stays on record."""

import json
import os
import subprocess
import sys

import pytest

from rehearsal import trees
from tests.provider.plugin_process import ROOT, Error, PluginProcess

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
FACTS = {
    "server": "17.5",
    "takenAt": "2026-11-25T09:00:00+00:00",
    "revisions": ["e0001"],
    "tables": {"orders": {"rows": 1200, "bytes": 250000}},
    "backfills": {},
    "structure": "eJwDAAAAAAE=",
}


def result(**facts):
    return {"revision": "e0001", "facts": {**FACTS, **facts}}


@pytest.fixture
def asked(stack):
    """The inputs of a release of v2, whose tree is not here, while v1 serves on blue."""

    def make(**more):
        return {
            "version": "v2",
            "treeVersion": "another",
            "action": "release",
            "gate": "expand",
            "rollback": False,
            "targetColor": "green",
            "previousColor": "blue",
            "previousVersion": "v1",
            "weights": {"blue": 0, "green": 100},
            "liveWeights": {"blue": 100, "green": 0},
            "targetCount": 2,
            "previousCount": 2,
            "lineage": ["v1", "v2"],
            "steps": [10, 50, 100],
            "bakeSeconds": 60,
            "previous": "warm",
            "cpu": 256,
            "memory": 512,
            "architecture": "X86_64",
            "region": "eu-west-1",
            "context": ".",
            "listenerRuleArn": stack.rule,
            "targetGroupArns": stack.groups,
            "results": [UNKNOWN],
            **more,
        }

    return make


@pytest.fixture
def released(plugin, asked):
    """Inputs and state after an `up` of v1."""
    v1 = asked(
        version="v1", action="first", targetColor="blue", previousColor="green", previousVersion="v1", lineage=["v1"],
        weights={"blue": 100, "green": 0}, results=[result()],
    )  # fmt: skip
    inputs = plugin.checked("ReleaseReport", v1)
    return inputs, plugin.create("ReleaseReport", inputs)


def told(plugin):
    """The one text of a preview."""
    (text,) = [line for line in plugin.lines.lasting() if "traffic:" in line]
    return text


def test_a_preview_tells_traffic_going_back_cost_and_what_is_on_record(plugin, asked, released, fake):
    old, state = released
    inputs = plugin.checked("ReleaseReport", asked())
    plugin.update("ReleaseReport", inputs, state, old, preview=True)
    text = told(plugin)
    assert text.startswith("release of v2 to green, from v1\n")
    assert "PostgreSQL 17.5; sizes as of 2026-11-25T09:00:00+00:00" in text
    assert "traffic: blue 100 / green 0, then 3 steps, 3 min in all" in text
    assert "one step back to blue" in text
    assert "both colors running: $0.0494 an hour" in text
    assert "this checkout holds another: only the image of v2 holds its SQL" in " ".join(text.split())
    assert fake.count("modify_rule") == 0


def test_an_up_says_nothing_and_puts_the_newest_facts_on_record(plugin, asked, released):
    old, state = released
    newer = result(takenAt="2026-11-25T10:00:00+00:00", revisions=["e0001", "e0002"])
    inputs = plugin.checked("ReleaseReport", asked(results=[result(), newer, {"revision": "e0002"}]))
    assert (inputs["complete"], inputs["takenAt"]) == (True, "2026-11-25T10:00:00+00:00")
    plugin.lines.seen.clear()
    made = plugin.update("ReleaseReport", inputs, state, old)
    assert made["facts"]["revisions"] == ["e0001", "e0002"]
    assert plugin.lines.lasting() == []


def test_tasks_that_tell_nothing_leave_what_is_on_record(plugin, asked, released):
    old, state = released
    inputs = plugin.checked("ReleaseReport", asked(results=[{"revision": "e0001"}]))
    assert plugin.update("ReleaseReport", inputs, state, old)["facts"] == FACTS


def test_nothing_new_is_no_difference_wherever_the_tree_lies(plugin, asked, released):
    old, state = released
    elsewhere = plugin.checked("ReleaseReport", {**asked(), **plain(old), "context": "/elsewhere", "treeVersion": "x"})
    assert plugin.diff("ReleaseReport", old, elsewhere, state) == []


def plain(inputs):
    """As the program gives them: with results instead of what Check made of them."""
    kept = {key: value for key, value in inputs.items() if key not in ("facts", "takenAt", "complete")}
    return {**kept, "results": [{"facts": inputs["facts"]}]}


def test_tasks_that_will_run_are_a_difference_and_facts_are_never_shown(plugin, released):
    old, state = released
    again = plugin.checked("ReleaseReport", {**plain(old), "results": [UNKNOWN]})
    assert plugin.diff("ReleaseReport", old, again, state) == ["complete", "takenAt"]
    newer = plugin.checked("ReleaseReport", {**plain(old), "results": [result(takenAt="2026-11-25T11:00:00+00:00")]})
    assert plugin.diff("ReleaseReport", old, newer, state) == ["takenAt"]
    other = plugin.checked("ReleaseReport", {**plain(old), "version": "v2", "results": [UNKNOWN]})
    assert plugin.diff("ReleaseReport", old, other, state) == ["version"]


def test_a_first_preview_knows_neither_rule_nor_facts(plugin, asked):
    first = asked(
        action="first", previousVersion="v2", liveWeights={"blue": 0, "green": 100},
        listenerRuleArn=UNKNOWN, targetGroupArns=UNKNOWN,
    )  # fmt: skip
    plugin.create("ReleaseReport", plugin.checked("ReleaseReport", first), preview=True)
    text = told(plugin)
    assert text.startswith("first release of v2 to green\n")
    assert "first release: the database is taken to be empty" in text
    assert "traffic: nothing moves, blue 0 / green 100" in text


def test_weights_that_are_there_already_are_no_release(plugin, asked, stack, released):
    """As after an `up` that failed in its last steps: the plan's story is still that of a release."""
    stack.set_weights(0, 100)
    plugin.update("ReleaseReport", plugin.checked("ReleaseReport", asked()), released[1], released[0], preview=True)
    assert told(plugin).startswith("no release: green serves v2 already\n")


def test_a_freeze_is_said(plugin, asked, stack, released):
    tags = [{"Key": f"bluegreen:frozen{more}", "Value": value} for more, value in (("", "noon"), ("-why", "a bad day"))]
    stack.fake.client("elbv2").add_tags(ResourceArns=[stack.rule], Tags=tags)
    plugin.update("ReleaseReport", plugin.checked("ReleaseReport", asked()), released[1], released[0], preview=True)
    assert "FROZEN: frozen since noon by nobody named: a bad day" in told(plugin)


def test_a_rollback_runs_no_migration_and_is_one_step(plugin, asked, released):
    back = asked(action="rollback", gate="check", rollback=True)
    plugin.update("ReleaseReport", plugin.checked("ReleaseReport", back), released[1], released[0], preview=True)
    assert "no expand runs: the image of v2 only checks" in " ".join(told(plugin).split())
    assert "traffic: blue 100 / green 0, then 1 step, at once" in told(plugin)


def test_a_rollback_across_a_contract_is_refused_in_the_preview_after_all_was_told(plugin, asked, released):
    old, state = released
    facts = {**FACTS, "revisions": ["e0001", "c0001"]}
    known = {"v1": ["c0001"], "v2": []}
    back = plugin.checked("ReleaseReport", asked(action="rollback", gate="check", rollback=True))
    with pytest.raises(
        Error,
        match=r"this release would be refused: version v2 cannot serve .* c0001.* serve is v1.*exit code 3 of the",
    ):
        plugin.update("ReleaseReport", back, {**state, "facts": facts, "known": known}, old, preview=True)
    assert "THIS RELEASE WOULD BE REFUSED: version v2 cannot serve" in told(plugin)
    plugin.lines.seen.clear()
    good = {**state, "facts": facts, "known": {"v1": ["c0001"], "v2": ["c0001"]}}
    plugin.update("ReleaseReport", back, good, old, preview=True)  # the twin: v2 knows it
    assert "REFUSED" not in told(plugin)


def test_each_release_notes_the_contracts_its_tree_carries_and_forgets_old_ones(plugin, asked, released, tmp_path):
    old, state = released
    trees.lay("v3", tmp_path)
    inputs = plugin.checked(
        "ReleaseReport", asked(treeVersion="v2", context=str(tmp_path / "v3"), results=[result()], lineage=["v1", "v2"])
    )
    made = plugin.update("ReleaseReport", inputs, {**state, "known": {"v0": [], "v1": []}}, old)
    assert made["known"] == {"v1": [], "v2": ["c0001", "c0002"]}


@pytest.fixture
def retiring(plugin, asked, stack, released):
    """Previews `previous: retired` with v4 in service, v2 warm and v3 in the checkout. `applied`: what has run."""
    stack.set_weights(0, 100)
    old, state = released
    known = {"v2": [], "v3": ["c0001"], "v4": ["c0001", "c0002"]}

    def preview(*applied, **more):
        inputs = asked(
            version="v4", treeVersion="v3", previousVersion="v2", lineage=["v2", "v3", "v4"],
            **{"gate": "expand", "previous": "retired", "previousCount": 0, **more},
        )  # fmt: skip
        facts = {**FACTS, "revisions": ["e0001", "e0002", *applied]}
        plugin.lines.seen.clear()
        given = plugin.checked("ReleaseReport", inputs)
        plugin.update("ReleaseReport", given, {**state, "facts": facts, "known": known}, old, preview=True)
        return " ".join(told(plugin).split())

    return preview


@pytest.mark.parametrize("gate", ["expand", "check"])
def test_a_contract_that_will_run_is_told_where_the_checkout_holds_another_version(retiring, gate):
    text = retiring(gate=gate)
    assert "contract: after the last task of blue has stopped -- c0001 -- SQL not known: only the image of v4" in text
    assert "-- c0002 --" in text
    assert "lint: not looked at" in text
    assert "after contract: NO: v2 is refused, as it does not know c0001, c0002; the oldest version" in text


def test_twins_what_is_applied_or_will_not_run_is_not_told_so(retiring):
    assert "c0001" not in retiring("c0001")
    assert "after contract: NO: v2 is refused, as it does not know c0002;" in retiring("c0001")
    for text in (retiring("c0001", "c0002"), retiring(gate="check", previous="warm", previousCount=2)):
        assert "contract:" not in text
        assert "NO:" not in text
    held = retiring(previous="warm", previousCount=2)
    assert "contract: held back: it runs in an `up` with previous: retired -- c0001" in held
    assert "Roll forward (it is held back now, as previous is warm)" in held


def test_a_reason_to_refuse_that_would_hide_something_is_shown_whole(plugin, asked, tmp_path):
    tree = trees.lay("v2", tmp_path) / "migrations"
    (tree / "expand" / "HEAD").write_text("<{%fg 0%}>\x1b[8m\n")
    inputs = plugin.checked("ReleaseReport", asked(treeVersion="v2", context=str(tmp_path / "v2"), results=[result()]))
    with pytest.raises(Error) as refused:
        plugin.create("ReleaseReport", inputs, preview=True)
    for shown in (str(refused.value), told(plugin)):
        assert r"<{\x25fg 0%}>\x1b[8m" in shown


def test_inputs_that_make_no_sense_are_refused_by_name(plugin, asked):
    wrong = {"targetColor": "red", "cpu": 0, "weights": {"blue": 0, "green": 0}, "bakeSeconds": -1, "speed": "high"}
    _, failures = plugin.check("ReleaseReport", asked(**wrong))
    assert sorted(failures) == sorted(wrong)


@pytest.mark.slow
def test_a_file_named_in_the_environment_gets_the_report(fake, asked, tmp_path, monkeypatch):
    monkeypatch.setitem(os.environ, "BLUEGREEN_REPORT", str(tmp_path / "out" / "dev.json"))
    with PluginProcess(fake.endpoint) as plugin:
        plugin.create("ReleaseReport", plugin.checked("ReleaseReport", asked()), preview=True)
    report = json.loads((tmp_path / "out" / "dev.json").read_text())
    assert report["release"]["version"] == "v2"
    assert [step["weights"]["green"] for step in report["traffic"]["steps"]] == [10, 50, 100]
    assert (tmp_path / "out" / "dev.md").read_text().startswith("### Release of v2 to green, from v1\n")


def test_a_plugin_that_tells_no_report_loads_nothing_of_it():
    script = """
from provider.rpc.stubs import bare
bare()
import sys, provider.plugin
print([name for name in sys.modules if name.split(".")[0] in ("preview", "migrations", "psycopg", "alembic")])
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "['preview', 'preview.visible']\n", "a page that needs nothing itself"
