"""The report as a comment on a change request, in GitHub-flavored Markdown, which the other forges read too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from preview import text

Part = Mapping[str, Any]
HEAD: Final = ("Revision", "Statement", "Table", "Lock", "Does", "Takes")
FILL_HEAD: Final = ("Revision", "Table", "Rows to fill", "Takes")
SHOWN: Final = 80  # characters of a statement in a table; the whole one stands below


def render(report: Part) -> str:
    """The comment."""
    blocks = [
        _title(report),
        _database(report["schema"]),
        *(_phase(phase) for phase in report["schema"]["phases"]),
        _lint(report["schema"]["lint"]),
        _traffic(report["traffic"]),
        _going_back(report),
        _overlap(report["overlap"]),
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def grid(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A table."""
    lines = [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}"]
    return [*lines, *(f"| {' | '.join(_cell(cell) for cell in row)} |" for row in rows)]


def _cell(value: str) -> str:
    return " ".join(value.split()).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")


def code(value: str) -> str:
    """Code inside a line; whatever is in it, it does not end the code early."""
    shown = " ".join(value.split())
    shown = shown if len(shown) <= SHOWN else f"{shown[: SHOWN - 1]}…"
    return f"`` {shown} ``" if "`" in shown else f"`{shown}`"


def _title(report: Part) -> list[str]:
    asked = report["release"]
    lines = [f"### {_upper(text.title(report))}"]
    lines += [f"\n> **This release would be refused:** {_cell(one['reason'])}" for one in report["refused"]]
    return lines + ([f"\n> **Frozen:** {_cell(asked['frozen'])}"] if asked["frozen"] else [])


def _upper(value: str) -> str:
    return value[:1].upper() + value[1:]


def _database(schema: Part) -> list[str]:
    more = [text.sizes(schema), *text.notes(schema)]
    return [f"**Schema.** {_sentence(text.facts(schema['facts']))}", *(_sentence(one) for one in more if one)]


def _sentence(value: str) -> str:
    return f"{_upper(_cell(value)).rstrip('.')}."


def _phase(phase: Part) -> list[str]:
    lines = [f"**{_upper(phase['phase'])}**, {_cell(phase['when'])}:", ""]
    if phase["phase"] == "backfill":
        lines += grid(FILL_HEAD, text.fills(phase))
    else:
        rows = [[row[0], code(row[1]) if row[1] else "", *row[2:]] for row in text.statements(phase)]
        lines += grid(HEAD, rows)
    remarks = [f"- {_cell(one)}" for one in text.remarks(phase)]
    return [*lines, *(["", *remarks] if remarks else []), "", *_sql(phase)]


def _sql(phase: Part) -> Iterator[str]:
    yield f"<details><summary>SQL of {phase['phase']}</summary>"
    yield ""
    lines = [line for one in phase["revisions"] for line in (f"-- {one['revision']} ({one['file']})", *text.sql(one))]
    fence = "`" * max(3, 1 + max((len(line) - len(line.lstrip("`")) for line in lines), default=0))
    yield from (f"{fence}sql", *lines, fence, "", "</details>")


def _lint(lint: Part) -> list[str]:
    lines = [f"**Lint.** {_sentence(text.verdict(lint))}"]
    found = [f"- {_cell(one)}" for one in [*text.findings(lint), *text.exceptions(lint)]]
    return [*lines, "", *found] if found else lines


def _traffic(traffic: Part) -> list[str]:
    start = text.weights(traffic["start"])
    if not traffic["steps"]:
        return [f"**Traffic.** Nothing moves: {start}."]
    path = " → ".join([start, *(text.weights(step["weights"]) for step in traffic["steps"])])
    bake = traffic["steps"][0]["bakeSeconds"]
    watched = f", each watched for {bake:g} s" if bake else ""
    return [f"**Traffic.** {path}{watched}, {text.total(traffic)}."]


def _going_back(report: Part) -> list[str]:
    rows = report["rollback"]
    if not rows:
        return []
    asked = report["release"]
    cells = [[row["after"], "yes" if row["possible"] else "**no**", row["what"]] for row in rows]
    table = grid(("After", "Possible", "What happens"), cells)
    return [f"**Going back** to {asked['from']}:", "", *table, "", _sentence(text.failing(asked))]


def _overlap(overlap: Part | None) -> list[str]:
    return [f"**Both colors running.** {_cell(text.price(overlap))}."] if overlap else []
