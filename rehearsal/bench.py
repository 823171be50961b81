"""`python -m rehearsal.bench`: the figures of the whole product in one run, printed and in `.local/bench/latest.json`.

What each key means: docs/rehearsal.md. Times are in seconds of the wall clock, so they mean something only on a machine
with nothing else to do; the load of the machine is written down beside them.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from rehearsal import idle, records, report
from rehearsal.acting import StepError
from rehearsal.embedded import Embedded, EmbeddedError
from rehearsal.engine import EngineError, Outcome
from rehearsal.report import Report
from rehearsal.stage import Stage, StageError, only_one
from rehearsal.story import Story
from rehearsal.terraform import Peer, PeerError
from rehearsal.trees import PROJECT
from tools import cli
from tools.console import say
from tools.env import environment as tools_environment
from tools.project import ToolError

FOLDER = PROJECT / ".local" / "bench"
_PREVIEWS = 3
_SETTLE_SECONDS = 3.0
_PHASES = {
    "roles": "schema-roles",
    "schema": "schema-expand",
    "start": "cutover-start",
    "smoke": "cutover-smoke",
    "shift": "cutover-shift",
    "previous": "cutover-previous",
}
Figures = dict[str, Any]


def main(arguments: Sequence[str]) -> int:
    """0 when all was measured and no request was lost; 1 otherwise; 2 when it could not begin."""
    parser = argparse.ArgumentParser(prog="python -m rehearsal.bench", description=__doc__)
    parser.add_argument("--rps", type=float, default=300.0, help="requests a second (default 300)")
    parser.add_argument("--no-check", action="store_true", help="leave out the time of `make check`")
    options = parser.parse_args(arguments)
    try:
        os.environ["PATH"] = tools_environment(local=False)["PATH"]
        with only_one(FOLDER):
            figures = _measure(options.rps, str(cli.path()), check=not options.no_check)
    except (StageError, StepError, ToolError, EmbeddedError, EngineError, idle.IdleError) as error:
        say(f"bench: {error}")
        return 2 if isinstance(error, StageError | ToolError) else 1
    aside = FOLDER / "latest.new"
    aside.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    aside.replace(FOLDER / "latest.json")
    say(json.dumps(figures, indent=2))
    return 1 if figures["lost"] or not figures["requests"] else 0


def _measure(rps: float, pulumi: str, *, check: bool) -> Figures:
    figures: Figures = {"load_average_before": os.getloadavg()[0], "cores": os.cpu_count(), "rps": rps}
    figures.update(_check() if check else {"check_seconds": None, "check_reason": "left out by --no-check"})
    alone = Embedded(project=PROJECT, folder=FOLDER / "idle")
    figures.update(_step("the embedded AWS alone: start, memory, processor", lambda: idle.measure(alone)))
    found = Report(started=time.time(), rps=rps)
    stage = Stage(
        folder=FOLDER, stack="local", rps=rps, pulumi=pulumi, report=found, show=lambda line: say(f"    {line}")
    )
    story = Story(stage)
    try:
        figures.update(_platform(stage, story))
        figures.update(releases(stage, story))
    finally:
        stage.close()
    return figures


def _step(name: str, action: Callable[[], Any]) -> Any:
    say(f"bench: {name}")
    return action()


def _platform(stage: Stage, story: Story) -> Figures:
    began = time.monotonic()
    _step("start the embedded AWS", stage.open)
    opened = time.monotonic() - began
    _step("first release", story.first_release)
    time.sleep(_SETTLE_SECONDS)
    return {
        "open_seconds": round(opened, 2),
        "platform_mb": idle.memory_mb(stage.environment),
        **_previews(stage),
    }


def _peer(stage: Stage) -> tuple[Peer | None, str]:
    """Terraform with the same resources, or why there is none."""
    program = shutil.which("terraform")
    if program is None:
        return None, "terraform is not installed"
    peer = Peer(program=program, folder=stage.folder / "terraform", environment=stage.environment)
    state = json.loads(stage.engine.plain(["stack", "export", "--stack", stage.stack]))
    try:
        _step("terraform takes over the same resources", lambda: peer.prepare(state["deployment"]["resources"]))
    except PeerError as error:
        return None, str(error)
    return peer, ""


def _preview(stage: Stage) -> float:
    outcome = stage.engine.run("preview", ["--expect-no-changes"])
    if outcome.code:
        raise StepError(f"preview: exit code {outcome.code}, expected no change: {outcome.message[:400]}")
    return outcome.seconds


def releases(stage: Stage, story: Story) -> Figures:
    """Release and roll back, under load."""
    _step("load on", story.load_on)
    _step("release v2", lambda: story.release("v2"))
    _step("roll back", story.roll_back)
    release, back = story.released, story.rolled_back
    if release is None or back is None:
        raise StepError("bench: a release has no outcome, expected what its step left")
    gate = _gate_overhead(stage, back)
    time.sleep(_SETTLE_SECONDS)  # requests after the flip count too
    ended = back.began + back.seconds
    flips = [change.time for change in stage.changes() if change.weights and back.began <= change.time <= ended]
    stage.stop_load()
    judged = report.traffic(list(records.read(stage.folder / "requests.tsv")), stage.timeline())
    return {
        "release_phases": phases(release),
        "gate_overhead_seconds": gate,
        "flip_back_seconds": back.outputs.get("cutover-shift", {}).get("seconds"),
        "flip_after_command_seconds": round(flips[0] - back.began, 2) if flips else None,
        "rollback_up_seconds": round(back.seconds, 2),
        "requests": judged.requests,
        "lost": judged.lost,
        "wrong_color": judged.wrong_color,
        "latency_ms": {"p50": judged.p50, "p99": judged.p99, "worst": judged.worst},
    }


def phases(outcome: Outcome) -> dict[str, float]:
    """Where the seconds of one `up` went, the build of the image left out of `total`.

    `engine` is what no phase explains: engine, program, other resources.
    """
    found = {
        phase: float(outcome.outputs.get(name, {}).get("seconds") or 0.0) if name in outcome.outputs else 0.0
        for phase, name in _PHASES.items()
    }
    image = sum(seconds for name, seconds in outcome.spans.items() if name.endswith("docker:index/image:Image"))
    total = outcome.seconds - image
    return {
        "total": round(total, 2),
        "program_start": outcome.program_seconds,
        "image": image,
        **found,
        "engine": round(total - sum(found.values()), 2),
    }


def _gate_overhead(stage: Stage, outcome: Outcome) -> float | None:
    """What the gate took beyond the task's own time, as ECS tells it."""
    gate = outcome.outputs.get("schema-expand", {})
    if not gate.get("taskArn"):
        return None
    task = stage.live.client("ecs").describe_tasks(cluster=stage.live.prefix, tasks=[gate["taskArn"]])["tasks"][0]
    own: float = (task["stoppedAt"] - task["startedAt"]).total_seconds()
    return round(float(gate["seconds"]) - own, 2)


def _check() -> Figures:
    """The time of `make check`; null with the reason when it fails."""
    say("bench: make check")
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "tools", "check"],
        cwd=PROJECT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    seconds = round(time.monotonic() - began, 1)
    if done.returncode:
        lines = (done.stderr.strip() or done.stdout.strip()).splitlines()
        return {"check_seconds": None, "check_reason": f"failed after {seconds} s: {(lines or ['no message'])[-1]}"}
    return {"check_seconds": seconds}


def _previews(stage: Stage) -> Figures:
    """Previews without a change and, where there is one, the peer's plan of the same resources; they take turns."""
    peer, reason = _peer(stage)
    previews: list[float] = []
    plans: list[float] = []
    for _ in range(_PREVIEWS):
        previews.append(_step("preview without a change", lambda: _preview(stage)))
        try:
            if peer is not None:
                plans.append(_step("terraform plan without a change", peer.plan_seconds))
        except PeerError as error:
            peer, reason, plans = None, str(error), []
    ours = statistics.median(previews)
    figures: Figures = {"noop_preview_seconds": round(ours, 2)}
    if not plans:
        return {**figures, "noop_preview_to_terraform_plan": None, "noop_preview_to_terraform_plan_reason": reason}
    theirs = statistics.median(plans)
    ratio = {
        "noop_preview_to_terraform_plan": round(ours / theirs, 2),
        "terraform_plan_seconds": round(theirs, 2),
        "terraform_resources": peer.covered if peer else 0,
    }
    return {**figures, **ratio}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
