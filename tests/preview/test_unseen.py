"""Contracts that only the image of the wanted version holds: named from what is on record."""

from preview import markdown, text
from tests.preview.a_report import EXPAND, FACTS, asked, built, failing, phases

KNOWN = {"v2": [], "v3": ["c0001"], "v4": ["c0001", "c0002"]}


def without_a_tree(**more):
    """v4 is in service, v2 warm, and the checkout holds v3; now `previous: retired` is asked for."""
    facts = {**FACTS, "revisions": more.pop("revisions", ["e0001", "e0002", "b0001"]), **more.pop("facts", {})}
    plan = asked(
        action="none", version="v4", previous_version="v2", steps=[], previous="retired", previous_count=0,
        lineage=["v2", "v3", "v4"], **{"known": KNOWN, **more},
    )  # fmt: skip
    return built(plan, facts=facts, tree=None, phases=("contract",), notes=("this checkout holds v3",))


def test_a_contract_that_will_run_is_named_where_only_the_image_holds_its_sql():
    report = without_a_tree()
    shown = phases(report)["contract"]
    assert (shown["runs"], shown["when"]) == (True, "after the last task of blue has stopped")
    assert [one["revision"] for one in shown["revisions"]] == ["c0001", "c0002"]
    assert {one["reason"] for one in shown["revisions"]} == {"only the image of v4 holds its SQL"}
    assert [one["statements"] for one in shown["revisions"]] == [[], []]
    assert report["schema"]["lint"]["verdict"] == "not looked at"
    (row,) = report["rollback"]
    assert (row["after"], row["possible"], row["oldestAble"]) == ("contract", False, "v4")
    assert row["what"].startswith("v2 is refused, as it does not know c0001, c0002")
    for told in (text.render(report), markdown.render(report)):
        assert "-- c0002\n" in told
        assert "-- SQL not known: only the image of v4 holds its SQL" in told
        assert "not measured" not in told


def test_twins_one_that_is_applied_or_known_to_the_version_before():
    (one,) = phases(without_a_tree(revisions=["e0001", "c0001"]))["contract"]["revisions"]
    assert one["revision"] == "c0002"
    assert phases(without_a_tree(revisions=["c0001", "c0002"])) == {}
    (row,) = without_a_tree(known={**KNOWN, "v2": ["c0001", "c0002"]})["rollback"]
    assert row["possible"] is True


def test_what_a_long_history_leaves_out_is_not_taken_for_pending():
    told = {"revisions": ["e0001", "c0001"], "known": {"v2": [], "v4": ["c0000", "c0001", "c0002"]}}
    cut = without_a_tree(**told, facts={"revisionsLeftOut": 7})
    assert [one["revision"] for one in phases(cut)["contract"]["revisions"]] == ["c0002"]
    whole = without_a_tree(**told)
    assert [one["revision"] for one in phases(whole)["contract"]["revisions"]] == ["c0000", "c0002"]


def test_nothing_is_made_up_where_nothing_is_on_record_or_a_tree_is_there():
    assert phases(without_a_tree(known={"v2": []})) == {}
    assert phases(built(asked(version="v4", known=KNOWN), facts=None, tree=None)) == {}
    assert phases(built(asked(version="v4", known=KNOWN), EXPAND)).keys() == {"expand"}
    assert phases(failing(OSError("no space left"), asked(version="v4", known=KNOWN))) == {}
