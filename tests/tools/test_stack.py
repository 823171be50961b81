from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tools import stack
from tools.project import ROOT, ToolError


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("dev", "local"):
        (tmp_path / f"Pulumi.{name}.yaml").touch()
    monkeypatch.setattr(stack, "ROOT", tmp_path)
    return tmp_path


def test_the_settings_of_a_stack(project):
    assert stack.settings("dev") == project / "Pulumi.dev.yaml"


@pytest.mark.parametrize("name", ["prod", "", "../dev"])
def test_a_stack_without_settings_is_named_with_those_that_have_them(project, name):
    with pytest.raises(ToolError) as caught:
        stack.settings(name)
    assert str(caught.value) == f"STACK={name}: found no Pulumi.{name}.yaml, expected one of dev, local"
    assert project.exists()


PULUMI = """#!/bin/sh
echo "$PWD $PULUMI_HOME|$*" >> "$CALLS"
case "$1" in
    stack) printf '%s' "${SAYS:-}" >&2; exit ${SELECT:-0} ;;
    config) echo "error: incorrect passphrase" >&2; exit 1 ;;
esac
exit 3
"""


def run(project: Path, operation: str, name: str, *words: str, **env: str) -> tuple[int, list[str], str]:
    """Run one operation with a recording pulumi. Returns exit code, calls and what was said on stderr."""
    pulumi = project / "pulumi"
    pulumi.write_text(PULUMI)
    pulumi.chmod(0o755)
    script = textwrap.dedent(f"""
        import json, os, sys
        from pathlib import Path
        from tools import __main__, cli, previews, stack
        previews.FOLDER = Path({str(project)!r}, "preview")
        stack.ROOT = Path({str(project)!r})
        stack._start_embedded = lambda: os.environ.update(PULUMI_HOME="embedded")
        stack.environment = lambda local: dict(os.environ)
        cli.path = lambda: Path({str(pulumi)!r})
        raise SystemExit(__main__.main(json.loads(sys.argv[1])))
    """)
    arguments = [operation, "--stack", name, "--", *words]
    done = subprocess.run(
        [sys.executable, "-c", script, json.dumps(arguments)],
        cwd=ROOT,
        env={**os.environ, "CALLS": str(project / "calls"), **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    calls = (project / "calls").read_text().splitlines() if (project / "calls").exists() else []
    return done.returncode, calls, done.stderr


def test_the_stack_is_selected_and_pulumi_takes_over(project):
    code, calls, _ = run(project, "up", "dev", "--refresh", PULUMI_HOME="")
    assert code == 3
    assert calls[0] == f"{project} |stack select --create dev --non-interactive"
    assert re.fullmatch(rf"{ROOT} \|up --stack dev --refresh --yes --event-log \S+/events", calls[1])


def test_the_local_stack_gets_the_embedded_aws(project):
    _, calls, _ = run(project, "destroy", "local", PULUMI_HOME="mine")
    assert calls[-1] == f"{project} embedded|destroy --stack local --yes"


def test_a_preview_asks_nothing_so_it_gets_no_yes(project):
    code, calls, _ = run(project, "preview", "dev", "--diff", PULUMI_HOME="")
    assert code == 3
    assert calls[-1] == f"{ROOT} |preview --stack dev --diff --event-log {project}/preview/dev.events"


def test_nothing_runs_on_a_stack_that_can_not_be_selected(project):
    code, calls, errors = run(project, "up", "dev", SELECT="255", SAYS="error: no backend", PULUMI_HOME="")
    assert code == 1
    assert len(calls) == 1
    assert errors == "tools: `pulumi stack select --create dev` failed with exit code 255: error: no backend\n"


def test_what_pulumi_says_of_a_stack_that_was_selected_is_shown(project):
    _, _, errors = run(project, "up", "dev", SAYS="warning: something\n", PULUMI_HOME="")
    assert errors == "warning: something\n"


def test_nothing_runs_with_a_passphrase_that_does_not_open_the_settings(project):
    (project / "Pulumi.dev.yaml").write_text("encryptionsalt: v1:x\n")
    code, calls, errors = run(project, "up", "dev", PULUMI_HOME="", PULUMI_CONFIG_PASSPHRASE="wrong")
    assert code == 1
    assert [call.split("|")[1].split()[0] for call in calls] == ["stack", "config"]
    assert errors.startswith("tools: PULUMI_CONFIG_PASSPHRASE is set and is not the passphrase of Pulumi.dev.yaml ")
    assert (project / "Pulumi.dev.yaml").read_text() == "encryptionsalt: v1:x\n"


def test_an_unknown_stack_reaches_nothing(project):
    code, calls, errors = run(project, "up", "prod")
    assert (code, calls) == (1, [])
    assert errors == "tools: STACK=prod: found no Pulumi.prod.yaml, expected one of dev, local\n"
