"""Reading Dockerfiles and `.dockerignore`."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.images.context import Context, expression, ignore_patterns
from local.images.dockerfile import KNOWN, DockerfileError, exec_form, parse
from local.images.words import WordsError, expand, words

NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), max_size=12)


def quoted(text):
    return "'" + text.replace("'", "'\"'\"'") + "'"


@given(st.lists(TEXTS, max_size=5))
def test_quoted_words_come_back_as_they_were(texts):
    assert words(" ".join(map(quoted, texts)), {}) == texts


@given(NAMES, TEXTS)
def test_a_variable_is_one_word_whatever_is_in_it(name, value):
    found = words(f"a${{{name}}}b ${name}", {name: value + " x"})
    assert found == [f"a{value} xb", f"{value} x"]


@given(st.text(max_size=60))
def test_words_of_anything_end_or_are_refused(text):
    try:
        assert all(isinstance(word, str) for word in words(text, {"A": "1"}))
    except WordsError as error:
        assert str(error)  # noqa: PT017 - either outcome is right


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("${A:-x}", "1"), ("${B:-x}", "x"), ("${A:+x}", "x"), ("${B:+x}", ""), ("${B:-${A}}", None),
        ("'$A'", "$A"), ('"$A b"', "1 b"), ("\\$A", "$A"), ("$", "$"), ("$1", "$1"), ("$B", ""),
    ],
)  # fmt: skip
def test_forms_of_variables(text, found):
    if found is None:
        with pytest.raises(WordsError):
            expand(text, {"A": "1"})
    else:
        assert expand(text, {"A": "1"}) == found


def test_an_open_quote_is_refused():
    with pytest.raises(WordsError, match="is not closed"):
        words("a 'b", {})


FILE = """\
# syntax=docker/dockerfile:1
ARG BASE=python:3.12-slim
FROM ${BASE} AS app

# about the next one
RUN pip install \\
    # inside
    --no-cache-dir \\

    x
copy --chown=1:1 a b /c/
CMD ["python", "-m", "app"]
"""


def test_lines_comments_flags_and_continuations():
    found = parse(FILE)
    assert [(one.line, one.keyword) for one in found] == [
        (2, "ARG"),
        (3, "FROM"),
        (6, "RUN"),
        (11, "COPY"),
        (12, "CMD"),
    ]
    assert found[2].arguments == "pip install --no-cache-dir x"
    assert found[3].flags == (("chown", "1:1"),)
    assert exec_form(found[4].arguments) == ["python", "-m", "app"]


@given(st.lists(st.sampled_from([k for k in KNOWN if k not in ("FROM",)]), max_size=6))
def test_every_instruction_has_the_line_on_which_it_begins(keywords):
    text = "FROM python\n" + "".join(f"\n{keyword} x \\\n  y\n" for keyword in keywords)
    found = parse(text)
    assert [one.line for one in found] == [1, *(3 + 3 * n for n in range(len(keywords)))]
    assert [one.keyword for one in found[1:]] == keywords


@pytest.mark.parametrize(
    ("text", "line", "instruction", "reason"),
    [
        ("FROM python\nADD a /b", 2, "ADD", "use COPY"),
        ("FROM python\nHEALTHCHECK CMD x", 2, "HEALTHCHECK", "task definition"),
        ("FROM python\n\nONBUILD RUN x", 3, "ONBUILD", "known are"),
        ("FROM python\nFROM python", 2, "FROM", "second stage"),
        ("RUN x\nFROM python", 1, "RUN", "stands before FROM"),
        ("FROM python\nENV", 2, "ENV", "has no arguments"),
        ("FROM python\nRUN <<EOF\nx\nEOF", 2, "RUN", "here-documents"),
        ("# escape=`\nFROM python", 1, "# escape", "backslash"),
        ("", 0, "", "no FROM"),
    ],
)
def test_what_is_not_understood_names_line_and_instruction(text, line, instruction, reason):
    with pytest.raises(DockerfileError) as error:
        parse(text, "app/Dockerfile")
    assert (error.value.line, error.value.instruction) == (line, instruction)
    assert str(error.value).startswith(f"app/Dockerfile, line {line}: {instruction}: " if line else "app/Dockerfile: ")
    assert reason in str(error.value)


@given(st.text(max_size=80))
def test_any_text_is_read_or_refused(text):
    try:
        assert parse(text)
    except DockerfileError as error:
        assert "Dockerfile" in str(error)  # noqa: PT017 - either outcome is right


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("*.txt", "a.txt", True), ("*.txt", "d/a.txt", False), ("**/*.txt", "a.txt", True),
        ("**/*.txt", "d/e/a.txt", True), ("d/**", "d/e/f", True), ("d/**", "d", False), ("a?c", "abc", True),
        ("a?c", "a/c", False), ("[ab].py", "a.py", True), ("[ab].py", "c.py", False), ("a.py", "aXpy", False),
    ],
)  # fmt: skip
def test_patterns(pattern, path, matches):
    import re

    assert bool(re.fullmatch(expression(pattern), path)) is matches


def tree(root, *files):
    for name in files:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)


@pytest.mark.parametrize(
    ("rules", "left"),
    [
        ("", ["app/a.py", "app/x/b.py", "docs/c.md", "top"]),
        ("*\n!app", ["app/a.py", "app/x/b.py"]),
        ("*\n!app\napp/x", ["app/a.py"]),
        ("*\n!app/x/b.py", ["app/x/b.py"]),
        ("# all\n/docs/\n!docs/c.md", ["app/a.py", "app/x/b.py", "docs/c.md", "top"]),
        ("**/*.py", ["docs/c.md", "top"]),
        ("*\n!**/b.py", ["app/x/b.py"]),
    ],
)
def test_the_last_pattern_that_matches_decides(tmp_path, rules, left):
    tree(tmp_path, "app/a.py", "app/x/b.py", "docs/c.md", "top")
    (tmp_path / ".dockerignore").write_text(rules)
    found = [name for name in Context(tmp_path, tmp_path / "Dockerfile").files if name != ".dockerignore"]
    assert found == left


def test_rules_beside_the_dockerfile_win(tmp_path):
    tree(tmp_path, "a", "b")
    (tmp_path / ".dockerignore").write_text("a\n")
    (tmp_path / "Own.dockerignore").write_text("*\n!a\n")
    assert Context(tmp_path, tmp_path / "Own").files == ("a",)


def test_ignored_folders_that_nothing_reaches_into_are_not_walked(tmp_path):
    (tmp_path / ".dockerignore").write_text("*\n!app\n")
    tree(tmp_path, "app/a", "heavy/b")
    context = Context(tmp_path, tmp_path / "Dockerfile")
    (tmp_path / "heavy").chmod(0)
    try:
        assert context.files == ("app/a",)
        assert not any(pattern.may_match_below("heavy") for pattern in ignore_patterns("*\n!app\n") if pattern.included)
    finally:
        (tmp_path / "heavy").chmod(0o755)
