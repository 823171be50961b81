"""A checkout with revisions of its own: the example's versions are laid all the same, and the own ones are tested."""

import re
import shutil
import subprocess
import sys

import pytest

from infra.version import content_version
from migrations.errors import BadTreeError
from migrations.tree import read_tree
from rehearsal import base
from rehearsal.embedded import Embedded
from rehearsal.report import Report
from rehearsal.stage import Stage
from rehearsal.trees import CHECKOUT, FIRST, TREES, lay, left_out
from tests.support.own_checkout import PLACEHOLDER, add_own, alembic, copy_checkout, write
from tests.support.trees_on_disk import BASE

LINT_REFUSED = 12
OWN = ("expand/e0002_add_a_note", "contract/c0001_and_no_note", "backfills/b0001_note")


@pytest.fixture(scope="module")
def untouched(tmp_path_factory):
    return copy_checkout(tmp_path_factory.mktemp("untouched") / "project")


@pytest.fixture(scope="module")
def own(untouched, tmp_path_factory):
    project = tmp_path_factory.mktemp("own") / "project"
    shutil.copytree(untouched, project)
    add_own(project)
    return project


@pytest.fixture
def mine(own, tmp_path):
    """Another one, for a test to spoil."""
    return shutil.copytree(own, tmp_path / "mine")


def run(project, *arguments):
    return subprocess.run(
        [sys.executable, "-m", *arguments], cwd=project, env=BASE, capture_output=True, text=True, timeout=120
    )


@pytest.mark.parametrize("name", TREES)
def test_the_examples_versions_are_the_same_without_and_with_own_revisions(own, untouched, tmp_path, name):
    laid, expected = lay(name, tmp_path / "own", own), lay(name, tmp_path / "untouched", untouched)
    read_tree(laid / "migrations")
    assert content_version(laid) == content_version(expected)


def test_twin_uncut_the_names_meet(own, tmp_path, monkeypatch):
    monkeypatch.setattr(base, "cut", lambda *_: None)
    with pytest.raises(BadTreeError, match="revision b0001 is in two files"):
        read_tree(lay("v2", tmp_path, own) / "migrations")


def test_the_checkout_itself_keeps_them_and_the_lint_of_make_check_passes(own, tmp_path):
    tree = read_tree(lay(CHECKOUT, tmp_path, own) / "migrations")
    assert {"e0002", "b0001", "c0001"} <= {revision.revision for revision in tree.all()}
    linted = run(own, "migrations", "lint")
    assert linted.returncode == 0, linted.stdout + linted.stderr


def test_the_rehearsal_says_what_it_leaves_out_and_why(own, untouched, tmp_path, monkeypatch):
    class EnoughError(Exception):
        pass

    def enough(_):
        raise EnoughError

    monkeypatch.setattr(Embedded, "stop", enough)  # the trees are laid by then
    said = {own: [], untouched: []}
    for project, lines in said.items():
        stage = Stage(
            folder=tmp_path / project.parent.name, stack="local", rps=1, pulumi="", show=lines.append,
            report=Report(started=0, rps=1), project=project,
        )  # fmt: skip
        with pytest.raises(EnoughError):
            stage.open()
        assert set(stage.trees) == set(TREES)
    (line,) = said[own]
    assert line == left_out(own)
    assert "\n" not in line
    assert all(name in line for name in OWN)
    if not FIRST:  # else the example's first version is kept as an overlay, and nothing of the checkout is built on
        assert "build on e0001 (docs/rehearsal.md, Versions)" in line
        assert said[untouched] == []


def test_what_makes_no_sense_and_is_followed_by_nobody_is_left_out(mine, untouched, tmp_path):
    (mine / "migrations/expand/e0003_half.py").write_text("revision = ")
    assert content_version(lay("v3", tmp_path, mine)) == content_version(lay("v3", tmp_path / "b", untouched))
    assert "e0003_half" in left_out(mine)


@pytest.mark.skipif(bool(FIRST), reason="the example's first version is kept as an overlay")
def test_without_what_the_overlays_follow_it_says_what_to_do(mine, tmp_path):
    first = mine / "migrations/expand/e0001_orders.py"
    first.write_text("revision = ")
    with pytest.raises(BadTreeError, match=r"expand/e0001_orders\.py is not Python"):
        lay("v1", tmp_path, mine)
    first.unlink()
    with pytest.raises(BadTreeError, match=r"e0002_amount_columns\.py follows e0001.*rehearsal/overlays/v1, or repl"):
        lay("v1", tmp_path, mine)


LAY = """
from pathlib import Path
from infra.version import content_version
from rehearsal.trees import lay_all
print(*(f"{name} {content_version(tree)}" for name, tree in lay_all(Path("laid")).items()), sep="\\n")
"""


def test_the_example_that_is_kept_as_an_overlay_outlives_the_service_made_of_it(untouched, tmp_path):
    """As docs/rehearsal.md says to do it."""
    project = shutil.copytree(untouched, tmp_path / "service")
    kept = project / "rehearsal/overlays/v1"
    shutil.copytree(project / "app", kept / "app", dirs_exist_ok=True)
    shutil.copytree(project / "migrations/expand", kept / "migrations/expand", dirs_exist_ok=True)
    expected = laid(project)
    (project / "app/health.py").write_text("ANOTHER = 1\n")
    for file in (project / "migrations/expand").glob("e*.py"):
        file.rename(file.with_name("e0001_invoices.py"))
    (project / "migrations/expand/HEAD").write_text("e0001_invoices\n")
    assert laid(project) == expected
    # Without it the rehearsal's first version would be the other service.
    shutil.rmtree(kept)
    assert laid(project)["v1"] != expected["v1"]


def laid(project):
    """The version of each tree that the project lays, as a process of its own does."""
    done = subprocess.run([sys.executable, "-c", LAY], cwd=project, env=BASE, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return dict(line.split() for line in done.stdout.splitlines())


def collected(project):
    """The cases of every revision, and how collecting the tests of the schema ended."""
    done = run(project, "pytest", "tests/migrations", "--collect-only")
    assert done.returncode == 0, done.stdout[-3000:]
    assert "tests/migrations/test_lint.py::" in done.stdout
    return re.findall(r"test_every_revision\.py::test_on_tables_with_rows_and_while_it_is_used\[(.+)\]", done.stdout)


@pytest.mark.slow
def test_each_own_revision_is_a_case_beside_those_of_the_example(own, untouched):
    plain = collected(untouched)
    assert {"v1-e0001", "v2-e0002", "v2-b0001", "v3-c0001", "v3-c0002"} <= set(plain)
    assert sorted(collected(own)) == sorted([*plain, "checkout-e0002", "checkout-b0001", "checkout-c0001"])


@pytest.mark.slow
def test_a_tree_that_makes_no_sense_is_a_test_that_fails_and_stops_no_other(mine):
    shutil.copy2(mine / "migrations/expand/e0002_add_a_note.py", mine / "migrations/expand/e0002_again.py")
    files = ("tests/migrations/test_tree_and_rule.py", "tests/migrations/test_every_revision.py")
    done = run(mine, "pytest", *files, "-k", "makes_no_sense or one_head")
    assert re.findall(r"^FAILED .+::(\w+\[\w+\])", done.stdout, re.MULTILINE) == [
        "test_each_tree_of_the_project_has_one_head_for_each_phase_that_names_its_file[checkout]",
        "test_no_case_is_missing_because_a_tree_makes_no_sense[checkout]",
    ]
    why = r"^E +migrations\.errors\.BadTreeError: migrations: revision e0002 is in two files"
    assert len(re.findall(why, done.stdout, re.MULTILINE)) == 2
    assert f"2 failed, {len(TREES) + 1} passed" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "constants"),
    [
        (("--head", "expand@head", "-m", "add a note"), ('down_revision = "e0002"', "branch_labels = None")),
        (("--head", "contract@head", "-m", 'a "note"\\'), ('down_revision = "c0001"', "depends_on = None")),
        (
            ("--head", "base", "--branch-label", "more", "--version-path", "migrations/contract",
             "--depends-on", "e0001", "--depends-on", "e0002", "-m", "words " * 40),
            ('branch_labels = ("more",)', 'depends_on = ("e0001", "e0002")', "down_revision = None"),
        ),
    ],
)  # fmt: skip
def test_what_alembic_makes_of_the_template_is_as_ruff_wants_it(mine, arguments, constants):
    made = alembic(mine, "--rev-id", "x0009", *arguments)
    assert set(constants) <= set(made.read_text().splitlines())
    for check in (("check",), ("format", "--check")):
        found = run(mine, "ruff", *check, "--no-cache", str(made))
        assert found.returncode == 0, found.stdout


def test_a_revision_that_was_not_written_yet_is_refused_by_the_lint(mine):
    made = alembic(mine, "--rev-id", "e0003", "--head", "expand@head", "-m", "add more")
    assert PLACEHOLDER in made.read_text()
    (made.parent / "HEAD").write_text(f"{made.stem}\n")
    refused = run(mine, "migrations", "lint")
    assert refused.returncode == LINT_REFUSED
    assert "expand/e0003_add_more.py: error: syntax-error" in refused.stdout
    write(made, "ALTER TABLE orders ADD COLUMN more text")
    assert run(mine, "migrations", "lint").returncode == 0
