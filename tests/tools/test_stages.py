from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import textwrap
import tomllib

import pytest

from tools import stages
from tools.project import ROOT
from tools.stages import Stage


@pytest.fixture(autouse=True)
def environment(monkeypatch, tmp_path):
    monkeypatch.setattr(stages, "environment", lambda base, **_: dict(base))
    monkeypatch.setattr(stages, "REPORTS", tmp_path / "reports")


def sh(script: str) -> list[str]:
    return ["/bin/sh", "-c", script]


def test_each_stage_has_its_line_and_the_sum_comes_last(capfd):
    assert stages.run([Stage(name="one", commands=[sh("echo hello")]), Stage(name="two", commands=[])]) == 0
    lines = capfd.readouterr().out.splitlines()
    assert lines[:3] == ["==> one", "hello", "<== one: ok, 0.0 s"]
    assert [line.split()[0] for line in lines[-3:]] == ["one", "two", "all"]
    assert lines[-1].endswith("ok")


def test_a_failed_stage_fails_the_run_and_the_others_still_run(capfd):
    code = stages.run(
        [Stage(name="one", commands=[sh("exit 3"), sh("echo never")]), Stage(name="two", commands=[sh("echo still")])]
    )
    out = capfd.readouterr().out
    assert code == 1
    assert "<== one: FAILED (exit code 3)" in out
    assert "never" not in out
    assert "still" in out
    assert out.splitlines()[-1].endswith("FAILED")


@pytest.mark.parametrize("code", [0, 2])
def test_a_stage_beside_the_others_counts_and_its_output_comes_last(capfd, code):
    beside = Stage(name="types", commands=[sh(f"echo found something; exit {code}")])
    assert stages.run([Stage(name="one", commands=[sh("echo first")])], beside=[beside]) == int(code != 0)
    out = capfd.readouterr().out
    assert out.index("first") < out.index("==> types") < out.index("found something") < out.index("<== types")


def test_what_comes_after_begins_when_all_else_has_ended(capfd, tmp_path):
    os.mkfifo(tmp_path / "go")
    beside = Stage(name="beside", commands=[sh(f"read word < {tmp_path}/go; echo $word > {tmp_path}/done")])
    one = Stage(name="one", commands=[sh(f"echo ended > {tmp_path}/go")])
    last = Stage(name="last", commands=[sh(f"cat {tmp_path}/done")])
    assert stages.run([one], beside=[beside], after=[last]) == 0
    assert "==> last\nended\n" in capfd.readouterr().out


def test_a_stage_beside_others_does_not_outlive_them(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pid")
    beside = Stage(name="types", commands=[sh(f"echo $$ > {tmp_path}/pid; exec sleep 300")])
    never = Stage(name="never", commands=[sh(f"touch {tmp_path}/never")])
    pids = []

    def interrupted(*_: object) -> int:
        pids.append(int((tmp_path / "pid").read_text()))
        raise KeyboardInterrupt

    monkeypatch.setattr(stages, "_first_failure", interrupted)
    with pytest.raises(KeyboardInterrupt):
        stages.run([Stage(name="one", commands=[])], beside=[beside, never])
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)
    assert not (tmp_path / "never").exists()


def test_nothing_of_a_persons_account_reaches_the_tests(capfd, monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("PULUMI_BACKEND_URL", "s3://production")
    stages.run([Stage(name="one", commands=[sh("env | grep production || echo none")])])
    assert "none" in capfd.readouterr().out


def test_there_is_no_standard_input():
    assert stages.run([Stage(name="one", commands=[sh("read line && exit 1 || exit 0")])]) == 0


def test_the_counts_are_those_of_the_report(tmp_path):
    report = tmp_path / "tests.xml"
    report.write_text(
        '<testsuites><testsuite name="pytest" errors="1" failures="2" skipped="3" tests="10"/></testsuites>'
    )
    assert stages.counts(report) == "4 passed, 2 failed, 1 errors, 3 skipped"
    assert stages.counts(tmp_path / "absent.xml") == ""


def test_check_leaves_the_slow_tests_and_the_rehearsal_out(monkeypatch):
    ran: list[str] = []

    def run(given, beside=(), after=(), **_):
        ran.extend(stage.name for stage in [*given, *beside, *after])
        return 0

    monkeypatch.setattr(stages, "run", run)
    monkeypatch.setattr(stages.halves, "save_times", lambda _: None)
    stages.check()
    assert ran == ["lint", "fast tests 1", "fast tests 2", "types"]
    ran.clear()
    stages.test()
    assert ran == ["lint", "tests", "migrations 1", "migrations 2", "embedded AWS", "engine", "types", "rehearsal"]
    assert "not slow" in stages.fast_tests(1).commands[0]
    assert all("not slow" not in stage.commands[0] for stage in stages.tests())


def test_all_tests_run_once_and_those_of_the_embedded_aws_by_themselves():
    rest, *apart = (stage.commands[0] for stage in stages.tests())
    folders = ("tests/migrations", "tests/migrations", "tests/local", "tests/engine")
    for command, folder in zip(apart, folders, strict=True):
        assert f"--ignore={folder}" in rest
        assert folder in command
        assert (ROOT / folder).is_dir()
    assert [("--half=1" in one, "--half=2" in one) for one in apart[:2]] == [(True, False), (False, True)]


def test_two_stages_beside_run_at_once_and_whoever_waits_for_one_is_told(tmp_path, capfd, monkeypatch):
    monkeypatch.setattr(stages, "PROGRESS_SECONDS", 0.05)
    for name in ("there", "back", "told"):
        os.mkfifo(tmp_path / name)
    one = Stage(name="one", commands=[sh(f"echo ping > {tmp_path}/there; read word < {tmp_path}/back; echo $word")])
    two = Stage(
        name="two",
        commands=[
            sh(f"echo half way; read a < {tmp_path}/there; echo pong > {tmp_path}/back; read b < {tmp_path}/told")
        ],
    )
    say, told = stages.say, []

    def heard(text):
        say(text)
        if "two goes on" in text and not told:
            told.append(text)
            (tmp_path / "told").write_text("yes\n")

    monkeypatch.setattr(stages, "say", heard)
    assert stages.run([], beside=[one, two], lanes=2) == 0
    out = capfd.readouterr().out
    assert "\npong\n" in out
    assert re.search(r"two goes on, \d+ s waited for it: half way", out)


def test_types_are_checked_in_all_code_but_the_tests():
    files = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mypy"]["files"]
    listed = subprocess.run(["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True, check=True)
    tops = {name.split("/")[0] for name in listed.stdout.splitlines()} - {"tests"}
    assert tops - set(files) == set()


def test_a_terminated_run_lets_the_command_stop_what_it_started(tmp_path):
    """As when make is killed on a build server: the tests get an interrupt, and the time they need for it."""
    command = textwrap.dedent(f"""
        import signal, sys
        def stop(*_):
            with open({str(tmp_path / "stopped")!r}, "w") as file:
                file.write("clean")
            sys.exit(5)
        signal.signal(signal.SIGINT, stop)
        with open({str(tmp_path / "ready")!r}, "w") as file:
            file.write("ready")
        signal.pause()
    """)
    script = textwrap.dedent(f"""
        import sys
        from pathlib import Path
        from tools import __main__, stages
        stages.environment = lambda base, **_: dict(base)
        stages.REPORTS = Path({str(tmp_path / "reports")!r})
        stages.check = lambda: stages.run([stages.Stage(name="one", commands=[[sys.executable, "-c", {command!r}]])])
        raise SystemExit(__main__.main(["check"]))
    """)
    os.mkfifo(tmp_path / "ready")
    process = subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert (tmp_path / "ready").read_text() == "ready"
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate()
    assert process.returncode == 130
    assert (tmp_path / "stopped").read_text() == "clean"
    assert "waiting for what runs to stop" in out
