"""The twin of the story's contract: the same step with the real engine and a version that brings no contract."""

import os

import pytest

from infra.version import content_version
from rehearsal.acting import StepError
from rehearsal.report import Report
from rehearsal.schema import REMOVED, TABLE
from rehearsal.stage import Stage
from rehearsal.story import Story
from tools import cli
from tools.env import environment

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def test_a_contract_that_is_not_there_is_found_out(tmp_path, monkeypatch):
    monkeypatch.setitem(os.environ, "PATH", environment(local=False)["PATH"])
    stage = Stage(
        folder=tmp_path, stack="local", rps=1, pulumi=str(cli.path()), show=print, report=Report(started=0, rps=1)
    )
    story = Story(stage)
    try:
        stage.open()
        contract = stage.trees["v3"] / "migrations" / "contract"
        for file in (*contract.glob("c*.py"), contract / "HEAD"):
            file.unlink()
        stage.versions["v3"] = content_version(stage.trees["v3"])
        story.release("v3")
        with pytest.raises(StepError, match=r"schema revision e0002, expected one that ends in \+c0002"):
            story.schema.contract("v3")
        assert REMOVED in stage.live.columns(TABLE)
    finally:
        stage.close()
