"""`make preview`: the files beside what is shown, made from the engine's own events and the report of the release."""

from __future__ import annotations

import json
import os
import shlex
import sys
from pathlib import Path

import pytest

from tools import previews

URN = "urn:pulumi:dev::bluegreen::{type}::{name}"
REPORT = {"format": 1, "refused": []}


def step(operation: str, kind: str, name: str) -> dict[str, object]:
    metadata = {"op": operation, "type": kind, "urn": URN.format(type=kind, name=name)}
    return {"resourcePreEvent": {"metadata": metadata}}


def error(message: str) -> dict[str, object]:
    return {"diagnosticEvent": {"severity": "error", "message": f"<{{%reset%}}>{message}<{{%reset%}}>\n"}}


EVENTS = [
    step("same", "aws:ec2/vpc:Vpc", "network"),
    step("update", "bluegreen:index:Release", "release"),
    step("create-replacement", "aws:ecs/taskDefinition:TaskDefinition", "green-tasks-app"),
    step("replace", "aws:ecs/taskDefinition:TaskDefinition", "green-tasks-app"),
    step("delete-replaced", "aws:ecs/taskDefinition:TaskDefinition", "green-tasks-app"),
    step("delete", "aws:cloudwatch/logGroup:LogGroup", "old-logs"),
    {"diagnosticEvent": {"severity": "info", "message": "secret talk"}},
]
SUMMARY = {"summaryEvent": {"resourceChanges": {"same": 80, "update": 1, "replace": 1, "delete": 1}}}


@pytest.fixture
def preview(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Runs `make preview`'s part with a pulumi that writes these events and this report, and ends with this code."""
    monkeypatch.setattr(previews, "FOLDER", tmp_path / "preview")

    def run(*events: object, report: object = None, text: str = "", code: int = 0, tail: str = "") -> int:
        lines = "\n".join(json.dumps(event) for event in events) + tail
        (tmp_path / "events").write_text(lines)
        script = [
            "#!/bin/sh",
            'while [ "$1" != --event-log ]; do shift; done',
            f'[ "$PULUMI_DEBUG_COMMANDS" = true ] && cp {shlex.quote(str(tmp_path / "events"))} "$2"',
        ]
        if report is not None:
            (tmp_path / "report").write_text(json.dumps(report))
            (tmp_path / "text").write_text(text)
            script.append(f'cp {shlex.quote(str(tmp_path / "report"))} "$BLUEGREEN_REPORT"')
            script.append(f'cp {shlex.quote(str(tmp_path / "text"))} "${{BLUEGREEN_REPORT%.json}}.md"')
        pulumi = tmp_path / "pulumi"
        pulumi.write_text("\n".join([*script, f"exit {code}\n"]))
        pulumi.chmod(0o755)
        return previews.run([str(pulumi), "preview", "--stack", "dev"], dict(os.environ), "dev")

    return run


def made(tmp_path: Path) -> dict[str, object]:
    return json.loads((tmp_path / "preview" / "dev.json").read_text())


def comment(tmp_path: Path) -> str:
    return (tmp_path / "preview" / "dev.md").read_text()


def test_one_file_holds_the_resources_and_the_release(preview, tmp_path):
    assert preview(*EVENTS, SUMMARY, report=REPORT, text="### Release of v2\n") == 0
    found = made(tmp_path)
    assert (found["stack"], found["exitCode"], found["release"]) == ("dev", 0, REPORT)
    assert found["changes"] == {"same": 80, "update": 1, "replace": 1, "delete": 1}
    assert [one["name"] for one in found["replaced"]] == ["green-tasks-app"]
    assert [(one["operation"], one["name"]) for one in found["deleted"]] == [("delete", "old-logs")]
    assert [one["name"] for one in found["changed"]] == ["release"]
    assert "secret talk" not in json.dumps(found)
    assert "### Release of v2\n" in comment(tmp_path)
    assert "1 delete, 1 replace, 1 update, 80 same." in comment(tmp_path)
    assert "- deleted: `old-logs` (aws:cloudwatch/logGroup:LogGroup)" in comment(tmp_path)


def test_only_the_two_files_are_left(preview, tmp_path):
    preview(*EVENTS, SUMMARY, report=REPORT)
    assert sorted(path.name for path in (tmp_path / "preview").iterdir()) == ["dev.json", "dev.md"]


def test_an_interrupted_preview_leaves_nothing(preview, tmp_path, monkeypatch):
    def interrupted(command, _env, stdin):
        Path(command[-1]).write_text("{}")
        raise KeyboardInterrupt(stdin)

    monkeypatch.setattr(previews.child, "call", interrupted)
    with pytest.raises(KeyboardInterrupt):
        preview(*EVENTS)
    assert list((tmp_path / "preview").iterdir()) == []


def test_a_preview_that_fails_says_why_and_keeps_its_code(preview, tmp_path):
    assert preview(*EVENTS, error("version v9 does not exist"), error("version v9 does not exist"), code=255) == 255
    found = made(tmp_path)
    assert (found["exitCode"], found["errors"]) == (255, ["version v9 does not exist"])
    assert found["changes"] == {"same": 1, "update": 1, "replace": 1, "delete": 1}
    assert "**The preview failed** (exit code 255)." in comment(tmp_path)
    assert "> version v9 does not exist" in comment(tmp_path)
    assert "No release" not in comment(tmp_path)


def test_a_refusal_is_said_once_and_what_else_failed_beside_it(preview, tmp_path):
    refused = error("this release would be refused: the lint refuses e0004")
    preview(refused, error("no such cluster"), report=REPORT, text="**This release would be refused**\n", code=255)
    assert comment(tmp_path).count("refused") == 1
    assert "> no such cluster" in comment(tmp_path)
    assert len(made(tmp_path)["errors"]) == 2


def test_without_a_change_it_says_so(preview, tmp_path):
    preview(step("same", "aws:ec2/vpc:Vpc", "network"), {"summaryEvent": {"resourceChanges": {"same": 91}}})
    assert made(tmp_path)["release"] is None
    assert "No release: nothing of it would change." in comment(tmp_path)


def test_the_files_of_the_preview_before_are_never_taken_for_those_of_this_one(preview, tmp_path):
    preview(*EVENTS, SUMMARY, report=REPORT, text="### Release of v2\n")
    preview(error("no access"), code=1)
    assert made(tmp_path)["release"] is None
    assert "Release of v2" not in comment(tmp_path)


def test_events_that_end_in_the_middle_of_a_line_are_no_error(preview, tmp_path):
    assert preview(*EVENTS, tail='\n{"resourcePre', code=1) == 1
    assert [one["name"] for one in made(tmp_path)["changed"]] == ["release"]


def test_the_interpreter_needs_nothing_but_the_standard_library():
    """The tools run before there is a virtual environment."""
    import subprocess

    done = subprocess.run(
        [sys.executable, "-S", "-c", "import tools.previews"], cwd=Path(__file__).parents[2], check=False
    )
    assert done.returncode == 0
