from __future__ import annotations

import os
from pathlib import Path

import pytest

from tools import cli, env, project
from tools.project import ToolError


@pytest.fixture
def tools_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A CLI in the temporary folder."""
    monkeypatch.setattr(cli, "path", lambda: tmp_path / "cli" / "pulumi")
    return tmp_path


def test_the_tools_come_first_on_path_and_once(tools_at):
    first = env.environment({"PATH": "/usr/bin:/bin"}, local=False)
    assert first["PATH"] == f"{tools_at}/cli:{project.VENV}/bin:/usr/bin:/bin"
    assert env.environment(first, local=False)["PATH"] == first["PATH"]


def test_an_embedded_aws_that_runs_is_in_the_environment(tools_at):
    (tools_at / "aws").mkdir()
    (tools_at / "aws" / "env").write_text("export AWS_ENDPOINT_URL=http://127.0.0.1:4599\nexport PULUMI_HOME='/a b'\n")
    base = {"PATH": "/bin", "BLUEGREEN_LOCAL_DIR": str(tools_at / "aws"), "AWS_ENDPOINT_URL": "https://other"}
    found = env.environment(base)
    assert (found["AWS_ENDPOINT_URL"], found["PULUMI_HOME"]) == ("http://127.0.0.1:4599", "/a b")
    assert env.environment(base, local=False)["AWS_ENDPOINT_URL"] == "https://other"


def test_without_one_nothing_is_added(tools_at):
    found = env.environment({"PATH": "/bin", "BLUEGREEN_LOCAL_DIR": str(tools_at / "aws")})
    assert set(found) == {"PATH", "BLUEGREEN_LOCAL_DIR", "PULUMI_SKIP_UPDATE_CHECK"}


def test_a_relative_state_folder_is_refused():
    with pytest.raises(ToolError, match="BLUEGREEN_LOCAL_DIR is 'aws', expected an absolute path"):
        env.local_folder({"BLUEGREEN_LOCAL_DIR": "aws"})


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("export A=1\nexport B='two words'\n", {"A": "1", "B": "two words"}),
        ("export EMPTY=\n", {"EMPTY": ""}),
        ("# a comment\n\nexport A=b=c\n", {"A": "b=c"}),
        ("A=1\nunset B\n", {}),
    ],
)
def test_export_lines(text, found):
    assert env.parse_exports(text) == found


def test_exports_say_only_what_changes():
    assert env.exports({"A": "1", "B": "new value"}, {"A": "1", "B": "old"}) == "export B='new value'\n"


def test_exports_survive_the_shell():
    variables = {"A": "it's $HOME `x`", "B": ""}
    assert env.parse_exports(env.exports(variables, {})) == variables


def test_the_environment_of_this_process_is_left_alone(tools_at):
    before = dict(os.environ)
    env.environment(local=False)
    assert dict(os.environ) == before
    assert tools_at.exists()
