"""The report as a comment on a change request, in GitHub-flavored Markdown, which the other forges read too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from preview import text
from preview.prose import REST, code, fenced, prose
from preview.visible import everywhere, visible

Part = Mapping[str, Any]
Block = list[str]
HEAD: Final = ("Revision", "Statement", "Table", "Lock", "Does", "Takes")
FILL_HEAD: Final = ("Revision", "Table", "Rows to fill", "Takes")
SHOWN: Final = 80  # characters of a statement in a table; the whole one stands below
LONGEST: Final = 55_000  # characters; GitHub takes no comment above 65,536, and the resources come after this
ROOMS: Final = (24_000, 8_000, 2_000)  # characters that a list may take, tried in this order


def render(report: Part) -> str:
    """The comment: whole if it is short enough, else with its long lists cut, and at last without whole parts."""
    seen = everywhere(report, visible)
    for room in ROOMS:
        blocks = _blocks(seen, room)
        if len(shown := _joined(blocks)) <= LONGEST:
            return shown
    left_out = f"**Parts of this report are left out, as it is too long: {REST}.**"
    while len(shown := _joined([*blocks, [left_out]])) > LONGEST:
        blocks.pop()
    return shown


def within(lines: Sequence[str], room: int, more: str) -> list[str]:
    """The first of these lines that have room, and one that says how many others there are (`{}` in `more`)."""
    used = 0
    kept: list[str] = []
    for line in lines:
        used += len(line) + 1
        if used > room:
            return [*kept, more.format(f"{len(lines) - len(kept)} more", REST)]
        kept.append(line)
    return kept


def bullets(items: Sequence[str], room: int) -> list[str]:
    """A list of texts."""
    return within([f"- {prose(one)}" for one in items], room, "- … and {}: {}")


def grid(head: Sequence[str], rows: Sequence[Sequence[str]], room: int) -> list[str]:
    """A table. Its cells are Markdown already."""
    lines = within([f"| {' | '.join(row)} |" for row in rows], room, "\n… and {} rows: {}")
    return [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}", *lines]


def _blocks(report: Part, room: int) -> list[Block]:
    schema = report["schema"]
    blocks = [
        _title(report, room),
        _database(schema, room),
        *(_phase(phase, room) for phase in schema["phases"]),
        _lint(schema["lint"], room),
        _traffic(report["traffic"], room),
        _going_back(report),
        _overlap(report["overlap"]),
    ]
    return [block for block in blocks if block]


def _joined(blocks: Sequence[Block]) -> str:
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def _title(report: Part, room: int) -> Block:
    frozen = report["release"]["frozen"]
    reasons = [f"\n> **This release would be refused:** {prose(one['reason'])}" for one in report["refused"]]
    return [
        f"### {prose(_upper(text.title(report)))}",
        *within(reasons, room, "\n> … for {} reasons: {}"),
        *([f"\n> **Frozen:** {prose(frozen)}"] if frozen else []),
    ]


def _upper(value: str) -> str:
    return value[:1].upper() + value[1:]


def _database(schema: Part, room: int) -> Block:
    more = [_sentence(one) for one in (text.sizes(schema), *text.notes(schema)) if one]
    return [f"**Schema.** {_sentence(text.facts(schema['facts']))}", *within(more, room, "… and {} notes: {}.")]


def _sentence(value: str) -> str:
    return f"{prose(_upper(value).rstrip('.'))}."


def _phase(phase: Part, room: int) -> Block:
    parts = [[f"**{_upper(phase['phase'])}**, {prose(phase['when'])}:"]]
    if phase["phase"] == "backfill":
        parts.append(grid(FILL_HEAD, [_cells(row) for row in text.fills(phase)], room))
    elif rows := text.statements(phase):
        cells = [[*_cells(row[:1]), code(row[1], cell=True, longest=SHOWN), *_cells(row[2:])] for row in rows]
        parts.append(grid(HEAD, cells, room))
    parts += [bullets(text.remarks(phase), room), _sql(phase, room)]
    return "\n\n".join("\n".join(part) for part in parts if part).split("\n")


def _cells(row: Sequence[str]) -> list[str]:
    return [prose(cell, cell=True) for cell in row]


def _sql(phase: Part, room: int) -> Block:
    lines = [line for one in phase["revisions"] for line in (text.named(one), *text.sql(one))]
    return [
        f"<details><summary>SQL of {phase['phase']}</summary>",
        "",
        *fenced(within(lines, room, "-- {} lines: {}"), "sql"),
        "",
        "</details>",
    ]


def _lint(lint: Part, room: int) -> Block:
    lines = [f"**Lint.** {_sentence(text.verdict(lint))}"]
    found = bullets([*text.findings(lint), *text.exceptions(lint)], room)
    return [*lines, "", *found] if found else lines


def _traffic(traffic: Part, room: int) -> Block:
    start = text.weights(traffic["start"])
    if not traffic["steps"]:
        return [f"**Traffic.** Nothing moves: {start}."]
    steps = within([text.weights(step["weights"]) for step in traffic["steps"]], room, "{} steps ({})")
    bake = traffic["steps"][0]["bakeSeconds"]
    watched = f", each watched for {bake:g} s" if bake else ""
    return [f"**Traffic.** {' → '.join([start, *steps])}{watched}, {text.total(traffic)}."]


def _going_back(report: Part) -> Block:
    rows = report["rollback"]
    if not rows:
        return []
    asked = report["release"]
    cells = [[row["after"], "yes" if row["possible"] else "**no**", prose(row["what"], cell=True)] for row in rows]
    table = grid(("After", "Possible", "What happens"), cells, LONGEST)
    return [f"**Going back** to {prose(asked['from'])}:", "", *table, "", _sentence(text.failing(asked))]


def _overlap(overlap: Part | None) -> Block:
    if not overlap:
        return []
    source = overlap["source"]  # ours: it may be a link
    return [f"**Both colors running.** {prose(text.price(overlap)).replace(prose(source), f'<{source}>')}."]
