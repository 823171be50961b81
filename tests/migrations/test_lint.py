"""The lint as a whole: exceptions beside a revision, the verdict as data, the commands, and the gate that obeys it."""

import json
import subprocess
import sys

import pytest

from migrations.errors import LintRefusedError
from migrations.linting.lint import lint, require_clean
from migrations.tree import read_tree
from rehearsal.trees import CHECKOUT, PROJECT, TREES
from tests.support.own_revisions import OwnRevisions
from tests.support.trees_on_disk import BASE, migrate, result_of

DROP = "ALTER TABLE orders DROP COLUMN status"
LINT_REFUSED = 12
WHY = "no version reads it"


def constants(exceptions):
    return f'tables = ("orders",)\nlint_exceptions = {exceptions}'


@pytest.fixture
def own(tmp_path):
    return OwnRevisions(tmp_path / "migrations")


def only(own):
    (one,) = lint(own.tree())
    return one


def test_the_verdict_is_data_and_a_sentence(own):
    own.add("ALTER TABLE orders ADD COLUMN note text", DROP)
    (finding,) = only(own).findings
    found = finding.as_json()
    assert found.pop("message").startswith("Dropping a column")
    assert found == {
        "revision": "e0001", "phase": "expand", "file": "expand/e0001_test.py", "rule": "ban-drop-column",
        "level": "error", "statement": 2, "advice": "that belongs in a contract revision",
    }  # fmt: skip
    assert str(finding).startswith("expand/e0001_test.py statement 2: error: ban-drop-column: Dropping")
    with pytest.raises(LintRefusedError, match=r"lint_exceptions = \{\"ban-drop-column\": \"the reason\"\}"):
        require_clean(lint(own.tree()))


def test_an_exception_with_a_reason_lets_the_statement_through_and_is_told(own):
    own.add(DROP, constants=constants({"ban-drop-column": "made for the overlap\n  and never released"}))
    one = only(own)
    assert one.findings == ()
    assert [waived.as_json() for waived in one.waived] == [
        {"revision": "e0001", "rule": "ban-drop-column", "reason": "made for the overlap and never released"}
    ]
    require_clean([one])


@pytest.mark.parametrize(
    ("exceptions", "said"),
    [
        ({"ban-drop-column": ""}, "the exception from ban-drop-column has no reason: an empty text, expected words"),
        ({"ban-drop-column": "  "}, "the exception from ban-drop-column has no reason: an empty text"),
        ({"ban-drop-column": None}, "the exception from ban-drop-column has no reason: found None, expected words"),
        ({"ban-drop-column": " x "}, "found ' x ', expected words that say why it is safe here, at least two and 10"),
        ({"ban-drop-column": "because I can"[:9]}, "found 'because I', expected words"),
        ({"ban-drop-column": "xxxxxxxxxxxxxxx"}, "found 'xxxxxxxxxxxxxxx', expected words"),
        ({"ban-drop-column": "a\x1b[2J"}, r"found 'a\x1b[2J', expected words"),
        ({"ban-drop-columns": "why"}, "there is no rule 'ban-drop-columns'"),
        ({"ban-drop-column": WHY, "row-change": WHY}, "the exception from row-change is not needed"),
        ({"lint-exceptions": "why"}, "there is no rule 'lint-exceptions'"),
        (("ban-drop-column",), "it is no dictionary"),
    ],
)
def test_an_exception_that_is_wrong_is_itself_an_error(own, exceptions, said):
    own.add(DROP, constants=constants(exceptions))
    wrong = [finding for finding in only(own).errors if finding.rule == "lint-exceptions"]
    assert len(wrong) == 1
    assert said in wrong[0].message


def test_an_exception_is_for_its_revision_alone(own):
    own.add(DROP, constants=constants({"ban-drop-column": WHY}))
    own.add(DROP)
    assert [len(one.errors) for one in lint(own.tree())] == [0, 1]


@pytest.mark.parametrize("name", [*TREES, CHECKOUT])
def test_every_revision_of_every_version_is_clean(schema_trees, name):
    """For ever: a revision that is added is linted here without a test of its own."""
    tree = read_tree(schema_trees[name] / "migrations")
    linted = lint(tree)
    assert {one.revision.revision for one in linted} == {revision.revision for revision in tree.all()}
    require_clean(linted)


def command(tree, *arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "migrations", *arguments],
        cwd=tree, env={**BASE, **environment}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


@pytest.mark.slow
def test_the_commands_sql_and_lint_need_no_settings_and_no_database(schema_trees, own_tree):
    run = command(schema_trees["v3"], "sql", "--json")
    result = json.loads(run.stdout)["result"]
    assert [(one["revision"], one["phase"]) for one in result["revisions"]] == [
        ("e0001", "expand"), ("e0002", "expand"), ("c0001", "contract"), ("c0002", "contract"), ("b0001", "backfill"),
    ]  # fmt: skip
    assert result["refused"] == []
    assert "ADD COLUMN amount_cents" in result["revisions"][1]["statements"][0]["sql"]
    assert command(schema_trees["v3"], "lint").returncode == 0

    tree = own_tree(DROP, settings='tables = ("orders",)', allow=False)
    run = command(tree, "lint")
    assert run.returncode == LINT_REFUSED
    assert "lint: expand/e0002_test.py statement 1: error: ban-drop-column" in run.stdout
    assert run.stderr.startswith("migrations: lint: 1 error in e0002_test.py; mend the revision")
    assert json.loads(command(tree, "sql", "--json").stdout)["result"]["refused"] == ["e0002"]


def tables_of(connection):
    return connection.execute("SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace").fetchone()[0]


@pytest.mark.slow
def test_a_reason_cannot_drive_a_terminal(own_tree):
    """Neither as a line of the log nor as a text of the result, which others show."""
    tree = own_tree(DROP, settings=constants({"ban-drop-column": "no version \x1b[2J\u202ereads it"}), allow=False)
    shown = r"no version \x1b[2J\u202ereads it"
    assert f"lint: e0002_test.py: ban-drop-column is allowed: {shown}" in command(tree, "lint").stdout.splitlines()
    result = json.loads(command(tree, "sql", "--json").stdout)["result"]
    assert [one["reason"] for one in result["revisions"][1]["exceptions"]] == [shown]


@pytest.mark.slow
def test_the_gate_refuses_before_it_changes_anything(own_tree, owner_environment, schema_server, schema):
    tree = own_tree(DROP, settings='tables = ("orders",)', allow=False)
    run = migrate(tree, owner_environment, "expand", "v2")
    assert run.returncode == LINT_REFUSED
    assert run.stderr.startswith("migrations: expand e0002 is refused by the lint: expand/e0002_test.py statement 1")
    assert run.stderr.rstrip().endswith("nothing was changed")
    with schema_server.connect(schema) as connection:
        assert tables_of(connection) == 0  # not even e0001, which is fine, nor the runner's own tables


@pytest.mark.slow
def test_twin_with_the_exception_the_same_statement_runs(own_tree, owner_environment, schema_server, schema):
    tree = own_tree(DROP, settings=constants({"ban-drop-column": "shown to run"}), allow=False)
    run = migrate(tree, owner_environment, "expand", "v2")
    assert result_of(run)["applied"] == ["e0001", "e0002"]
    assert "lint: e0002_test.py: ban-drop-column is allowed: shown to run" in run.stdout
    with schema_server.connect(schema) as connection:
        assert tables_of(connection) > 0


@pytest.mark.slow
def test_what_was_applied_is_not_linted_again(own_tree, owner_environment):
    """A rule that is added later does not stop a release that brings nothing it could refuse."""
    settings = constants({"ban-drop-column": "it was applied"})
    tree = own_tree(DROP, settings=settings, allow=False)
    result_of(migrate(tree, owner_environment, "expand", "v2"))
    rules = tree / "migrations" / "linting" / "rules.py"
    rules.write_text(rules.read_text().replace('"ban-drop-column": _CONTRACT,', ""))
    assert command(tree, "lint").returncode == LINT_REFUSED  # the exception is from no rule now
    assert result_of(migrate(tree, owner_environment, "expand", "v3"))["applied"] == []


BROKEN = {
    "it is not installed": ("PACKAGE = 'squawk-nowhere'", "the package squawk-nowhere is not installed"),
    "it does not run": ("program = lambda: Path('/nowhere/squawk')", "squawk does not run here: No such file"),
    "it crashes": ("program = lambda: Path('{crash}')", "squawk ended with 101, expected 0: thread main panicked"),
    "it never ends": ("SECONDS = 0.5; program = lambda: Path('{hang}')", "squawk did not answer within 0.5 s"),
    "it answers nonsense": ("program = lambda: Path('/bin/true')", "squawk's parser answered"),
}


@pytest.mark.slow
@pytest.mark.parametrize("how", BROKEN)
def test_without_squawk_nothing_runs(own_tree, owner_environment, schema_server, schema, tmp_path, how):
    change, said = BROKEN[how]
    for name, body in (("crash", "echo 'thread main panicked' >&2; exit 101"), ("hang", "exec sleep 60")):
        script = tmp_path / name
        script.write_text(f"#!/bin/sh\n{body}\n")
        script.chmod(0o755)
        change = change.replace(f"{{{name}}}", str(script))
    tree = own_tree("ALTER TABLE orders ADD COLUMN note text", settings='tables = ("orders",)')
    file = tree / "migrations" / "linting" / "squawk.py"
    file.write_text(f"{file.read_text()}\n\n{change}\n")
    run = migrate(tree, owner_environment, "expand", "v2")
    assert run.returncode == LINT_REFUSED
    assert run.stderr.startswith("migrations: lint: ")
    assert said in run.stderr
    assert "nothing was changed" in run.stderr
    with schema_server.connect(schema) as connection:
        assert tables_of(connection) == 0


@pytest.mark.slow
def test_squawk_needs_no_home_and_no_folder_to_write_to():
    """The image runs as 10001 on a root file system that is read-only."""
    program = (
        "import os, resource\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))\n"  # no file can get a byte
        "from migrations.linting import squawk\n"
        "print(len(squawk.parse('SELECT 1; SELECT 2').statements))\n"
        "print(squawk.find('SELECT 1;', include=(), exclude=(), server='18.0'))\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program],
        cwd=PROJECT,
        env=BASE,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=60,
    )
    assert run.stdout.split() == ["2", "[]"]
