"""Wrong settings through the real CLI: one clear message, and nothing made."""

import os
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.unit.program import ROOT
from tools import cli

pytestmark = pytest.mark.slow


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The project in a folder of its own: Pulumi writes to the stack files beside `Pulumi.yaml`."""
    for name in ("__main__.py", "infra", "provider", "app", "migrations", ".dockerignore", ".local", "Pulumi.yaml"):
        (tmp_path / name).symlink_to(ROOT / name)
    return tmp_path


def preview(project: Path, **changes: object) -> subprocess.CompletedProcess[str]:
    """Preview of a new stack with the settings of `local` and these changes."""
    content = yaml.safe_load((ROOT / "Pulumi.local.yaml").read_text())
    content["config"].update({f"bluegreen:{key}": value for key, value in changes.items()})
    (project / "Pulumi.wrong.yaml").write_text(yaml.safe_dump(content))
    (project / "state").mkdir()
    environment = {
        **os.environ,
        "PULUMI_HOME": str(project / "home"),
        "PULUMI_BACKEND_URL": f"file://{project / 'state'}",
        "PULUMI_CONFIG_PASSPHRASE": "",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "NO_COLOR": "1",
    }

    def pulumi(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(cli.path()), *arguments, "--non-interactive"]
        return subprocess.run(
            command, cwd=project, env=environment, capture_output=True, text=True, timeout=120, check=False
        )

    made = pulumi("stack", "init", "wrong")
    assert made.returncode == 0, made.stderr
    return pulumi("preview")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"regoin": "x"},
            "error: bluegreen:regoin: unknown key; did you mean region? (stack wrong; nothing was changed)",
        ),
        ({"steps": [10, 5]}, "error: bluegreen:steps: found '[10,5]'; expected percentages for the new color"),
        ({"desiredCount": "two"}, "key 'bluegreen:desiredCount' must be of type 'integer'"),
        ({"version": "a b"}, "error: bluegreen:version: found 'a b'; expected 1 to 128 letters"),
    ],
    ids=["misspelled", "steps", "type", "version"],
)
def test_a_wrong_setting_is_one_clear_message(project: Path, changes: dict[str, object], expected: str) -> None:
    done = preview(project, **changes)
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert expected in said
    assert "Traceback" not in said
    assert "to create" not in said or "+ 1 to create" in said  # the stack itself


def test_wrong_settings_are_named_together(project: Path) -> None:
    done = preview(project, regoin="x", cpu=300)
    said = done.stdout + done.stderr
    assert "2 settings of stack wrong cannot be used; nothing was changed" in said
    assert "- bluegreen:regoin: unknown key" in said
    assert "- bluegreen:cpu: found '300'" in said
