"""The versions are made from the checkout by overlays, and differ only by them."""

import pytest

from infra.version import content_version
from rehearsal.trees import CHECKOUT, FIRST, OVERLAYS, PROJECT, TREES, lay, lay_all, left_out


def files(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def trees(tmp_path_factory):
    return lay_all(tmp_path_factory.mktemp("trees"))


def test_the_checkout_is_laid_as_it_is(tmp_path):
    """What `make up` makes of it is the same version."""
    assert content_version(lay(CHECKOUT, tmp_path)) == content_version(PROJECT)


@pytest.mark.skipif(bool(FIRST or left_out()), reason="the checkout has revisions of its own, or is another service")
def test_v1_is_the_checkout(trees):
    assert content_version(trees["v1"]) == content_version(PROJECT)


def test_every_version_is_another_one(trees):
    assert len({content_version(tree) for tree in trees.values()}) == len(TREES)


@pytest.mark.parametrize("name", [name for name in TREES if name != "v1"])
def test_a_version_is_v1_and_its_overlays(trees, name):
    expected = files(trees["v1"])
    for overlay in TREES[name]:
        expected.update({path: data for path, data in files(OVERLAYS / overlay).items() if "__pycache__" not in path})
    assert files(trees[name]) == expected


def test_laying_again_replaces_what_was_there(tmp_path):
    tree = lay("v2", tmp_path)
    version = content_version(tree)
    (tree / "app" / "left_over.py").write_text("x")
    assert content_version(lay("v2", tmp_path)) == version


def test_an_unknown_tree_is_refused(tmp_path):
    with pytest.raises(KeyError):
        lay("v9", tmp_path)
