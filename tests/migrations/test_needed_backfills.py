"""A version that brings a contract reads the new shape only: what its contract needs filled must be filled before."""

import shutil
from pathlib import Path

import pytest

from migrations.rule import Applied, needed_backfills
from migrations.tree import Revision, Tree, read_tree
from tests.migrations.orders_over_http import expect, write
from tests.support.trees_on_disk import migrate, result_of, service


def applied(*backfills):
    return Applied(expand=frozenset({"e0001", "e0002"}), contract=frozenset(), backfill=frozenset(backfills))


def test_needed_is_what_a_contract_of_the_image_names_and_nobody_has_completed(schema_trees):
    v2, v3 = (read_tree(schema_trees[name] / "migrations") for name in ("v2", "v3"))
    assert needed_backfills(v2, applied()) == []
    assert needed_backfills(v3, applied()) == ["b0001"]
    assert needed_backfills(v3, applied("b0001")) == []


def of(revision, phase, needs_backfills=()):
    return Revision(
        revision=revision, phase=phase, down_revision=None, depends_on=(), needs_backfills=needs_backfills,
        outside_transaction=False, file=Path(f"{revision}.py"), checksum="", settings={},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("done", "needed"),
    [((), ["b1", "b2"]), (("b1",), ["b2"]), (("b2",), []), (("b1", "b2"), []), (("b1", "b2", "b3"), [])],
)
def test_those_before_a_needed_one_come_with_it_and_those_after_wait(done, needed):
    backfills = tuple(of(name, "backfill") for name in ("b1", "b2", "b3"))
    tree = Tree(expand=(of("e1", "expand"),), contract=(of("c1", "contract", ("b2",)),), backfill=backfills)
    assert needed_backfills(tree, applied(*done)) == needed


@pytest.mark.slow
def test_only_what_is_needed_is_filled_before_the_image_serves(schema_trees, tmp_path, owner_environment):
    """With --needed; the twin without it fills them all."""
    tree = tmp_path / "v3"
    shutil.copytree(schema_trees["v3"], tree)
    folder = tree / "migrations" / "backfills"
    first = next(folder.glob("b0001*.py")).read_text()
    later = first.replace('"b0001"', '"b0002"').replace("down_revision = None", 'down_revision = "b0001"')
    (folder / "b0002_later.py").write_text(later)
    (folder / "HEAD").write_text("b0002_later\n")
    gate = result_of(migrate(tree, owner_environment, "expand", "v3"))
    assert (gate["neededBackfills"], gate["laterBackfills"]) == (["b0001"], ["b0002"])
    assert result_of(migrate(tree, owner_environment, "backfill", "v3", "--needed"))["applied"] == ["b0001"]
    assert result_of(migrate(tree, owner_environment, "backfill", "v3", "--needed"))["applied"] == []
    assert result_of(migrate(tree, owner_environment, "backfill", "v3"))["applied"] == ["b0002"]


@pytest.mark.slow
def test_rows_that_v2_left_unfilled_are_filled_before_v3_serves(schema_trees, owner_environment, app_environment):
    """As after a release of v2 whose backfill was cut short. The twin: v3 without it can't read them."""
    v1, v2, v3 = (schema_trees[name] for name in ("v1", "v2", "v3"))
    result_of(migrate(v1, owner_environment, "roles", "v1"))
    result_of(migrate(v1, owner_environment, "expand", "v1"))
    with service(v1, app_environment, "v1") as old:
        made = write(old, "from before")
    later = result_of(migrate(v2, owner_environment, "expand", "v2"))
    assert (later["neededBackfills"], later["laterBackfills"]) == ([], ["b0001"])
    gate = result_of(migrate(v3, owner_environment, "expand", "v3"))
    assert (gate["neededBackfills"], gate["laterBackfills"]) == (["b0001"], [])
    with service(v3, app_environment, "v3") as new:
        assert new.request("GET", f"/orders/{made[0]['id']}")[0] == 500
        filled = result_of(migrate(v3, owner_environment, "backfill", "v3", "--needed"))
        assert (filled["applied"], filled["neededBackfills"]) == (["b0001"], [])
        expect(new, made)
