from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools import halves
from tools.project import ROOT

NAMES = st.text("abc", min_size=1, max_size=6)


@given(
    guessed=st.dictionaries(NAMES, st.floats(0, 100, allow_nan=False)),
    times=st.dictionaries(NAMES, st.floats(0, 100, allow_nan=False)),
)
def test_every_file_is_in_one_half_and_the_halves_are_even(guessed, times):
    one, two = halves.halves(guessed, times)
    assert one | two == set(guessed)
    assert not one & two
    weights = {name: times.get(name, seconds) for name, seconds in guessed.items()}
    difference = abs(sum(weights[name] for name in one) - sum(weights[name] for name in two))
    assert difference <= max(weights.values(), default=0) + 1e-6


def test_the_times_of_a_run_are_kept_and_those_of_others_stay(tmp_path, monkeypatch):
    monkeypatch.setattr(halves, "TIMES", tmp_path / "times.json")
    assert halves.read_times() == {}
    report = tmp_path / "a.xml"
    report.write_text(
        '<testsuites><testsuite><testcase classname="tests.a" time="1.5"/><testcase classname="tests.a" time="2"/>'
        '<testcase classname="tests.b" time="1"/></testsuite></testsuites>'
    )
    halves.save_times([report, tmp_path / "absent.xml"])
    assert halves.read_times() == {"tests.a": 3.5, "tests.b": 1.0}
    report.write_text('<testsuite><testcase classname="tests.b" time="4"/></testsuite>')
    halves.save_times([report])
    assert halves.read_times() == {"tests.a": 3.5, "tests.b": 4.0}


@pytest.mark.slow
@pytest.mark.parametrize("half", [1, 2])
def test_pytest_runs_the_half_it_is_told(tmp_path, half):
    for name in ("one", "two"):
        (tmp_path / f"test_{name}.py").write_text(f"def test_{name}():\n    pass\n")
    command = [sys.executable, "-m", "pytest", "-p", "tools.halves", f"--half={half}", "--rootdir", str(tmp_path)]
    done = subprocess.run(
        [*command, "-c", "/dev/null", "-q", str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert "1 passed, 1 deselected" in done.stdout
