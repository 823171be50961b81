"""The content version: decided by what `.dockerignore` lets through, and by nothing else."""

from pathlib import Path

import pytest

from infra.version import content_version, context_files


@pytest.fixture
def context(tmp_path: Path) -> Path:
    write(tmp_path, ".dockerignore", "# only these\n*\n!app\n!migrations\n**/__pycache__\n**/*.pyc\n")
    write(tmp_path, "app/Dockerfile", "FROM scratch\n")
    write(tmp_path, "app/main.py", "print(1)\n")
    write(tmp_path, "migrations/expand/one.py", "")
    write(tmp_path, "README.md", "hello\n")
    write(tmp_path, "app/__pycache__/main.pyc", "x")
    return tmp_path


def write(root: Path, name: str, text: str) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text)


def names(root: Path) -> list[str]:
    return [path.as_posix() for path in context_files(root)]


def test_only_what_the_image_is_made_of_counts(context: Path) -> None:
    assert names(context) == ["app/Dockerfile", "app/main.py", "migrations/expand/one.py"]


def test_a_version_is_twelve_hex_digits_and_repeats(context: Path) -> None:
    version = content_version(context)
    assert len(version) == 12
    assert int(version, 16) >= 0
    assert content_version(context) == version


@pytest.mark.parametrize(
    ("name", "text"), [("README.md", "other"), ("docs/x.md", "new"), ("app/__pycache__/y.pyc", "z"), ("app/b.pyc", "")]
)
def test_what_is_ignored_makes_no_version(context: Path, name: str, text: str) -> None:
    before = content_version(context)
    write(context, name, text)
    assert content_version(context) == before


@pytest.mark.parametrize(("name", "text"), [("app/main.py", "print(2)\n"), ("app/new.py", ""), ("app/Dockerfile", "")])
def test_what_is_sent_makes_a_version(context: Path, name: str, text: str) -> None:
    before = content_version(context)
    write(context, name, text)
    assert content_version(context) != before


def test_the_executable_bit_counts_and_other_modes_do_not(context: Path) -> None:
    before = content_version(context)
    (context / "app/main.py").chmod(0o600)
    assert content_version(context) == before
    (context / "app/main.py").chmod(0o755)
    assert content_version(context) != before


def test_moving_a_byte_from_name_to_content_is_a_change(tmp_path: Path) -> None:
    write(tmp_path / "one", "ab", "c")
    write(tmp_path / "two", "a", "bc")
    assert content_version(tmp_path / "one") != content_version(tmp_path / "two")


def test_a_link_counts_by_where_it_points(tmp_path: Path) -> None:
    for target in ("one", "two"):
        (tmp_path / target).mkdir()
        (tmp_path / target / "link").symlink_to(target)
    assert content_version(tmp_path / "one") != content_version(tmp_path / "two")
    assert names(tmp_path / "one") == ["link"]


def test_a_context_without_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no file to build an image from"):
        content_version(tmp_path)


@pytest.mark.parametrize(
    ("ignore", "kept"),
    [
        ("", ["a.log", "d/a.log", "d/e/b.txt", "z"]),
        ("*.log", ["d/a.log", "d/e/b.txt", "z"]),
        ("**/*.log", ["d/e/b.txt", "z"]),
        ("*/*.log", ["a.log", "d/e/b.txt", "z"]),
        ("d", ["a.log", "z"]),
        ("/d/", ["a.log", "z"]),
        ("d/**", ["a.log", "z"]),
        ("d\n!d/e", ["a.log", "d/e/b.txt", "z"]),
        ("!d/e\nd", ["a.log", "z"]),
        ("*\n!d/e", ["d/e/b.txt"]),
        ("*\n!**/b.txt", ["d/e/b.txt"]),
        ("*\n!d/*/b.txt", ["d/e/b.txt"]),
        ("*\n!d\n**/e", ["d/a.log"]),
        ("*\n!x/e", []),
        ("**/b.*", ["a.log", "d/a.log", "z"]),
        ("?", ["a.log"]),
        ("[a-c].log", ["d/a.log", "d/e/b.txt", "z"]),
        ("[^a].log\n.\n  \n#z", ["a.log", "d/a.log", "d/e/b.txt", "z"]),
        (r"\z", ["a.log", "d/a.log", "d/e/b.txt"]),
    ],
)
def test_patterns_mean_what_they_mean_to_docker(tmp_path: Path, ignore: str, kept: list[str]) -> None:
    for name in ("a.log", "d/a.log", "d/e/b.txt", "z"):
        write(tmp_path, name, "")
    write(tmp_path, ".dockerignore", ignore)
    assert [name for name in names(tmp_path) if name != ".dockerignore"] == kept
