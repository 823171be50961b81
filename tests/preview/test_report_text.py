"""The report as a person reads it, in the terminal and in a change request."""

import re
from dataclasses import replace

import pytest

from migrations.errors import BadTreeError
from migrations.linting.verdict import Waived
from preview import markdown, table, text
from preview.cost import Task
from preview.schema import Statement
from tests.preview.a_report import ALTER, BACKFILL, CONTRACT, EXPAND, asked, built, failing, finding, revision

LONG = "x" * 40
WIDE = Statement(number=1, sql=f"ALTER TABLE {LONG} ADD CONSTRAINT {LONG} CHECK ({LONG} > 0) NOT VALID", transaction=1)


def everything():
    plan = asked(
        previous="retired", previous_count=0, on_failure="freeze", frozen="frozen since noon by ann: the night is long",
        version="b" * 12, previous_version="a" * 12, lineage=["a" * 12, "b" * 12], known={"b" * 12: ["c0001"]},
    )  # fmt: skip
    odd = revision(
        "e0002", "expand", ALTER, WIDE, findings=(finding(),), undeclared=("customers",), reason="half of it"
    )
    notes = ("a note that is quite long and goes on for more words than the terminal is wide, to be wrapped somewhere",)
    return built(plan, odd, EXPAND, BACKFILL, CONTRACT, notes=notes)


def test_no_line_is_wider_than_the_terminal_but_sql():
    report = everything()
    shown = text.render(report).splitlines()
    sql = {line for phase in report["schema"]["phases"] for one in phase["revisions"] for line in text.sql(one)}
    wide = [line for line in shown if len(line) > table.WIDTH and line.strip() not in sql]
    assert wide == []
    assert max(map(len, shown)) > 80  # it does use the width


def test_the_columns_of_a_table_are_aligned():
    lines = table.table(("a", "statement", "c"), [("1", "short", "x"), ("22", "long " * 40, "y")], flexible=1)
    assert len({line.rstrip().rindex(last) for line, last in zip(lines, ("c", "x", "y"), strict=True)}) == 1
    assert lines[2].count("…") == 1


def test_everything_a_release_does_is_in_both_texts():
    report = everything()
    for shown in (text.render(report), markdown.render(report)):
        flat = " ".join(shown.split())
        for words in (
            "b" * 12,
            "ADD COLUMN amount_cents bigint",
            "ACCESS EXCLUSIVE",
            "SHARE ROW EXCLUSIVE",
            "scans",
            "0.4 s to 1.6 s",
            "UPDATE orders SET currency",
            "DROP COLUMN price",
            "no-drop: takes a column away; do it in contract",
            "drop is allowed: unused",
            "blue 90 / green 10",
            "2 min in all",
            "the oldest version that can serve then is " + "b" * 12,
            "is frozen where it is",
            "frozen since noon by ann",
            "$0.0494 an hour",
            "locks customers, which its `tables` does not name",
            "half of it",
            "ive sizes: orders 1,200,000 rows, 238 MiB",
            "e0002 statement 2: measured",
            "to be wrapped somewhere",
        ):
            assert words in flat, words
        assert re.search(r"(?i)this release would be refused:.*the lint refuses e0002", flat)


def test_the_refusal_is_the_last_word_in_the_terminal_and_the_first_in_a_comment():
    report = everything()
    assert text.render(report).splitlines()[-1].startswith("THIS RELEASE WOULD BE REFUSED: ")
    assert markdown.render(report).splitlines()[2].startswith("> **This release would be refused:**")


def test_a_good_release_says_nothing_of_a_refusal():
    report = built(None, EXPAND)
    for shown in (text.render(report), markdown.render(report)):
        assert "refused" not in shown.lower()
        assert "frozen" not in shown.lower()


@pytest.mark.parametrize(
    ("report", "words"),
    [
        (lambda: built(asked(action="none", steps=[])), "no release: green serves v2 already"),
        (lambda: built(asked(action="none", steps=[])), "nothing moves"),
        (lambda: built(), "no revision is pending"),
        (lambda: built(asked(action="first", previous_version="v2"), facts=None), "first release of v2 to green"),
        (lambda: built(asked(action="first"), facts=None), "first release: the database is taken to be empty"),
        (lambda: built(facts=None), "nothing is on record about the database"),
        (lambda: built(), "PostgreSQL 17.5; sizes as of 2026-11-25T09:00:00+00:00, 3 h ago"),
        (lambda: built(None, EXPAND, measured=False, reason="no PostgreSQL here"), "not measured: no PostgreSQL here"),
        (lambda: built(None, revision("e0002", "expand", reason="it asks the database")), "SQL not known: it asks"),
        (lambda: built(None, revision("e0002", "expand", WIDE)), "not measured"),
        (lambda: built(asked(action="rollback", steps=[{"blue": 100, "green": 0}])), "at once"),
        (lambda: failing(OSError("no space left")), "the SQL could not be looked at"),
    ],
)
def test_what_is_special_is_said_in_both_texts(report, words):
    found = report()
    for shown in (text.render(found), markdown.render(found)):
        assert words.lower() in " ".join(shown.split()).lower()


def test_very_long_sql_is_cut_in_the_text_and_whole_in_the_json():
    sql = "\n".join(f"SELECT {number}," for number in range(100)) + "\n1"
    report = built(None, revision("e0002", "expand", Statement(number=1, sql=sql, transaction=1)))
    assert f"-- {101 - text.SQL_LINES} more lines: see the JSON file" in text.render(report)
    assert report["schema"]["phases"][0]["revisions"][0]["statements"][0]["sql"] == sql


def test_a_very_long_line_is_cut_too_and_says_where_the_rest_is():
    sql = f"SELECT '{'x' * 300_000}'"
    report = built(None, revision("e0002", "expand", Statement(number=1, sql=sql, transaction=1)))
    for shown in (text.render(report), markdown.render(report)):
        assert f"… -- {len(sql) + 1 - text.SQL_WIDTH} more characters: see the JSON file" in shown
        assert len(shown) < 5_000


HIDDEN = "SELECT 1 <{%fg 0%}> -- \x1b[8m \x1b[1A\x1b[2K \r \x9b2J \u202e egats \u200b \x00 \x07 \x85 \u2028 end"
SEEN = r"SELECT 1 <{\x25fg 0%}> -- \x1b[8m \x1b[1A\x1b[2K \r \x9b2J \u202e egats \u200b \x00 \x07 \x85 \u2028 end"


def test_the_terminal_shows_what_would_hide_a_part_of_the_sql():
    report = built(None, revision("e0002", "expand", Statement(number=1, sql=HIDDEN, transaction=1)))
    assert f"    {SEEN};" in text.render(report).splitlines()


@pytest.mark.parametrize(
    "place",
    [
        lambda: built(asked(frozen=HIDDEN)),
        lambda: built(None, revision("e0002", "expand", ALTER, reason=HIDDEN)),
        lambda: built(None, revision("e0002", "expand", reason=HIDDEN)),
        lambda: built(None, revision("e0002", "expand", ALTER, undeclared=(HIDDEN,))),
        lambda: built(
            None, revision("e0002", "expand", ALTER, waived=(Waived(revision="e", rule="r", reason=HIDDEN),))
        ),
        lambda: built(None, revision("e0002", "expand", ALTER, findings=(replace(finding(), message=HIDDEN),))),
        lambda: built(None, revision("e0002", "expand", ALTER, findings=(replace(finding(), file=HIDDEN),))),
        lambda: built(None, notes=(HIDDEN,)),
        lambda: built(asked(version=HIDDEN)),
        lambda: failing(BadTreeError(HIDDEN)),
    ],
)
def test_so_it_does_wherever_text_of_others_stands(place):
    shown = text.render(place())
    assert "".join(SEEN.split()) in "".join(shown.split())
    assert [one for one in shown if not one.isprintable() and one != "\n"] == []
    assert "<{%" not in shown


def test_a_file_name_of_two_lines_makes_no_line_of_its_own():
    two = replace(revision("e0002", "expand", ALTER), file="e0002.py)\nlint: passed\r\n(")
    for shown in (text.render(built(None, two)), markdown.render(built(None, two))):
        assert [line.strip() for line in shown.splitlines() if "e0002.py" in line] == [
            "-- e0002 (e0002.py) lint: passed ()"
        ]


def test_line_ends_of_sql_stay_and_tabs_are_columns():
    sql = "SELECT\r\n\t1,\n    2"
    report = built(None, revision("e0002", "expand", Statement(number=1, sql=sql, transaction=1)))
    assert "    SELECT\n        1,\n    2;" in text.render(report)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "not known"), (0.0, "<0.1 s"), (0.26, "0.3 s"), (42, "42 s"), (119, "119 s"), (240, "4 min"),
        (3600, "1 h"), (4200, "1 h 10 min"),
    ],
)  # fmt: skip
def test_a_time_reads_well(value, shown):
    assert table.seconds(value) == shown


@pytest.mark.parametrize(("value", "shown"), [(16384, "16 KiB"), (250_000_000, "238 MiB"), (1_500_000_000, "1.4 GiB")])
def test_a_size_reads_well(value, shown):
    assert table.size(value) == shown


@pytest.mark.parametrize(
    ("task", "words"),
    [
        (Task(region="eu-west-1", architecture="X86_64", cpu=1024, memory=2048), "$0.1975 an hour (4 tasks, 4 vCPU"),
        (Task(region="eu-west-1", architecture="ARM64", cpu=1024, memory=2048), "$0.1580 an hour"),
        (Task(region="eu-south-9", architecture="X86_64", cpu=512, memory=1024), "2 vCPU and 4 GB an hour"),
        (Task(region="eu-south-9", architecture="X86_64", cpu=512, memory=1024), "no price is known for Fargate"),
    ],
)
def test_the_cost_of_both_colors_in_an_hour(task, words):
    report = built(asked(task=task))
    assert words in text.price(report["overlap"])
    assert report["overlap"]["extra"]["tasks"] == 2


def test_sql_is_shown_without_the_indent_of_its_file():
    sql = "CREATE TABLE orders (\n            id bigint,\n            price text\n        )"
    report = built(None, revision("e0001", "expand", Statement(number=1, sql=sql, transaction=1)))
    (shown,) = [phase["revisions"][0] for phase in report["schema"]["phases"]]
    assert text.sql(shown) == ["CREATE TABLE orders (", "    id bigint,", "    price text", ");"]
