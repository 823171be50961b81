"""The process that examines the schema, and what the plugin makes of its end: stand-ins, and once the real one."""

import json
import signal
import sys
import tempfile
import threading
from pathlib import Path

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


@pytest.fixture(params=["interrupts", "interrupts ignored"])
def started(request):
    """This process as a person starts it, and as `nohup` or a build server does: what it starts inherits that."""
    before = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, signal.SIG_IGN if request.param.endswith("ignored") else signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


# As `preview.examine` does it.
LONG = """
import pathlib, signal, sys, time
signal.signal(signal.SIGTERM, signal.default_int_handler)
tree = pathlib.Path(sys.argv[2])
(tree / "began").touch()
try:
    time.sleep(60)
finally:
    (tree / "cleaned").touch()
"""


def cancel_when(work, begun):
    def wait():
        for _ in range(600):
            if begun():
                break
            work.cancelled.wait(0.05)
        work.cancelled.set()

    threading.Thread(target=wait, daemon=True).start()


@pytest.mark.usefixtures("started")
def test_one_that_takes_too_long_is_interrupted_and_cleans_up(work, tmp_path):
    with pytest.raises(ExaminingError, match="it took more than 2 s"):
        stand_in(work, LONG, seconds=2)(tmp_path, None)
    assert (tmp_path / "cleaned").exists()


@pytest.mark.usefixtures("started")
def test_a_cancel_ends_it_and_it_cleans_up(work, tmp_path):
    cancel_when(work, (tmp_path / "began").exists)
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


@pytest.mark.slow
@pytest.mark.usefixtures("started")
def test_a_cancel_of_the_real_one_leaves_no_server_and_no_folder(work, tmp_path, monkeypatch):
    tree = trees.lay("v2", tmp_path) / "migrations"
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        place.chmod(0o755)  # the server runs as another user
        monkeypatch.setenv("TMPDIR", folder)
        cancel_when(work, lambda: list(place.glob("bluegreen-pg-*/data/postmaster.pid")))
        with pytest.raises(ExaminingError, match="canceled"):
            examiner(work)(tree, None)
        assert list(place.glob("bluegreen-pg-*")) == []
