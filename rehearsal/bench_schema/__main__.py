"""`python -m rehearsal.bench_schema`: the figures of the schema's moves, printed and in `.local/bench/schema.json`.

What each key means: docs/rehearsal.md. A part that fails is null, with its reason under `reasons`, and the exit code is
1. Seconds are of the wall clock: they mean something only on a machine with nothing else to do.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from rehearsal.bench_schema.part import Figures, Options
from rehearsal.stage import StageError, only_one
from rehearsal.trees import PROJECT
from tools.console import say
from tools.env import environment as tools_environment

FOLDER: Final = PROJECT / ".local" / "bench"
FILE: Final = "schema.json"
# A part is a module of this package with `measure(options) -> Figures`: these keys, and perhaps `details`.
PARTS: Final[Mapping[str, tuple[str, ...]]] = {
    "stall": ("worst_read_stall_seconds",),
    "kill_points": ("kill_points",),
    "backfill": ("backfill",),
    "flip": ("flip_back_seconds", "rollback_up_seconds", "gate_overhead_seconds", "lost"),
}
Measure = Callable[[Options], Figures]


def main(arguments: Sequence[str]) -> int:
    """0 when all that was asked for was measured and nothing was lost; 1 otherwise; 2 when it could not begin."""
    parser = argparse.ArgumentParser(prog="python -m rehearsal.bench_schema", description=__doc__)
    parser.add_argument("--parts", default=",".join(PARTS), help="some of them only, with commas (default all)")
    parser.add_argument("--rps", type=float, default=300.0, help="requests a second (default 300)")
    parser.add_argument("--blocker-seconds", type=float, default=60.0, help="stall: how long the table is held")
    parser.add_argument("--rows", type=int, default=1_000_000, help="backfill: rows to fill (default 1,000,000)")
    parser.add_argument("--kills", type=int, default=20, help="kill_points: how many (default 20)")
    chosen = parser.parse_args(arguments)
    wanted = [name.strip() for name in chosen.parts.split(",") if name.strip()]
    if unknown := [name for name in wanted if name not in PARTS]:
        parser.error(f"--parts: found {unknown[0]}, expected some of {', '.join(PARTS)}")
    os.environ["PATH"] = tools_environment(local=False)["PATH"]

    def options(name: str) -> Options:
        return Options(
            folder=_empty(FOLDER / "schema" / name), rps=chosen.rps, blocker_seconds=chosen.blocker_seconds,
            rows=chosen.rows, kills=chosen.kills, say=lambda line: say(f"  {name}: {line}"),
        )  # fmt: skip

    try:
        with only_one(FOLDER):
            figures = measure_all(wanted, options)
            _write(figures)
    except StageError as error:
        say(f"bench: {error}")
        return 2
    say(json.dumps(figures, indent=2))
    say(table(figures))
    return 1 if figures["failed"] or figures["lost"] else 0


def measure_all(
    wanted: Sequence[str], options: Callable[[str], Options], find: Callable[[str], Measure] | None = None
) -> Figures:
    """All keys of all parts; null with a reason where a part failed or was left out."""
    figures: Figures = {key: None for keys in PARTS.values() for key in keys}
    details: Figures = {}
    reasons: dict[str, str] = {name: "left out by --parts" for name in PARTS if name not in wanted}
    failed: list[str] = []
    conditions = {"load_average_before": round(os.getloadavg()[0], 2), "cores": os.cpu_count()}
    for name in wanted:
        began = time.monotonic()
        say(f"bench: {name}")
        try:
            found = (find or _find)(name)(options(name))
            figures.update({key: found[key] for key in PARTS[name]})
            details[name] = {**found.get("details", {}), "seconds": round(time.monotonic() - began, 1)}
        except Exception as error:  # whatever it is, the other parts still measure
            failed.append(name)
            reasons[name] = f"{type(error).__name__}: {error}"
            say(f"bench: {name} failed: {reasons[name]}")
    return {**figures, "details": details, "reasons": reasons, "failed": failed, **conditions}


def _find(name: str) -> Measure:
    module = importlib.import_module(f"rehearsal.bench_schema.{name}")
    found: Measure = module.measure
    return found


def _empty(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _write(figures: Figures) -> None:
    aside = FOLDER / f"{FILE}.new"
    aside.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    aside.replace(FOLDER / FILE)


def table(figures: Figures) -> str:
    """One line for each figure."""
    rows: list[tuple[str, str]] = []
    for name, keys in PARTS.items():
        for key in keys:
            value = figures[key]
            if value is None:
                rows.append((key, f"null: {figures['reasons'].get(name, 'no reason given')}"))
            elif isinstance(value, dict):
                rows.extend((f"{key}.{inner}", _shown(one)) for inner, one in value.items())
            else:
                rows.append((key, _shown(value)))
    width = max(len(key) for key, _ in rows)
    return "\n".join(f"{key:{width}}  {value}" for key, value in rows)


def _shown(value: object) -> str:
    return f"{value:,}" if isinstance(value, int | float) else str(value)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
