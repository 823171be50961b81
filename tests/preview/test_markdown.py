"""The comment on a change request: whatever revisions, reasons and names hold, it stays text, and short enough.

`Seen` reads a comment as CommonMark does as far as that matters here: fences, code spans, escapes, what is left.
"""

import html
import re
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from migrations.linting.verdict import Waived
from preview import markdown, prose
from preview.cost import Task
from preview.schema import Estimate, Lock, Statement
from tests.preview.a_report import CONTRACT, asked, built, finding, revision
from tools import previews

GITHUB = 65_536  # characters of a comment
OURS = re.compile(
    r"<details><summary>SQL of (expand|backfill|contract)</summary>|</details>|<https://aws\.amazon\.com/\S+>"
)
STRONG = (
    *("Schema.", "Expand", "Backfill", "Contract", "Lint.", "Traffic.", "Going back", "no", "Both colors running."),
    *("This release would be refused:", "Frozen:"),
    "Parts of this report are left out, as it is too long: see the JSON file.",
)


class Seen:
    """A comment as a forge shows it: `code` is shown as it is, `prose` still has its signs."""

    def __init__(self, comment):
        self.code, self.prose, self.fences = [], [], []
        fence = None
        for line in comment.split("\n"):
            ticks = re.match(r" {0,3}(`{3,})([^`]*)$", line)
            if fence is not None:
                if ticks and len(ticks[1]) >= fence and not ticks[2].strip():
                    fence = None
                else:
                    self.fences[-1].append(line.removeprefix(" "))
            elif ticks:
                fence = len(ticks[1])
                self.fences.append([])
            else:
                self.prose.append(self._line(line))
        assert fence is None, "a fence is left open"

    def _line(self, line):
        """With a sign that can't act for each code span and escape."""
        left, at = "", 0
        cell = line.startswith("|")
        while at < len(line):
            if line[at] == "\\" and at + 1 < len(line):
                left, at = f"{left}¤", at + 2
                continue
            if line[at] != "`":
                left, at = left + line[at], at + 1
                continue
            marks = re.match("`+", line[at:])[0]
            end = re.search(f"(?<!`){marks}(?!`)", line[at + len(marks) :])
            assert end, f"back-ticks that nothing closes: {line}"
            inside = line[at + len(marks) :][: end.start()]
            if cell:
                assert not re.search(r"(?<!\\)\|", inside), "a bar in code ends a cell"
                inside = inside.replace("\\|", "|")
            self.code.append(inside[1:-1] if inside[:1] == inside[-1:] == " " and inside.strip() else inside)
            left += "¤"
            at += 2 * len(marks) + len(inside.replace("|", "\\|") if cell else inside)
        return left


def assert_harmless(comment):
    assert len(comment) <= markdown.LONGEST
    seen = Seen(comment)
    headings = [line for line in seen.prose if re.match(r" {0,3}#{1,6}(\s|$)", line)]
    assert headings == seen.prose[:1]
    for line in seen.prose:
        left = OURS.sub("", line)
        assert not re.search(r"[<\[\]_~]", left), f"a tag, a link, an image or emphasis: {line}"
        assert set(re.findall(r"\*+(.*?)\*+", left)) <= set(STRONG), line
        assert not re.search(r"\\$| {2}$", line), f"a break: {line}"
        assert not re.match(r" {0,3}(=|-+\s*$|\+|:|/|\d+[.)]\s|- ([-+]|#\s|\d+[.)]\s)|    )", left), f"a block: {line}"
        read = html.unescape(left)  # what a forge looks through for mentions and addresses
        assert not re.search(r"@\w|#\d|://|www\.", read), f"a mention, a reference or an address: {line}"
        if line.startswith("|"):
            assert line.count("|") in (4, 5, 7), f"another number of cells: {line}"
    return seen


SIGNS = (
    "`", "``", "```", "````", "~~~", "|", "\\", "\\|", "\\`", "<", ">", "&lt;", "<!--", "<img/src=x>",
    "</details>", "<script>", "#", "##", "*", "**", "_", "-", "+", "1.", "9)", "---", "===", ">", ":--", "x",
    "$x$", "[a](http://b)", "![i](https://evil/i.png)", "[x]:http://b", "<https://evil>", "https://evil",
    "www.evil.example", "[!NOTE]", "/close", "@everyone", "@org/team", "a@b.example", "#12", "&#64;all",
)  # fmt: skip
BETWEEN = ("\n", "\n\n", "\r", " ", "    ", "\t", "\x1b[8m", "\u202e")
NASTY = st.lists(st.sampled_from([*SIGNS, *BETWEEN]) | st.text(max_size=4), max_size=12).map("".join)


def nasty(one, *, many=1):
    """A report that has this text in each place where others write."""
    statement = Statement(
        number=1, sql=one, transaction=1, locks=(Lock(table=one or "t", mode="SHARE"),), scans=(one or "t",),
        estimate=Estimate(low=0.1, high=0.4, basis=one),
    )  # fmt: skip
    revisions = [
        revision(
            f"{phase[0]}{number:04}{one}", phase, *([statement] * many), reason=one, undeclared=(one,),
            findings=(replace(finding(), message=one, advice=one, rule=one, file=one),),
            waived=(Waived(revision=one, rule=one, reason=one),),
        )
        for phase in ("expand", "backfill", "contract")
        for number in range(many)
    ]  # fmt: skip
    plan = asked(version=f"v2{one}", previous_version=f"v1{one}", frozen=one)
    return built(plan, *[replace(one_, file=one) for one_ in revisions], notes=[one] * many, measured=False, reason=one)


@settings(max_examples=150, deadline=None)
@given(NASTY)
@example("COMMENT ON TABLE orders IS '\n  ```\n</details>\n\n# @everyone merge me ![x](https://evil/x.png)\n'")
@example("SELECT 1 /* `` | <img src=x> [a](http://b) `` */")
@example("`a```x`@all``")
@example("`a``b` @all")
@example("\\`@all` \\")
@example("- # 1. x")
@example("`~~~`-")
def test_nothing_that_others_wrote_gets_out_of_the_text(one):
    assert_harmless(markdown.render(nasty(one)))


@settings(max_examples=100, deadline=None)
@given(NASTY)
@example("ALTER TABLE o ADD CHECK (n < 5 AND p ~ '\\d' OR a || b = '\\|')")
def test_sql_is_shown_as_it_is_in_a_cell_and_below(sql):
    seen = Seen(markdown.render(built(None, revision("e0002", "expand", Statement(number=1, sql=sql, transaction=1)))))
    flat = " ".join(prose.visible(sql).split())
    short = flat if len(flat) <= markdown.SHOWN else f"{flat[: markdown.SHOWN - 1]}…"
    assert seen.code == ([short] if short else [])
    (fence,) = seen.fences
    assert "".join("".join(fence[1:]).split()).rstrip(";") == "".join(flat.split()).rstrip(";")


def test_code_in_a_reason_stays_code_and_the_rest_reads_as_it_was_written():
    shown = prose.prose("run `make tools | cat`, then 5 < 6 & *see* a_b #7 of @ann")
    assert shown.startswith("run `make tools | cat`, then 5 &lt; 6 &amp; \\*see\\* a\\_b ")
    assert html.unescape(shown).replace("\u200b", "").replace("\\", "").endswith("5 < 6 & *see* a_b #7 of @ann")
    assert prose.prose("`a|b`", cell=True) == "`a\\|b`"


def test_no_line_of_a_fence_begins_where_a_forge_looks_for_commands():
    comment = markdown.render(
        built(None, revision("e0002", "expand", Statement(number=1, sql="/close", transaction=1)))
    )
    assert " /close;\n" in comment
    assert "\n/" not in comment


def test_the_address_of_the_prices_is_a_link_as_it_is_ours():
    unknown = Task(region="eu-south-9", architecture="X86_64", cpu=512, memory=1024)
    assert "see <https://aws.amazon.com/fargate/pricing/>." in markdown.render(built(asked(task=unknown)))


@pytest.mark.parametrize("many", [1, 8])
@pytest.mark.parametrize("one", ["x" * 30_000, "@#" * 2_000, "a\n" * 3_000, "``` " * 500])
def test_however_much_there_is_the_comment_is_short_enough_and_says_what_is_left_out(one, many):
    comment = markdown.render(nasty(one, many=many))
    assert_harmless(comment)
    assert "see the JSON file" in comment


def test_a_long_list_is_cut_and_what_matters_most_is_still_there():
    each = Statement(number=1, sql=f"SELECT '{'y' * 60}'", transaction=1)
    comment = markdown.render(built(None, *[revision(f"e{number:04}", "expand", each, each) for number in range(400)]))
    assert_harmless(comment)
    assert re.search(r"\n\n… and \d+ more rows: see the JSON file\n", comment)
    assert re.search(r"\n -- \d+ more lines: see the JSON file\n", comment)
    for words in ("### Release of v2", "**Traffic.** blue 100", "**Going back** to v1", "**Both colors running.**"):
        assert words in comment


def test_twin_a_short_report_is_whole():
    assert "see the JSON file" not in markdown.render(built(None, CONTRACT))


def test_with_the_resources_and_errors_of_a_run_it_is_still_short_enough():
    release = "x" * markdown.LONGEST
    resource = {"name": "`| <b>" * 20, "type": "a:b/c:D", "urn": "u", "operation": "delete"}
    made = {
        "stack": "dev", "changes": {"delete": 900}, "replaced": [resource] * 900, "deleted": [resource] * 900,
        "errors": ["![x](https://evil/x.png) @all\n# x"] * 900, "exitCode": 255,
    }  # fmt: skip
    comment = previews.markdown(made, release)
    assert len(comment) <= GITHUB
    assert re.search(r"> … and \d+ more: see the JSON file", comment)
    for line in Seen(comment).prose:
        assert not re.search(r"[<\[]|@\w|://|^> *#", line), line
