"""Back to the warm color, on the whole product under load: what `make bench` measures of a release and its rollback."""

from __future__ import annotations

import time

from rehearsal import bench
from rehearsal.bench_schema.part import Figures, Options, PartError
from rehearsal.report import Report
from rehearsal.stage import Stage
from rehearsal.story import Story
from tools import cli

_KEYS = ("flip_back_seconds", "rollback_up_seconds", "gate_overhead_seconds", "lost")


def measure(options: Options) -> Figures:
    """The flip, the whole rollback and the gate's part of it, and what was lost meanwhile. Raises PartError."""
    stage = Stage(
        folder=options.folder,
        stack="local",
        rps=options.rps,
        pulumi=str(cli.path()),
        report=Report(started=time.time(), rps=options.rps),
        show=options.say,
    )
    story = Story(stage)
    try:
        options.say("start the embedded AWS")
        stage.open()
        options.say("first release")
        story.first_release()
        found = bench.releases(stage, story)
    finally:
        stage.close()
    if missing := [key for key in _KEYS if found[key] is None]:
        raise PartError(f"{missing[0]} is not in what the rollback recorded, expected it there")
    return {**{key: found[key] for key in _KEYS}, "details": {k: v for k, v in found.items() if k not in _KEYS}}
