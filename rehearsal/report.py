"""What came of a rehearsal: the table at the end and `latest.json` (its schema: docs/rehearsal.md)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rehearsal import lines
from rehearsal.records import Record, percentile
from rehearsal.verify import Orders
from rehearsal.weights import Change, Timeline, wrong


@dataclass(kw_only=True)
class Step:
    """One step of the story. `began` is in seconds since the epoch."""

    name: str
    began: float = 0.0
    seconds: float = 0.0
    ok: bool = False
    detail: str = ""


@dataclass(kw_only=True)
class Traffic:
    """What became of the requests of the load.

    Attributes:
        requests: how many were sent.
        lost: how many did not get what they asked for.
        wrong_color: how many were answered by a version whose weight was already 0 when they were sent.
        p50, p99, worst: milliseconds from when a request was due to the end of its answer.
        late: milliseconds that the generator itself was behind at worst.
        versions: how many answers came from each version.
        examples: the first few that were lost or answered by the wrong color.
    """

    requests: int = 0
    lost: int = 0
    wrong_color: int = 0
    p50: float = 0.0
    p99: float = 0.0
    worst: float = 0.0
    late: float = 0.0
    versions: dict[str, int] = field(default_factory=dict)
    examples: list[str] = field(default_factory=list)


def traffic(records: Sequence[Record], timeline: Timeline) -> Traffic:
    """Judge the records."""
    lost = [record for record in records if record.lost]
    astray = wrong(records, timeline)
    milliseconds = sorted(record.milliseconds for record in records)
    return Traffic(
        requests=len(records),
        lost=len(lost),
        wrong_color=len(astray),
        p50=round(percentile(milliseconds, 0.5), 2),
        p99=round(percentile(milliseconds, 0.99), 2),
        worst=round(milliseconds[-1], 1) if milliseconds else 0.0,
        late=round(max(((record.sent - record.due) * 1000 for record in records), default=0.0), 1),
        versions=dict(Counter(record.version for record in records if record.version)),
        examples=[*map(_lost, lost[:5]), *map(_astray, astray[:5])],
    )


def _lost(record: Record) -> str:
    return f"lost: {record.operation} sent at {record.sent:.3f}, status {record.status}, {record.error or 'no error'}"


def _astray(record: Record) -> str:
    return f"wrong color: {record.operation} sent at {record.sent:.3f}, answered by {record.version}"


def last_answer(records: Iterable[Record], version: str, after: float, until: float) -> float | None:
    """When the last request answered by a version was sent, between two times; None when there was none."""
    return max((r.sent for r in records if r.version == version and after <= r.sent <= until), default=None)


def slowest(records: Iterable[Record], window: tuple[float, float]) -> float | None:
    """Milliseconds of the slowest request that was due in this time; None when there was none."""
    began, ended = window
    found = max((record.milliseconds for record in records if began <= record.due <= ended), default=None)
    return None if found is None else round(found, 1)


@dataclass(kw_only=True)
class Report:
    """One rehearsal."""

    started: float  # seconds since the epoch
    rps: float
    steps: list[Step] = field(default_factory=list)
    traffic: Traffic = field(default_factory=Traffic)
    orders: Orders = field(default_factory=Orders)
    weights: list[Change] = field(default_factory=list)
    rollback_seconds: float | None = None
    blocked_worst: float | None = None  # milliseconds: the slowest request while the expand had to wait
    seconds: float = 0.0
    complete: bool = False  # the story came to its end

    @property
    def ok(self) -> bool:
        """True only when everything held."""
        counted = self.traffic.requests > 0 and not self.traffic.lost and not self.traffic.wrong_color
        return self.complete and counted and self.orders.good and all(step.ok for step in self.steps)

    def as_json(self) -> dict[str, Any]:
        """As in `latest.json`."""
        return {
            "ok": self.ok,
            "requests": self.traffic.requests,
            "lost": self.traffic.lost,
            "wrong_color": self.traffic.wrong_color,
            "orders": self.orders.expected,
            "orders_missing": self.orders.missing,
            "orders_wrong": self.orders.wrong,
            "seconds": round(self.seconds, 1),
            "rollback_seconds": self.rollback_seconds,
            "blocked_worst_ms": self.blocked_worst,
            "started": self.started,
            "rps": self.rps,
            "latency_ms": {"p50": self.traffic.p50, "p99": self.traffic.p99, "worst": self.traffic.worst},
            "generator_late_ms": self.traffic.late,
            "versions": self.traffic.versions,
            "weights": [asdict(change) for change in self.weights],
            "examples": [*self.traffic.examples, *self.orders.examples],
            "steps": [asdict(step) for step in self.steps],
        }

    def save(self, path: Path) -> None:
        """Write it; replaces the file at once."""
        aside = path.with_suffix(".new")
        aside.write_text(json.dumps(self.as_json(), indent=2) + "\n", encoding="utf-8")
        aside.replace(path)

    def table(self, columns: int = 120) -> list[str]:
        """The lines shown at the end, none longer than `columns` where words allow it."""
        width = max((len(step.name) for step in self.steps), default=4)
        shown = [f"{'':8}{'step':{width}}  seconds"]
        for step in self.steps:
            first = f"{'ok' if step.ok else 'FAILED':6}  {step.name:{width}}  {step.seconds:7.1f}  "
            shown += lines.fold(first, step.detail, columns)
        shown += [f"{'':8}{'in all':{width}}  {self.seconds:7.1f}", "", *self._totals()]
        examples = [*self.traffic.examples, *self.orders.examples]
        return [*shown, *(line for example in examples for line in lines.fold("  ", example, columns))]

    def _totals(self) -> list[str]:
        found, count = self.traffic, self.orders
        shown = [
            f"requests  {found.requests}, lost {found.lost}, answered by the wrong color {found.wrong_color}",
            f"latency   p50 {found.p50} ms, p99 {found.p99} ms, worst {found.worst} ms",
        ]
        if count.expected:
            shown.append(f"orders    {count.expected} written, missing {count.missing}, wrong content {count.wrong}")
        if self.blocked_worst is not None:
            shown.append(
                f"held      {self.blocked_worst} ms for the slowest request while a transaction held the table"
            )
        if self.rollback_seconds is not None:
            shown.append(
                f"rollback  {self.rollback_seconds:.1f} s from the command to the last request that v2 answered"
            )
        return shown
