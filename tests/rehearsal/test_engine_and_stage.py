"""Following Pulumi's events, with a stand-in that prints them; and one rehearsal at a time."""

import json
import os
import signal
import subprocess
import sys
import threading

import pytest

from rehearsal.embedded import Embedded
from rehearsal.engine import Engine, EngineError
from rehearsal.generator import Generator, LoadError
from rehearsal.stage import StageError, only_one
from rehearsal.trees import PROJECT

SHIFT = "urn:pulumi:local::bluegreen::bluegreen:index:TrafficShift::cutover-shift"
EVENTS = [
    {"resourcePreEvent": {"metadata": {"op": "update", "urn": SHIFT, "type": "bluegreen:index:TrafficShift"}}},
    {"diagnosticEvent": {"urn": SHIFT, "severity": "info", "message": "blue 90 / green 10\n"}},
    {"diagnosticEvent": {"urn": SHIFT, "severity": "info", "message": "waiting", "ephemeral": True}},
    {"diagnosticEvent": {"urn": "", "severity": "debug", "message": "noise"}},
    {"resOutputsEvent": {"metadata": {"op": "update", "urn": SHIFT, "type": "bluegreen:index:TrafficShift"}}},
    {"summaryEvent": {"resourceChanges": {"update": 1, "same": 9}}},
]
ERROR = {"diagnosticEvent": {"urn": SHIFT, "severity": "error", "message": "expand e0004 failed:\n  why"}}


@pytest.fixture
def engine(tmp_path):
    def make(script):
        program = tmp_path / "pulumi"
        program.write_text(f"#!{sys.executable}\nimport json, signal, sys, time\n{script}\n")
        program.chmod(0o755)
        shown = []
        made = Engine(
            pulumi=str(program), project=tmp_path, stack="local", config=tmp_path / "c.yaml",
            environment={"PATH": os.environ["PATH"]}, logs=tmp_path, show=shown.append,
        )  # fmt: skip
        return made, shown

    return make


def printing(events, code=0):
    return f"for event in {events!r}: print(json.dumps(event), flush=True)\nsys.exit({code})"


def test_progress_changes_and_times_come_from_the_events(engine):
    made, shown = engine(printing(EVENTS))
    outcome = made.up(version="v2")
    assert (outcome.code, outcome.errors, outcome.changes) == (0, [], {"update": 1, "same": 9})
    assert list(outcome.spans) == ["cutover-shift bluegreen:index:TrafficShift"]
    assert shown == ["blue 90 / green 10"]
    assert [json.loads(line) for line in outcome.log.read_text().splitlines()] == EVENTS


def test_an_error_is_one_line_and_told_once(engine):
    made, _ = engine(printing([ERROR, ERROR, *EVENTS], code=255))
    outcome = made.up()
    assert outcome.code == 255
    assert outcome.message == "expand e0004 failed: why"


def test_a_failure_without_an_event_takes_what_was_written_last(engine):
    made, _ = engine("print('not json'); sys.stderr.write('first\\nerror: no stack\\n'); sys.exit(1)")
    assert made.up().message == "error: no stack"
    with pytest.raises(EngineError, match="error: no stack"):
        made.init()


def test_settings_go_to_the_throwaway_file(engine):
    made, _ = engine("print(json.dumps({'diagnosticEvent': {'severity': 'error', 'message': ' '.join(sys.argv[1:])}}))")
    words = made.up(context="/t/v2", version="").message
    assert words.startswith("up --skip-preview --yes -c bluegreen:context=/t/v2 -c bluegreen:version= --json")
    assert words.endswith(f"--stack local --config-file {made.config}")


def test_an_interrupt_reaches_the_engine_once_and_is_waited_for(engine, tmp_path):
    made, _ = engine(
        "def stop(*_):\n    open('stopped', 'a').write('x')\n    sys.exit(0)\n"
        "signal.signal(signal.SIGINT, stop)\nprint('{}', flush=True)\nsignal.pause()"
    )

    class Interrupt:
        def __init__(self, outcome, _show):
            self.outcome = outcome

        def event(self, _):
            raise KeyboardInterrupt

    import rehearsal.engine as module

    before, module._Follow = module._Follow, Interrupt
    try:
        with pytest.raises(KeyboardInterrupt):
            made.up()
    finally:
        module._Follow = before
    assert (tmp_path / "stopped").read_text() == "x"


def test_one_rehearsal_at_a_time(tmp_path):
    with only_one(tmp_path), pytest.raises(StageError, match="another rehearsal runs"), only_one(tmp_path):
        pass
    with only_one(tmp_path):
        pass


def test_the_embedded_aws_sees_nothing_of_the_callers_own(tmp_path, monkeypatch):
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "PULUMI_BACKEND_URL", "BLUEGREEN_LOCAL_DIR"):
        monkeypatch.setenv(name, "someone else's")
    base = Embedded(project=PROJECT, folder=tmp_path)._base()
    assert base["BLUEGREEN_LOCAL_DIR"] == str(tmp_path)
    assert "someone else's" not in base.values()


def test_a_generator_that_dies_says_why(tmp_path):
    made = Generator(project=PROJECT, folder=tmp_path / "not-here", url="http://127.0.0.1:9", rps=10, run="t")
    with pytest.raises(OSError, match="not-here"):
        made.start()
    (tmp_path / "requests.tsv").mkdir()  # where the generator wants to write
    made = Generator(project=PROJECT, folder=tmp_path, url="http://127.0.0.1:9", rps=10, run="t")
    made.start()
    made._process.wait(30)
    assert not made.running()
    with pytest.raises(LoadError, match="exit code 1"):
        made.stop()


def test_a_generator_ends_with_who_started_it(tmp_path):
    """Its stdin ends when the parent dies, however it dies."""
    script = (
        "import sys; from pathlib import Path; from rehearsal.generator import Generator\n"
        f"project, folder = Path({str(PROJECT)!r}), Path({str(tmp_path)!r})\n"
        "g = Generator(project=project, folder=folder, url='http://127.0.0.1:9', rps=5, run='t')\n"
        "g.start(); print(g._process.pid, flush=True); sys.stdin.read()"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script], cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    child = int(parent.stdout.readline())
    ended = threading.Event()

    def wait():
        descriptor = os.pidfd_open(child)
        import select

        select.select([descriptor], [], [], 30)
        os.close(descriptor)
        ended.set()

    thread = threading.Thread(target=wait)
    thread.start()
    parent.send_signal(signal.SIGKILL)
    parent.communicate()
    thread.join(40)
    assert ended.is_set()
    assert (tmp_path / "orders.jsonl").exists()
