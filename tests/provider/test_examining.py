"""The process that examines the schema, and what the plugin makes of its end: stand-ins, and once the real one."""

import json
import sys
import threading

import pytest

from migrations.errors import BadTreeError, LintRefusedError
from provider.examining import ExaminingError, examiner
from provider.rpc.engine import EngineLog
from provider.work import Work
from rehearsal import trees


@pytest.fixture
def work():
    return Work(log=EngineLog(""), urn="urn", cancelled=threading.Event(), orphaned=threading.Event(), limit=900)


def stand_in(work, script, seconds=30.0):
    return examiner(work, [sys.executable, "-c", script], seconds)


def test_it_gets_tree_and_facts_and_its_answer_comes_back(work, tmp_path):
    script = """
import json, pathlib, sys
print(json.dumps({"words": sys.argv[1:3], "facts": json.loads(pathlib.Path(sys.argv[4]).read_text())}))
"""
    found = stand_in(work, script)(tmp_path, {"revisions": ["e0001"]})
    assert found == {"words": ["--tree", str(tmp_path)], "facts": {"revisions": ["e0001"]}}


@pytest.mark.parametrize(("code", "kind"), [(9, BadTreeError), (12, LintRefusedError)])
def test_a_refusal_comes_back_as_its_last_line(work, tmp_path, code, kind):
    script = f"import sys; sys.stderr.write('a warning\\nmigrations: expand has two heads\\n'); sys.exit({code})"
    with pytest.raises(kind, match=r"^migrations: expand has two heads$"):
        stand_in(work, script)(tmp_path, None)


def test_a_package_that_is_not_there_is_named(work, tmp_path):
    with pytest.raises(ModuleNotFoundError) as caught:
        stand_in(work, "import nothing_of_that_name")(tmp_path, None)
    assert caught.value.name == "nothing_of_that_name"


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("raise RuntimeError('disk full')", "exit code 1: RuntimeError: disk full"),
        ("import os; os.abort()", "exit code -6"),
        ("print('no json')", "its answer is no JSON"),
    ],
)
def test_another_end_is_told_in_a_line(work, tmp_path, script, words):
    with pytest.raises(ExaminingError, match=words):
        stand_in(work, script)(tmp_path, None)


LONG = """
import pathlib, sys, time
tree = pathlib.Path(sys.argv[2])
(tree / "began").touch()
try:
    time.sleep(60)
finally:
    (tree / "cleaned").touch()
"""


def test_one_that_takes_too_long_is_interrupted_and_cleans_up(work, tmp_path):
    with pytest.raises(ExaminingError, match="it took more than 2 s"):
        stand_in(work, LONG, seconds=2)(tmp_path, None)
    assert (tmp_path / "cleaned").exists()


def test_a_cancel_ends_it_and_it_cleans_up(work, tmp_path):
    def cancel_when_it_runs():
        for _ in range(600):
            if (tmp_path / "began").exists():
                break
            work.cancelled.wait(0.05)
        work.cancelled.set()

    threading.Thread(target=cancel_when_it_runs, daemon=True).start()
    with pytest.raises(ExaminingError, match="canceled"):
        stand_in(work, LONG)(tmp_path, None)
    assert (tmp_path / "cleaned").exists()


@pytest.mark.slow
def test_the_real_one_measures_what_v2_would_do(work, tmp_path):
    tree = trees.lay("v2", tmp_path) / "migrations"
    found = examiner(work)(tree, {"revisions": ["e0001"], "tables": {}, "server": None, "structure": None})
    assert found["measured"]["done"], found["measured"]
    e0002 = next(one for one in found["revisions"] if one["revision"] == "e0002")
    assert {"table": "orders", "mode": "ACCESS EXCLUSIVE"} in e0002["statements"][0]["locks"]
    assert json.dumps(found)
