"""The report as data: what is refused, what going back would do, traffic, and how it bears what it can't find out."""

import json

import pytest

from migrations.errors import BadTreeError
from migrations.on_record import CHECKSUMS
from migrations.tree import read_tree
from preview import files, report
from rehearsal import trees
from tests.preview.a_report import (
    BACKFILL,
    CONTRACT,
    EXPAND,
    FACTS,
    NOW,
    TREE,
    asked,
    built,
    examined,
    failing,
    finding,
    phases,
    revision,
)


@pytest.fixture(scope="module")
def v3(tmp_path_factory):
    return trees.lay("v3", tmp_path_factory.mktemp("trees")) / "migrations"


def back(report):
    return {row["after"]: row for row in report["rollback"]}


def test_the_phases_come_in_the_order_of_a_release_and_say_when():
    report = built(None, CONTRACT, BACKFILL, EXPAND)
    assert [one["phase"] for one in report["schema"]["phases"]] == ["expand", "backfill", "contract"]
    assert phases(report)["expand"]["when"] == "before a task of v2 starts, while blue serves v1"
    assert (phases(report)["contract"]["runs"], phases(report)["expand"]["runs"]) == (False, True)
    assert "held back" in phases(report)["contract"]["when"]
    retired = built(asked(previous="retired", previous_count=0), CONTRACT)
    assert phases(retired)["contract"] | {"revisions": []} == {
        "phase": "contract", "when": "after the last task of blue has stopped", "runs": True, "revisions": [],
    }  # fmt: skip


def test_a_good_release_is_refused_by_nothing():
    report = built(None, EXPAND, BACKFILL, CONTRACT)
    assert report["refused"] == []
    assert report["schema"]["lint"]["verdict"] == "passed"
    assert [one["reason"] for one in report["schema"]["lint"]["exceptions"]] == ["unused"]


def test_an_error_of_the_lint_refuses_it_and_a_warning_does_not():
    refused = built(None, revision("e0002", "expand", findings=(finding(),)))
    assert refused["refused"] == [
        {"exit": 12, "name": "LINT_REFUSED", "reason": "the lint refuses e0002 (e0002_file.py): no-drop"}
    ]
    assert refused["schema"]["lint"]["verdict"] == "refused"
    warned = built(None, revision("e0002", "expand", findings=(finding("warning"),)))
    assert warned["refused"] == []
    assert [one["rule"] for one in warned["schema"]["lint"]["warnings"]] == ["no-drop"]


def test_a_tree_that_can_not_be_read_refuses_it_and_the_rest_is_told():
    report = failing(BadTreeError("migrations: expand has two heads, e0002 and e0003"))
    (refused,) = report["refused"]
    assert (refused["exit"], refused["reason"]) == (9, "migrations: expand has two heads, e0002 and e0003")
    assert report["schema"]["phases"] == []
    assert len(report["traffic"]["steps"]) == 2
    assert report["overlap"]["both"]["tasks"] == 4


def test_what_the_preview_itself_lacks_refuses_nothing():
    absent = failing(ModuleNotFoundError("No module named 'alembic'", name="alembic"))
    assert absent["refused"] == []
    assert absent["schema"]["notes"] == [
        "the SQL was not looked at: alembic is not installed here; `make tools` installs it"
    ]
    broken = failing(OSError("no space left"))
    assert (broken["refused"], broken["schema"]["notes"]) == (
        [],
        ["the SQL could not be looked at (OSError: no space left)"],
    )


def test_what_the_live_structure_rules_out_refuses_it_where_it_would_run():
    wrong = {"fails": True, "reason": 'UndefinedColumn: column "totall" does not exist'}
    report = built(None, revision("e0002", "expand", **wrong), revision("c0001", "contract", **wrong))
    assert [(one["exit"], one["reason"]) for one in report["refused"]] == [
        (6, f"expand e0002 (e0002_file.py) does not run on the structure on record: {wrong['reason']}")
    ], "the contract is held back"
    told = built(None, revision("e0002", "expand", reason=wrong["reason"]))
    assert told["refused"] == [], "where the structure is not known for sure it is only told"


def test_an_applied_revision_that_was_edited_refuses_it_and_one_without_a_checksum_does_not():
    (first, *_) = read_tree(TREE).expand
    known = {first.revision: first.checksum, "e7777": "of another version"}
    assert built(None, EXPAND, facts={**FACTS, CHECKSUMS: known})["refused"] == []
    assert built(None, EXPAND, facts={**FACTS, CHECKSUMS: {}})["refused"] == []
    (refused,) = built(None, EXPAND, facts={**FACTS, CHECKSUMS: {first.revision: "0" * 16}})["refused"]
    assert (refused["exit"], refused["name"]) == (13, "EDITED")
    assert f"checksum {first.checksum} here, {'0' * 16} applied; put the file back as it was" in refused["reason"]


def test_what_could_not_be_measured_refuses_nothing_and_says_why():
    report = built(None, EXPAND, measured=False, reason="no PostgreSQL here")
    assert report["refused"] == []
    assert report["schema"]["measured"] == {"done": False, "reason": "no PostgreSQL here", "server": "18.4"}


def test_going_back_after_each_phase():
    rows = back(built(None, EXPAND, BACKFILL, CONTRACT))
    assert list(rows) == ["expand", "shift", "backfill", "contract"]
    assert [row["possible"] for row in rows.values()] == [True, True, True, False]
    assert rows["shift"]["what"].endswith("one step back to blue, without a migration: it is warm with 2 tasks")
    assert rows["backfill"]["what"] == "as after the shift; the rows that were filled stay filled"
    resumed = back(built(asked(steps=()), BACKFILL))
    assert resumed["backfill"]["what"].startswith("the check, then one step back to blue"), (
        "no row of a shift before it"
    )
    assert rows["contract"]["oldestAble"] == "v2"
    assert rows["contract"]["what"].startswith("v1 is refused, as it does not know c0001")
    assert rows["contract"]["what"].endswith("Roll forward (it is held back now, as previous is warm)")
    retired = back(built(asked(previous="retired", previous_count=0), CONTRACT))
    assert retired["contract"]["what"].endswith("Roll forward")


def test_going_back_to_a_retired_color_starts_it_first():
    assert "blue is started again" in back(built(asked(previous="retired", previous_count=0), EXPAND))["shift"]["what"]


def test_the_oldest_version_that_can_serve_is_looked_up_in_the_order_of_releases():
    plan = asked(version="v4", previous_version="v3", lineage=["v1", "v2", "v3", "v4"])
    known = {"v1": [], "v2": ["c0001"], "v3": [], "v4": ["c0001"]}
    assert back(built(asked(**{**vars_of(plan), "known": known}), CONTRACT))["contract"]["oldestAble"] == "v2"
    also = {**known, "v3": ["c0001"]}
    assert back(built(asked(**{**vars_of(plan), "known": also}), CONTRACT))["contract"]["possible"] is True


def vars_of(plan):
    return {name: getattr(plan, name) for name in plan.__dataclass_fields__}


def test_nothing_is_said_of_going_back_where_there_is_nothing_to_go_back_to():
    first = asked(action="first", previous_version="v2", live_weights={"blue": 0, "green": 100}, steps=[])
    assert built(first, EXPAND)["rollback"] == []


def test_a_version_that_does_not_know_an_applied_contract_is_refused_before_anything():
    plan = asked(
        action="rollback", version="v1", previous_version="v3", lineage=["v1", "v2", "v3"],
        known={"v1": [], "v2": ["c0001"], "v3": ["c0001", "c0002"]},
    )  # fmt: skip
    facts = {**FACTS, "revisions": ["e0001", "e0002", "c0001"]}
    (refused,) = built(plan, facts=facts, tree=None)["refused"]
    assert refused["exit"] == 3
    assert refused["reason"].startswith("version v1 cannot serve this database: it does not know contract c0001;")
    assert refused["reason"].endswith("the oldest version that can serve is v2")
    assert built(plan, facts=FACTS, tree=None)["refused"] == []  # the twin: before the contract it is a good rollback


def test_a_version_of_which_nothing_is_on_record_is_left_to_the_check():
    plan = asked(action="rollback", version="v0", known={"v3": ["c0001"]})
    assert built(plan, facts={**FACTS, "revisions": ["c0001"]}, tree=None)["refused"] == []


def test_the_shift_is_as_long_as_its_steps_are_watched_and_a_rollback_does_not_wait():
    assert built(None)["traffic"]["seconds"] == 120
    one_step = asked(action="rollback", steps=[{"blue": 100, "green": 0}])
    assert built(one_step)["traffic"]["seconds"] == 0


def test_rows_of_a_backfill_are_those_left_or_all_of_its_table(v3):
    def rows(**facts):
        (one,) = phases(built(None, BACKFILL, tree=v3, facts={**FACTS, **facts}))["backfill"]["revisions"]
        return one["table"], one["rows"], one["estimate"]

    table, found, takes = rows()
    assert (table, found) == ("orders", 1_200_000)
    assert takes["low"] < takes["high"]
    assert rows(backfills={"b0001": {"left": 10, "finished": False}})[1] == 10
    assert rows(tables={})[1:] == (None, None)


def test_what_a_contract_needs_is_filled_before_the_version_serves(v3):
    v2 = v3.parent.parent / "v2" / "migrations"
    trees.lay("v2", v3.parent.parent)
    assert phases(built(None, BACKFILL, tree=v2))["backfill"]["when"].startswith("after the shift")
    assert phases(built(None, BACKFILL, tree=v3))["backfill"]["when"].startswith("b0001 before a task of v2 starts")


def test_a_first_release_takes_the_database_to_be_empty(v3):
    report = built(asked(action="first"), BACKFILL, tree=v3, facts=None)
    assert report["schema"]["facts"]["source"] == "empty"
    assert phases(report)["backfill"]["revisions"][0]["rows"] == 0
    unknown = built(None, BACKFILL, tree=v3, facts=None)
    assert unknown["schema"]["facts"]["source"] == "none"
    assert phases(unknown)["backfill"]["revisions"][0]["rows"] is None


def test_the_age_of_what_is_on_record_is_told():
    assert built(None)["schema"]["facts"]["ageSeconds"] == 3 * 3600
    assert built(None, facts={**FACTS, "takenAt": "yesterday"})["schema"]["facts"]["ageSeconds"] is None


def test_only_phases_that_run_are_shown():
    report = built(None, EXPAND, CONTRACT, phases=("contract",))
    assert list(phases(report)) == ["contract"]


def test_no_color_is_left_over_when_only_one_runs():
    assert built(asked(previous_count=0, steps=[]))["overlap"] is None
    assert built(asked(previous="retired", previous_count=0))["overlap"]["lasts"] == "until the shift is done"


def test_the_files_hold_the_same_report(tmp_path):
    report = built(None, EXPAND)
    files.write(report, str(tmp_path / "deep" / "dev.json"))
    assert json.loads((tmp_path / "deep" / "dev.json").read_text()) == json.loads(json.dumps(report))
    assert (tmp_path / "deep" / "dev.md").read_text().startswith("### Release of v2 to green, from v1\n")


def test_an_examination_is_told_as_it_is():
    (shown,) = phases(built(None, EXPAND))["expand"]["revisions"]
    assert shown == examined(EXPAND).as_json()["revisions"][0]


def looked_at(**more):
    """The facts that the examination was given, and the report."""
    seen = []

    def examine(_tree, facts):
        seen.append(facts)
        return examined(EXPAND).as_json()

    plan = asked(action="first", version="v2", previous_version="v2")
    given = {"tree": TREE, "notes": (), "facts": None, **more}
    return seen, report.build(plan, report.Schema(**given), examine, NOW)


def test_a_database_that_is_taken_over_is_not_taken_to_be_empty_and_what_is_adopted_does_not_run():
    seen, made = looked_at(adopt="e0001")
    assert seen == [{"revisions": ["e0001"]}]
    assert made["schema"]["adopts"] == ["e0001"]
    assert any(note.startswith("adopts e0001: recorded, not run") for note in made["schema"]["notes"])
    assert made["schema"]["facts"]["source"] == "none"


def test_twin_without_the_setting_the_first_revision_is_one_to_run():
    seen, made = looked_at()
    assert (seen, made["schema"]["adopts"], made["schema"]["facts"]["source"]) == ([None], [], "empty")


def test_nothing_is_adopted_where_a_history_is_on_record_and_an_unknown_revision_is_refused():
    seen, made = looked_at(adopt="e0001", facts=FACTS)
    assert (seen, made["schema"]["adopts"]) == ([FACTS], [])
    _, wrong = looked_at(adopt="e0999")
    assert "bluegreen:adopt is e0999" in wrong["refused"][0]["reason"]
