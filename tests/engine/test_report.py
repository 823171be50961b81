"""`ReleaseReport` in the real engine: told in a preview, nothing without a change, and red where it refuses."""

import json

import pytest

from rehearsal import trees
from tests.provider.task_script import TaskScript

pytestmark = pytest.mark.slow
FACTS = {
    "takenAt": "2026-11-25T09:00:00+00:00",
    "server": "17.5",
    "revisions": ["e0001"],
    "tables": {},
    "backfills": {},
}


@pytest.fixture
def reporting(engine, stack, fake):
    """The release of v2, with a report; its migration tells of the database. The tree of v2 is not here."""
    engine.spec["report"] = {
        "context": ".",
        "tree_version": "another",
        "region": "eu-west-1",
        "cpu": 256,
        "memory": 512,
        "architecture": "X86_64",
        "listener_rule_arn": stack.rule,
        "target_group_arns": stack.groups,
    }
    fake.scripts = [TaskScript.ends(0, json.dumps({"result": {"revision": "e0001", "facts": FACTS}}))]
    return engine


def test_a_preview_tells_all_of_it_and_an_up_nothing(reporting, fake):
    shown = reporting.preview().ok().text
    for words in ("nothing is on record about the database", "traffic: blue 100 / green 0, then 3 steps", "vCPU and"):
        assert words in shown, shown
    assert fake.calls == []
    assert "traffic:" not in reporting.up().ok().text


def test_what_the_migration_told_is_there_in_the_next_preview_and_no_change_shows_nothing(reporting):
    reporting.up().ok()
    assert "traffic:" not in reporting.preview("--expect-no-changes").ok().text
    reporting.spec["release"] |= {"version": "v1", "image": None}
    shown = reporting.preview().ok().text
    assert "PostgreSQL 17.5; sizes as of 2026-11-25T09:00:00+00:00" in shown, shown
    assert "rollback of v1 to blue, from v2" in shown
    assert "no expand runs: the image of v1 only checks" in shown


def test_a_tree_that_makes_no_sense_turns_the_preview_red_after_everything_was_shown(reporting, fake, tmp_path):
    tree = trees.lay("v2", tmp_path / "trees")
    (tree / "migrations" / "expand" / "HEAD").write_text("e0001\n")
    reporting.spec["report"] |= {"context": str(tree), "tree_version": "v2"}
    refused = reporting.preview()
    assert refused.code != 0
    assert "traffic: blue 100 / green 0, then 3 steps" in refused.text
    said = " ".join(refused.text.split())
    assert "THIS RELEASE WOULD BE REFUSED: migrations: expand/HEAD says e0001, expected e0002_amount_columns" in said
    assert fake.calls == []


def test_twin_the_same_tree_unbroken_is_shown_with_sql_and_locks(reporting, tmp_path):
    tree = trees.lay("v2", tmp_path / "trees")
    reporting.spec["report"] |= {"context": str(tree), "tree_version": "v2"}
    shown = reporting.preview().ok().text
    assert "ALTER TABLE orders ADD COLUMN amount_cents bigint" in shown
    assert "ACCESS EXCLUSIVE" in shown
    assert "REFUSED" not in shown


def test_an_applied_revision_that_was_edited_turns_the_preview_red(reporting, fake, tmp_path):
    told = {**FACTS, "checksums": {"e0001": "0" * 16}}
    fake.scripts = [TaskScript.ends(0, json.dumps({"result": {"revision": "e0001", "facts": told}}))]
    reporting.up().ok()
    tree = trees.lay("v3", tmp_path / "trees")
    reporting.spec["release"] |= {"version": "v3"}
    reporting.spec["report"] |= {"context": str(tree), "tree_version": "v3"}
    refused = reporting.preview()
    assert refused.code != 0
    said = " ".join(refused.text.split())
    assert "expand e0001 (expand/e0001_orders.py) was edited after it was applied: checksum " in said, said
    assert "(exit code 13 of the migrations command)" in said


def test_what_looks_like_a_color_of_the_cli_is_shown(reporting, tmp_path):
    tree = trees.lay("v2", tmp_path / "trees")
    file = tree / "migrations" / "expand" / "e0002_amount_columns.py"
    sql = '"ALTER TABLE orders ADD COLUMN amount_cents bigint'
    assert file.read_text().count(sql) == 1
    file.write_text(file.read_text().replace(sql, f"{sql} /* <{{%reset%}}> and \\x1b[8m */"))
    reporting.spec["report"] |= {"context": str(tree), "tree_version": "v2"}
    shown = reporting.preview().ok().text
    assert r"ALTER TABLE orders ADD COLUMN amount_cents bigint /* <{\x25reset%}> and \x1b[8m */" in shown, shown
