"""jenkins/comment.sh: the text of a preview, handed to a program of the build server's choice."""

import os
import shutil
import subprocess

import pytest

from tools.project import ROOT


@pytest.fixture
def project(tmp_path):
    (tmp_path / "jenkins").mkdir()
    shutil.copy(ROOT / "jenkins" / "comment.sh", tmp_path / "jenkins")
    return tmp_path


def comment(project, **environment):
    base = {name: value for name, value in os.environ.items() if name not in ("COMMENT_COMMAND", "CHANGE_ID")}
    return subprocess.run(
        [project / "jenkins" / "comment.sh", "dev"],
        cwd="/", env={**base, **environment}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def preview(project, text):
    (project / ".local" / "preview").mkdir(parents=True)
    (project / ".local" / "preview" / "dev.md").write_text(text)


def program(project, script):
    file = project / "post it"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    return str(file)


def test_the_command_gets_the_text_and_the_change(project):
    preview(project, "### Release of v2\n")
    command = program(project, f'{{ echo "$CHANGE_ID"; cat; }} >"{project}/posted"')
    assert comment(project, COMMENT_COMMAND=command, CHANGE_ID="42").returncode == 0
    assert (project / "posted").read_text() == "42\n### Release of v2\n"


def test_without_a_command_nothing_is_posted_and_it_says_where_the_text_is(project):
    preview(project, "### Release of v2\n")
    done = comment(project)
    assert done.returncode == 0
    assert "the text is the artifact .local/preview/dev.md of this build" in done.stdout


def test_a_command_that_fails_does_not_turn_a_good_preview_red(project):
    preview(project, "### Release of v2\n")
    done = comment(project, COMMENT_COMMAND=program(project, "exit 7"))
    assert done.returncode == 0
    assert "failed; the preview itself counts" in done.stderr


def test_a_preview_without_a_text_posts_nothing(project):
    done = comment(project, COMMENT_COMMAND=program(project, f'touch "{project}/posted"'))
    assert done.returncode == 0
    assert "found no .local/preview/dev.md" in done.stdout
    assert not (project / "posted").exists()
