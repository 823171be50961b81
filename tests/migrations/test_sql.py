"""The SQL of a revision without a database: one entry for each statement, and the same that Alembic writes."""

import re
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from migrations.linting import squawk, syntax
from migrations.linting.sql import render
from migrations.tree import read_tree
from rehearsal.trees import TREES
from tests.support.own_revisions import OwnRevisions
from tests.support.trees_on_disk import BASE


@pytest.fixture
def own(tmp_path):
    return OwnRevisions(tmp_path / "migrations")


def rendered(own):
    tree = own.tree()
    return render((*tree.expand, *tree.contract)[-1])


def test_one_entry_for_each_statement_also_of_one_string(own):
    own.add("CREATE TABLE a (id bigint); CREATE TABLE b (id bigint);", "COMMENT ON TABLE a IS 'x; y'")
    found = rendered(own)
    assert [(one.number, one.sql) for one in found.statements] == [
        (1, "CREATE TABLE a (id bigint)"), (2, "CREATE TABLE b (id bigint)"), (3, "COMMENT ON TABLE a IS 'x; y'"),
    ]  # fmt: skip
    assert {one.transaction for one in found.statements} == {1}
    assert (found.unseen, found.errors) == ("", ())


def test_what_runs_outside_of_a_transaction_is_told_apart(own):
    own.add(
        body='from migrations import concurrently\nconcurrently.create_index("i", "orders", ("customer",))\n'
        'concurrently.validate_constraint("orders", "c")',
        constants='tables = ("orders",)\noutside_transaction = True',
    )
    found = rendered(own).statements
    assert [one.transaction for one in found] == [None, None]
    assert found[0].sql.startswith("CREATE INDEX CONCURRENTLY")


def test_percent_colon_and_other_letters_are_as_they_were_written(own):
    written = r"COMMENT ON TABLE orders IS '100% of \:all, naïve €'"
    own.add(written)
    assert [one.sql for one in rendered(own).statements] == [written.replace(r"\:", ":")]


def test_alembic_operations_are_seen_as_sql(own):
    own.add(
        body='op.add_column("orders", sa.Column("note", sa.Text))\nop.create_table("t", sa.Column("id", sa.Integer))'
    )
    first, second = rendered(own).statements
    assert first.sql == "ALTER TABLE orders ADD COLUMN note TEXT"
    assert second.node.kind == "CREATE_TABLE"


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in TREES if name not in ("broken-migration", "never-healthy")])
def test_alembic_itself_writes_the_same(schema_trees, name):
    """Of the pinned version, by its own command: what it changes in an upgrade is seen here."""
    for phase in ("expand", "contract"):
        tree = read_tree(schema_trees[name] / "migrations")
        if not tree.phase(phase):
            continue
        run = subprocess.run(
            [sys.executable, "-m", "alembic", "-c", "migrations/alembic.ini", "upgrade", f"{phase}@head", "--sql"],
            cwd=schema_trees[name], env=BASE, capture_output=True, text=True, check=True, timeout=60,
        )  # fmt: skip
        parsed = squawk.parse(run.stdout)
        assert parsed.errors == ()
        theirs = [
            node.text for node in parsed.statements if not re.search(r"alembic_version|^(BEGIN|COMMIT)", node.text)
        ]
        before = () if phase == "expand" else tree.expand
        ours = [f"{one.sql};" for revision in (*before, *tree.phase(phase)) for one in render(revision).statements]
        assert [" ".join(text.split()) for text in theirs] == [" ".join(text.split()) for text in ours]


PIECES = (
    "SELECT 1", "SELECT 'a;b'", "SELECT $$ ; -- $$", "SELECT $x$ $$;$$ $x$", 'SELECT 1 AS "a;""b"', "SELECT E'\\';'",
    "/* ; /* ; */ */ SELECT 2", "SELECT 3 -- ;\n + 4", "DROP TABLE ünïcode", "SELECT U&'\\0061;'", "SELECT b'1', x'f'",
    "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN 1; END; $$",
    "CREATE FUNCTION g() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; SELECT 2; END",
)  # fmt: skip

BETWEEN = (";", ";\n", " ; ;\n\n", ";\t/* x; */\n")


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.sampled_from(PIECES), min_size=1, max_size=6),
    st.sampled_from([";", ";\n", " ; ;\n\n", ";\t/* x; */\n"]),
)
def test_statements_are_split_where_the_server_splits_them(pieces, between):
    parsed = squawk.parse(between.join(pieces) + ";\n")
    assert parsed.errors == ()
    bare = [re.sub(r"^(/\* ; /\* ; \*/ \*/ )", "", piece) for piece in pieces]
    assert [node.text.rstrip("; ") for node in parsed.statements] == bare


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40))
def test_any_text_is_read_or_has_errors_and_nothing_is_lost(text):
    parsed = squawk.parse(text)
    for node in parsed.statements:
        for inner in node.walk():
            assert node.start <= inner.start <= inner.end <= node.end
            assert inner.text == text.encode()[inner.start : inner.end].decode()


TREE = 'SOURCE_FILE@0..8\n  SELECT@0..8\n    SELECT_KW@0..6 "SELECT"\n    WHITESPACE@6..7 " "\n    INT@7..8 "1"\n\n'


def test_a_tree_as_expected_is_read():
    assert [node.kind for node in syntax.read("SELECT 1", TREE).statements] == ["SELECT"]


@pytest.mark.parametrize(
    "printed",
    [
        "",
        "{}",
        TREE.replace("SOURCE_FILE", "FILE"),
        TREE.replace("0..8\n", "0..7\n", 1),
        TREE.replace("@7..8", "@7-8"),
        TREE.replace("@7..8", "@7..9"),
        TREE.replace("    INT", "        INT"),
        TREE.replace("SELECT_KW", "ERROR"),
        f"{TREE}\n---\nsomething else\n",
        f"{TREE}{TREE}",
    ],
)
def test_another_form_of_the_tree_is_refused_and_not_guessed(printed):
    with pytest.raises(syntax.SyntaxFormError):
        syntax.read("SELECT 1", printed)


def test_names_are_as_the_catalog_has_them():
    (node,) = squawk.parse('DROP TABLE Orders, public.orders, "orders", "Orders", audit."Log"').statements
    assert [name.name for name in node.all("TABLE_NAME_REF")] == [
        "orders", "orders", "orders", '"Orders"', 'audit."Log"',
    ]  # fmt: skip
