from __future__ import annotations

import re

import pytest

from tools import build, console
from tools.project import PULUMI_VERSION, ToolError

pytestmark = pytest.mark.usefixtures("cache_home")


def test_the_module_file_pins_the_version_that_is_expected():
    pinned = re.search(r"github\.com/pulumi/pulumi/pkg/v3 v(\S+)", (build.MODULE / "go.mod").read_text())
    assert pinned is not None
    assert pinned[1] == PULUMI_VERSION


def test_no_go_is_one_line(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolError, match=r"^no go command on PATH$"):
        build.find_go()


def test_an_old_go_is_named(programs):
    programs.add("go", "echo go version go1.19.8 linux/amd64")
    with pytest.raises(ToolError, match=r"says 'go version go1\.19\.8 linux/amd64', expected Go 1\.21 or newer"):
        build.find_go()


def test_go_is_called_with_the_pinned_modules_and_the_version(programs, tmp_path):
    calls = tmp_path / "calls"
    programs.add(
        "go",
        f"""echo "$PWD $CGO_ENABLED $GOFLAGS $*" >> {calls}
        case $1 in version) echo go version go1.26.8 linux/amd64 ;; list) echo a; echo b ;; esac""",
    )
    build.build(tmp_path)
    version, listing, building = calls.read_text().splitlines()
    assert version.endswith(" version")
    assert listing.startswith(f"{build.MODULE} 0 -mod=readonly list -deps")
    assert building.startswith(f"{build.MODULE} 0 -mod=readonly build -v -trimpath")
    assert f"Version={PULUMI_VERSION} -o {tmp_path}/pulumi {build.PACKAGE}" in building


def test_a_failed_build_gives_its_last_line_and_the_log(programs, tmp_path):
    script = "case $1 in version) echo go version go1.26.8 x ;; *) echo first; echo proxy said no >&2; exit 1 ;; esac"
    programs.add("go", script)
    with pytest.raises(ToolError) as caught:
        build.build(tmp_path)
    log = console.LOG / "downloading-the-go-modules-of-the-pulumi-cli.log"
    assert f"failed with exit code 1: proxy said no (all of it: {log})" in str(caught.value)
    assert log.read_text() == "first\nproxy said no\n"
