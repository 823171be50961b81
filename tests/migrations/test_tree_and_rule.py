"""The revisions of a tree, and the rule, without a database."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrations import rule
from migrations.errors import BadTreeError
from migrations.rule import Applied, Known
from migrations.tree import FOLDERS, HEAD, PHASES, read_tree
from rehearsal.trees import CHECKOUT, TREES
from tests.support.trees_on_disk import BASE


def write(folder, phase, name, down, extra=""):
    target = folder / phase
    target.mkdir(exist_ok=True)
    (target / f"{name}.py").write_text(f"revision = {name!r}\ndown_revision = {down!r}\n{extra}\n")
    (target / "HEAD").write_text(f"{name}\n")


def test_order_is_by_what_follows_what_and_not_by_file_name(tmp_path):
    write(tmp_path, "expand", "z", None)
    write(tmp_path, "expand", "a", "z")
    write(tmp_path, "expand", "m", "a", 'tables = ("orders",)\ndepends_on = "z"')
    tree = read_tree(tmp_path)
    assert [each.revision for each in tree.expand] == ["z", "a", "m"]
    assert tree.expand[2].settings["tables"] == ("orders",)
    assert tree.expand[2].depends_on == ("z",)
    assert tree.contract == ()


@pytest.mark.parametrize(
    ("files", "named"),
    [
        ([("a", None), ("b", "a"), ("c", "a")], "two heads, b and c both follow a"),
        ([("a", None), ("b", None)], "two heads, a and b both follow the start"),
        ([("a", None), ("b", "gone")], "b.py follows gone"),
        ([("a", "b"), ("b", "a")], "which is not before it"),
    ],
)
def test_a_tree_that_is_not_one_line_is_refused(tmp_path, files, named):
    for name, down in files:
        write(tmp_path, "expand", name, down)
    with pytest.raises(BadTreeError, match=named):
        read_tree(tmp_path)


def test_other_mistakes_are_named(tmp_path):
    write(tmp_path, "expand", "a", None)
    write(tmp_path, "contract", "a", None)
    with pytest.raises(BadTreeError, match="a is in two files"):
        read_tree(tmp_path)
    file = tmp_path / "contract" / "a.py"
    file.write_text(file.read_text().replace("revision = 'a'", "revision = 'c'") + 'depends_on = ("nowhere",)')
    (tmp_path / "contract" / "HEAD").write_text("b\n")
    with pytest.raises(BadTreeError, match="contract/HEAD says b, expected a"):
        read_tree(tmp_path)
    (tmp_path / "contract" / "HEAD").write_text("c\n")
    with pytest.raises(BadTreeError, match="depends on nowhere"):
        read_tree(tmp_path)
    (tmp_path / "contract" / "a.py").write_text("revision = ")
    with pytest.raises(BadTreeError, match=r"contract/a\.py is not Python"):
        read_tree(tmp_path)
    (tmp_path / "contract" / "a.py").write_text("X = 1")
    with pytest.raises(BadTreeError, match="expected one"):
        read_tree(tmp_path)


def test_a_name_that_alembic_could_not_note_is_refused_before_a_release(tmp_path):
    longest = "e0002_".ljust(32, "x")
    write(tmp_path, "expand", "e0001", None)
    write(tmp_path, "expand", longest, "e0001")
    (tmp_path / "backfills").mkdir()
    backfill = (
        f"revision = {'b'.ljust(60, 'x')!r}\ndown_revision = None\nneeds = 'e0001'\ntable = 'orders'\nkey = 'id'\n"
        "assign = 'price = price'\ntodo = 'price IS NULL'\n"
    )
    (tmp_path / "backfills" / "b.py").write_text(backfill)
    (tmp_path / "backfills" / "HEAD").write_text("b\n")
    assert [one.revision for one in read_tree(tmp_path).expand] == ["e0001", longest]
    write(tmp_path, "expand", f"{longest}y", longest)
    with pytest.raises(BadTreeError, match=f"revision of 33 characters, {longest}y; expected at most 32"):
        read_tree(tmp_path)


@pytest.mark.parametrize("name", [*TREES, CHECKOUT])
def test_each_tree_of_the_project_has_one_head_for_each_phase_that_names_its_file(schema_trees, name):
    """Part of make check: a second head is red before an image is built."""
    migrations = schema_trees[name] / "migrations"
    tree = read_tree(migrations)
    for phase in PHASES:
        chain, head = tree.phase(phase), migrations / FOLDERS[phase] / HEAD
        assert (head.read_text() if head.exists() else "") == (f"{chain[-1].file.stem}\n" if chain else "")


@pytest.mark.slow
@pytest.mark.parametrize("name", [*TREES, CHECKOUT])
def test_alembic_sees_the_same_tree(schema_trees, name):
    """Our reading of the files and Alembic's own agree, for every version."""
    program = (
        "from migrations.runner import script_directory; from migrations.tree import read_tree; t = read_tree()\n"
        "s = script_directory()\n"
        "ours = {r.revision for r in (*t.expand, *t.contract)}\n"
        "assert ours == {r.revision for r in s.walk_revisions()}, ours\n"
        "for phase in ('expand', 'contract'):\n"
        "    head = [r.revision for r in t.phase(phase)][-1:]\n"
        "    assert head == [h for h in s.get_heads() if phase in s.get_revision(h).branch_labels], (phase, head)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=schema_trees[name], env=BASE, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_the_service_loads_neither_alembic_nor_sqlalchemy(schema_trees):
    program = "import sys, app.__main__; print(sorted({'alembic', 'sqlalchemy'} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=schema_trees["v1"], env=BASE, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


names = st.frozensets(st.sampled_from(["c1", "c2", "c3", "c4"]))


@given(known=names, applied=names)
def test_servable_means_every_applied_contract_is_known(tmp_path_factory, known, applied):
    folder = tmp_path_factory.mktemp("tree")
    write(folder, "expand", "e1", None)
    down = None
    for name in sorted(known):
        write(folder, "contract", name, down)
        down = name
    tree = read_tree(folder)
    state = Applied(expand=frozenset({"e1", "e-unknown"}), contract=applied)
    assert (rule.unknown_contracts(tree, state) == []) == (applied <= known)
    state = Applied(expand=frozenset({"e1"}), contract=frozenset(), begun=applied)
    assert (rule.unknown_contracts(tree, state) == []) == (applied <= known)
    assert (rule.reason_not_servable(tree, state) is None) == (applied <= known)


@given(applied=names, versions=st.lists(names))
def test_the_oldest_able_is_the_first_that_knows_all(applied, versions):
    known = [Known(version=f"v{at}", contract=each) for at, each in enumerate(versions)]
    found = rule.oldest_able(applied=Applied(expand=frozenset(), contract=applied), versions=known)
    able = [each.version for each in known if applied <= each.contract]
    assert found == (able[0] if able else None)
