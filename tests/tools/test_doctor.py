from __future__ import annotations

import os

import pytest

from tools import cli, doctor, env
from tools.doctor import Finding
from tools.project import ToolError

ENV = dict(os.environ)


def start(script: str) -> Finding:
    return doctor.plugin("a plugin", ["/bin/sh", "-c", script], ENV)


def test_a_plugin_that_prints_its_port_is_good_and_is_ended():
    found = start("echo 12345; exec sleep 300")
    assert found.ok
    assert found.detail.startswith("started in ")


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("echo 'ModuleNotFoundError: grpc' >&2; exit 1", "printed no port: ModuleNotFoundError: grpc"),
        ("exit 4", "printed no port: exit code 4, nothing on stderr"),
        ("echo hello", "printed no port"),
    ],
)
def test_a_plugin_that_does_not_start_gives_its_own_reason(script, says):
    found = start(script)
    assert found.ok is False
    assert says in found.detail


def test_a_plugin_that_says_nothing_is_given_up(monkeypatch):
    monkeypatch.setattr(doctor, "START_SECONDS", 0.05)
    assert start("exec sleep 300").ok is False


def test_a_missing_plugin_is_named():
    found = doctor.plugin("a plugin", ["/nowhere/x"], ENV)
    assert (found.ok, found.detail) == (False, "/nowhere/x does not start: No such file or directory")


def test_the_report_fails_only_for_what_is_wrong(capsys):
    fine = [Finding(thing="one", ok=True, detail="there"), Finding(thing="two", ok=None, detail="not needed")]
    assert doctor.report(fine) == 0
    assert doctor.report([*fine, Finding(thing="three", ok=False, detail="broken")]) == 1
    assert "BAD  three: broken\n" in capsys.readouterr().out


def test_what_is_required_and_wrong_stops_the_set_up():
    doctor.require(Finding(thing="one", ok=None, detail="not needed"))
    with pytest.raises(ToolError, match="three: broken"):
        doctor.require(Finding(thing="three", ok=False, detail="broken"))


def test_without_a_cli_the_examination_ends_with_what_to_do(monkeypatch):
    monkeypatch.setattr(cli, "find", lambda: None)
    assert doctor.examine()[-1] == Finding(thing="Pulumi CLI", ok=False, detail="none: run `make tools`")


def test_plugins_of_an_embedded_aws_that_runs_are_started_too(monkeypatch, tmp_path):
    launcher = tmp_path / "plugins" / "resource-aws-v1.0.0" / "pulumi-resource-aws"
    launcher.parent.mkdir(parents=True)
    launcher.write_text("#!/bin/sh\necho 7\n")
    launcher.chmod(0o755)
    monkeypatch.setattr(doctor, "embedded", lambda _: {"PULUMI_HOME": str(tmp_path)})
    (found,) = doctor._embedded_plugins(ENV)
    assert (found.thing, found.ok) == ("aws plugin", True)
    assert env.STATE.name == ".local"
