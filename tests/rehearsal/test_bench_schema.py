"""The command of the schema's figures: every key is always there, and what could not be measured says why."""

import json

import pytest

from rehearsal.bench_schema import __main__ as command
from rehearsal.bench_schema.part import PartError

KEYS = {
    "worst_read_stall_seconds", "kill_points", "backfill", "flip_back_seconds", "rollback_up_seconds",
    "gate_overhead_seconds", "lost",
}  # fmt: skip
FLIP = {"flip_back_seconds": 0.1, "rollback_up_seconds": 5.0, "gate_overhead_seconds": 0.3, "lost": 0}
STALL = {"worst_read_stall_seconds": {"ours": 0.01, "plain_alembic": 9.0, "fixed_500ms": 0.5}}


@pytest.fixture
def run(tmp_path, monkeypatch):
    """The command, with parts of the test's own: its exit code and what it wrote."""

    def run(arguments, **parts):
        def find(name):
            def measure(options):
                assert options.folder.is_dir()
                found = parts[name]
                if isinstance(found, Exception):
                    raise found
                return found

            return measure

        monkeypatch.setattr(command, "FOLDER", tmp_path)
        monkeypatch.setattr(command, "_find", find)
        code = command.main(arguments)
        return code, json.loads((tmp_path / "schema.json").read_text())

    return run


def test_every_key_is_there_also_for_a_part_that_failed_or_was_left_out(run, capsys):
    code, found = run(["--parts", "stall,flip"], stall=PartError("no reads"), flip={**FLIP, "details": {"requests": 7}})
    assert code == 1
    assert set(found) >= KEYS
    assert found["worst_read_stall_seconds"] is None
    assert found["kill_points"] is None
    assert found["reasons"]["stall"] == "PartError: no reads"
    assert found["reasons"]["kill_points"] == "left out by --parts"
    assert (found["flip_back_seconds"], found["details"]["flip"]["requests"]) == (0.1, 7)
    output = capsys.readouterr().out
    assert "worst_read_stall_seconds  null: PartError: no reads" in output


def test_a_part_without_one_of_its_keys_has_failed(run):
    code, found = run(["--parts", "flip"], flip={"flip_back_seconds": 0.1})
    assert code == 1
    assert found["failed"] == ["flip"]
    assert found["flip_back_seconds"] is None


def test_all_measured_is_a_success(run, capsys):
    assert run(["--parts", "stall,flip"], stall=STALL, flip=FLIP)[0] == 0
    assert "worst_read_stall_seconds.fixed_500ms    0.5" in capsys.readouterr().out


def test_a_lost_request_is_a_failure(run):
    assert run(["--parts", "flip"], flip={**FLIP, "lost": 1})[0] == 1


def test_an_unknown_part_is_refused(run):
    with pytest.raises(SystemExit) as refused:
        run(["--parts", "stal"])
    assert refused.value.code == 2


def test_what_an_earlier_run_left_is_gone(tmp_path):
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "file").touch()
    assert list(command._empty(tmp_path / "old").iterdir()) == []
