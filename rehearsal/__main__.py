"""`python -m rehearsal`: the whole story on the embedded AWS, under load. 0 only if everything held."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rehearsal import interrupts, lines
from rehearsal.report import Report, Step
from rehearsal.stage import Stage, StageError, only_one
from rehearsal.story import Story
from rehearsal.trees import PROJECT
from tools import cli
from tools.env import environment as tools_environment
from tools.project import ToolError

FOLDER = PROJECT / ".local" / "rehearsal"


def main(arguments: Sequence[str]) -> int:
    """0: everything held; 1: something did not; 2: it could not begin; 130: interrupted, everything stopped."""
    options = _options(arguments)
    if not (PROJECT / f"Pulumi.{options.stack}.yaml").exists():
        print(f"rehearsal: --stack {options.stack}: there is no Pulumi.{options.stack}.yaml, expected such as local")
        return 2
    interrupts.as_interrupts()
    try:
        os.environ["PATH"] = tools_environment(local=False)["PATH"]
        with only_one(options.folder):
            return _play(options, str(cli.path()))
    except (StageError, ToolError) as error:
        print(f"rehearsal: {error}")
        return 2


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m rehearsal", description=__doc__)
    parser.add_argument("--rps", type=float, default=300.0, help="requests a second (default 300)")
    parser.add_argument("--stack", default="local", help="whose settings to use (default local)")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where everything goes (default .local/rehearsal)")
    options = parser.parse_args(arguments)
    options.folder = options.folder.resolve()
    if not 1 <= options.rps <= 2000:
        parser.error(f"--rps: found {options.rps:g}, expected a number from 1 to 2000")
    return options


def _play(options: argparse.Namespace, pulumi: str) -> int:
    began = time.monotonic()
    report = Report(started=time.time(), rps=options.rps)

    def show(line: str) -> None:
        _print(line)

    stage = Stage(folder=options.folder, stack=options.stack, rps=options.rps, pulumi=pulumi, show=show, report=report)
    story = Story(stage)
    print(f"rehearsal: {options.rps:g} requests a second; events and logs in {_short(options.folder)}", flush=True)
    code = 1
    try:
        report.complete = _run_steps(story, report, began)
    except KeyboardInterrupt:
        print("rehearsal: interrupted, stopping everything", flush=True)
        code = 130
    finally:
        _finish(stage, story, report)
    report.seconds = time.monotonic() - began
    report.save(options.folder / "latest.json")
    print("\n" + "\n".join(report.table(lines.width())))
    verdict = "everything held" if report.ok else "interrupted" if code == 130 else "FAILED"
    print(f"\nrehearsal: {verdict} in {report.seconds:.0f} s; "
          f"{_short(options.folder / 'latest.json')}", flush=True)  # fmt: skip
    return 0 if report.ok else code


def _run_steps(story: Story, report: Report, began: float) -> bool:
    for name, action in story.steps():
        step = Step(name=name, began=time.time())
        report.steps.append(step)
        print(f"{time.monotonic() - began:7.1f} s  {name}", flush=True)
        try:
            step.detail = action()
            step.ok = True
        except Exception as error:
            step.detail = f"{error}" if str(error) else type(error).__name__
        except KeyboardInterrupt:
            step.detail = "interrupted"
            raise
        finally:
            step.seconds = round(time.time() - step.began, 2)
        word = "ok" if step.ok else "FAILED"
        _print(f"{word} in {step.seconds:.1f} s: {step.detail}")
        if not step.ok:
            return False
    return True


def _finish(stage: Stage, story: Story, report: Report) -> None:
    """Whatever happened: nothing runs on."""
    interrupts.ignored()
    try:
        stage.close()
        if not report.traffic.requests:
            story.count()
    except Exception as error:
        print(f"rehearsal: while stopping: {error}", flush=True)
        report.complete = False


def _print(text: str) -> None:
    print("\n".join(lines.fold(f"{'':11}", text, lines.width())), flush=True)


def _short(path: Path) -> str:
    return os.path.relpath(path, Path.cwd())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
