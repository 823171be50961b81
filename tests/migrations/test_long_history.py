"""A history of years: the last line of a run stays short enough for a log, and a preview knows what is applied."""

import hashlib
import json

import pytest

from migrations import facts, on_record
from migrations.tree import read_tree
from tests.support.own_revisions import OwnRevisions
from tests.support.trees_on_disk import migrate, result_of

LINE = 16_384  # Docker's log drivers split a longer one
MANY = 1_500
# Rows are in the order in which they were written.
OLD = f"""
CREATE TEMP TABLE newest AS SELECT * FROM schema_history;
DELETE FROM schema_history;
INSERT INTO schema_history (revision, phase, version, seconds)
SELECT prefix || '_' || substr(md5(i::text), 1, 20), phase, 'v0', 0
FROM (VALUES ('c', 'contract', 30), ('b', 'backfill', 30), ('e', 'expand', {MANY - 60})) AS phases(prefix, phase, many),
     LATERAL generate_series(1, many) AS i;
INSERT INTO schema_history (revision, phase, version, seconds, checksum)
SELECT revision, phase, version, seconds, checksum FROM newest ORDER BY revision
"""  # noqa: S608  of this file


@pytest.fixture
def kept_for_years(schema_trees, owner_environment, schema_server, schema):
    """v2's schema, under a history in which it is the newest of 1,500."""
    result_of(migrate(schema_trees["v2"], owner_environment, "expand", "v2"))
    with schema_server.connect(schema) as connection:
        connection.execute(OLD)
        yield connection


@pytest.mark.slow
@pytest.mark.parametrize("command", ["check", "expand", "history"])
def test_the_line_stays_short_and_says_how_many_are_left_out(kept_for_years, schema_trees, owner_environment, command):
    # This image would be refused for contracts that it does not know.
    kept_for_years.execute("UPDATE schema_history SET phase = 'expand' WHERE phase = 'contract'")
    run = migrate(schema_trees["v2"], owner_environment, command, "v2")
    assert run.returncode == 0, run.stderr
    line = run.stdout.splitlines()[-1]
    assert len(line) < LINE
    if command != "history":
        told = json.loads(line)["result"]["facts"]
        assert len(told["revisions"]) == 150
        assert told["revisionsLeftOut"] == MANY + 2 - 150


@pytest.mark.slow
def test_checksums_of_the_newest_are_told_and_take_no_place_from_the_structure(
    kept_for_years, schema_trees, monkeypatch
):
    tree = read_tree(schema_trees["v2"] / "migrations")
    kept_for_years.execute("UPDATE schema_history SET checksum = substr(md5(revision), 1, 16) WHERE checksum IS NULL")
    whole = facts.read(kept_for_years, tree)
    assert list(whole[on_record.CHECKSUMS]) == whole["revisions"]
    monkeypatch.setattr(facts, "LINE_LIMIT", len(json.dumps(whole)) - 1000)  # as a bigger structure would have it
    told = facts.read(kept_for_years, tree)
    assert told["structure"] == whole["structure"] is not None
    assert len(json.dumps(told)) <= facts.LINE_LIMIT
    names = list(told[on_record.CHECKSUMS])
    assert 0 < len(names) < len(told["revisions"])
    assert names == told["revisions"][-len(names) :]
    assert on_record.edited(told, tree) == []


@pytest.mark.slow
def test_a_structure_for_which_there_is_no_room_takes_no_checksum_with_it(kept_for_years, schema_trees, monkeypatch):
    tree = read_tree(schema_trees["v2"] / "migrations")
    whole = facts.read(kept_for_years, tree)
    assert set(whole[on_record.CHECKSUMS]) == {"e0001", "e0002"}
    monkeypatch.setattr(facts, "LINE_LIMIT", len(json.dumps({**whole, on_record.CHECKSUMS: {}})) - 1)
    told = facts.read(kept_for_years, tree)
    assert (told["structure"], told[on_record.CHECKSUMS]) == (None, whole[on_record.CHECKSUMS])


@pytest.mark.slow
def test_contracts_and_the_newest_of_each_phase_are_always_told(kept_for_years, schema_trees):
    (contracts,) = kept_for_years.execute(
        "SELECT array_agg(revision) FROM schema_history WHERE phase = 'contract'"
    ).fetchone()
    told = facts.read(kept_for_years, read_tree(schema_trees["v2"] / "migrations"))["revisions"]
    assert set(contracts) <= set(told)
    assert told[-2:] == ["e0001", "e0002"]
    assert [name for name in told if name.startswith("b_")] == [f"b_{hashlib.md5(b'30').hexdigest()[:20]}"]  # noqa: S324


def test_what_was_left_out_is_known_by_what_follows_it(tmp_path):
    own = OwnRevisions(tmp_path)
    names = [own.add("SELECT 1") for _ in range(4)]
    tree = read_tree(tmp_path)
    told = {"revisions": ["e_of_another", names[2]]}
    assert on_record.revisions(told, tree) == told["revisions"]
    cut = {**told, on_record.LEFT_OUT: 7}
    assert on_record.revisions(cut, tree) == [names[0], names[1], *told["revisions"]]
    assert on_record.revisions({}, tree) == []
