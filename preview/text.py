"""The report as a person reads it in the terminal: plain lines, aligned, at most as wide as `table.WIDTH`.

`render` alone makes text of others fit for a terminal; the other functions take the report as it is.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from preview.table import SHORT, count, one_line, seconds, size, table, tasks, wrap
from preview.visible import everywhere, terminal

SQL_LINES: Final = 40  # of one revision; the JSON has all
SQL_WIDTH: Final = 400  # characters of one line of it
GAP: Final = "  "
COLORS: Final = ("blue", "green")
HEAD: Final = ("revision", "statement", "table", "lock", "does", "takes")
FILL_HEAD: Final = ("revision", "table", "rows to fill", "takes")
STATEMENT: Final = 1  # the column that is cut

Part = Mapping[str, Any]


def render(report: Part) -> str:
    """The whole report."""
    report = everywhere(report, terminal)
    blocks = [
        _title(report),
        list(_database(report["schema"])),
        *(_phase(phase) for phase in report["schema"]["phases"]),
        _lint(report["schema"]["lint"]),
        _traffic(report["traffic"]),
        _going_back(report),
        _overlap(report["overlap"]),
        _refused(report["refused"]),
    ]
    return "\n".join("\n".join(block) for block in blocks if block)


def title(report: Part) -> str:
    """What is asked for, in one line."""
    asked = report["release"]
    if asked["action"] == "none":
        return one_line(f"no release: {asked['color']} serves {asked['version']} already")
    before = f", from {asked['from']}" if asked["from"] else ""
    first = "first release" if asked["action"] == "first" else asked["action"]
    return one_line(f"{first} of {asked['version']} to {asked['color']}{before}")


def _title(report: Part) -> list[str]:
    frozen = report["release"]["frozen"]
    return [title(report), *(wrap(f"FROZEN: {frozen}") if frozen else [])]


def _database(schema: Part) -> Iterator[str]:
    yield from wrap(f"schema: {facts(schema['facts'])}")
    if found := sizes(schema):
        yield from wrap(found, GAP)
    for note in notes(schema):
        yield from wrap(note, GAP)


def notes(schema: Part) -> list[str]:
    """What a reader should know of how the SQL was looked at."""
    found = list(schema["notes"])
    if schema["phases"] and not schema["measured"]["done"] and schema["measured"]["reason"]:
        found.insert(0, f"locks and times were not measured: {schema['measured']['reason']}")
    if not schema["phases"] and not found:
        found.append("no revision is pending")
    return found


def facts(found: Part) -> str:
    """Where what is known of the database comes from, and how old it is."""
    if found["source"] == "empty":
        return "first release: the database is taken to be empty"
    if found["source"] == "none":
        return "nothing is on record about the database: sizes are not known"
    age = found["ageSeconds"]
    ago = "" if age is None else f", {seconds(age)} ago"
    return f"PostgreSQL {found['server'] or '(version not known)'}; sizes as of {found['takenAt']}{ago}"


def sizes(schema: Part) -> str:
    """The live sizes of the tables that the statements lock: `live sizes: orders 1,200,000 rows, 238 MiB`."""
    tables = schema["facts"]["tables"]
    locked = {
        lock["table"]
        for phase in schema["phases"]
        for revision in phase["revisions"]
        for statement in revision["statements"]
        for lock in statement["locks"] or ()
    }
    known = [(name, tables[name]) for name in sorted(locked) if name in tables]
    parts = [f"{name} {count(one['rows'])} rows, {size(one['bytes'])}" for name, one in known]
    return f"live sizes: {'; '.join(parts)}" if parts else ""


def _phase(phase: Part) -> list[str]:
    lines = wrap(f"{phase['phase']}: {phase['when']}", GAP)
    for revision in phase["revisions"]:
        lines += [GAP * 2 + line for line in (named(revision), *sql(revision))]
    head, rows = _rows(phase)
    return [*lines, *(table(head, rows, STATEMENT, GAP * 2) if rows else []), *_remarks(phase)]


def named(revision: Part) -> str:
    """The line above the statements of a revision. Where only an image holds it, its file is not known."""
    return one_line(f"-- {revision['revision']}" + (f" ({revision['file']})" if revision["file"] else ""))


def sql(revision: Part) -> list[str]:
    """The statements of a revision, cut where they are very long."""
    lines = [line for statement in revision["statements"] for line in _ended(statement["sql"]).split("\n")]
    if not lines:
        return [_cut(one_line(f"-- SQL not known: {revision['reason']}"))] if revision["reason"] else []
    more = len(lines) - SQL_LINES
    cut = [_cut(line) for line in lines[:SQL_LINES]]
    return cut if more <= 0 else [*cut, f"-- {more} more lines: see the JSON file"]


def _cut(line: str) -> str:
    more = len(line) - SQL_WIDTH
    return line if more <= 0 else f"{line[:SQL_WIDTH]}… -- {more} more characters: see the JSON file"


def _ended(statement: str) -> str:
    text = inspect.cleandoc(statement)
    return text if text.endswith(";") else f"{text};"


def _rows(phase: Part) -> tuple[Sequence[str], list[list[str]]]:
    if phase["phase"] == "backfill":
        return FILL_HEAD, fills(phase)
    return HEAD, statements(phase)


def statements(phase: Part) -> list[list[str]]:
    """A row for each lock of each statement: revision, statement, table, lock, what it does, how long it takes."""
    return [
        row
        for revision in phase["revisions"]
        for statement in revision["statements"]
        for row in _statement(revision["revision"], statement)
    ]


def _statement(name: str, statement: Part) -> list[list[str]]:
    takes = estimate(statement["estimate"])
    locks = statement["locks"]
    if not locks:
        return [[name, statement["sql"], "", "not measured" if locks is None else "none", "", takes]]
    rows = [["", "", lock["table"], lock["mode"], does(statement, lock["table"]), ""] for lock in locks]
    rows[0][0], rows[0][1], rows[0][5] = name, statement["sql"], takes
    return rows


def does(statement: Part, name: str) -> str:
    """What a statement does to a table besides locking it. To rewrite one it reads it whole too."""
    return "rewrites" if name in statement["rewrites"] else "scans" if name in statement["scans"] else ""


def estimate(found: Part | None) -> str:
    """`0.2 s to 0.6 s`, `up to 0.1 s`."""
    if found is None:
        return "not known"
    low, high = seconds(found["low"]), seconds(found["high"])
    if low == high:
        return low
    return f"{low} to {high}" if found["low"] >= SHORT else f"up to {high}"


def fills(phase: Part) -> list[list[str]]:
    """A row for each backfill: revision, table, rows, how long it takes."""
    return [
        [one["revision"], one["table"] or "", count(one["rows"]), estimate(one["estimate"])]
        for one in phase["revisions"]
    ]


def _remarks(phase: Part) -> Iterator[str]:
    for one in remarks(phase):
        yield from wrap(one, GAP * 2)


def remarks(phase: Part) -> list[str]:
    """What a table has no room for: what is not known, and locks that a revision does not name."""
    found = []
    for one in phase["revisions"]:
        if one["reason"] and one["statements"]:
            found.append(f"{one['revision']}: {one['reason']}")
        for statement in one["statements"]:
            if statement["estimate"] and (statement["rewrites"] or statement["scans"]):
                found.append(f"{one['revision']} statement {statement['number']}: {statement['estimate']['basis']}")
        if one["undeclared"]:
            found.append(f"{one['revision']}: locks {', '.join(one['undeclared'])}, which its `tables` does not name")
    return found


def _lint(lint: Part) -> list[str]:
    lines = wrap(f"lint: {verdict(lint)}")
    for one in [*findings(lint), *exceptions(lint)]:
        lines += wrap(one, GAP)
    return lines


def verdict(lint: Part) -> str:
    """`passed, 1 warning`."""
    parts = [lint["verdict"]]
    for number, word in ((len(lint["errors"]), "error"), (len(lint["warnings"]), "warning")):
        if number:
            parts.append(f"{number} {word}{'s' * (number > 1)}")
    return ", ".join(parts)


def findings(lint: Part) -> list[str]:
    """Each finding in a line, those that refuse the release first."""
    return [
        f"{level}: {one['file']}{_at(one)}: {one['rule']}: {one['message']}{_advice(one)}"
        for level, of in (("error", "errors"), ("warning", "warnings"))
        for one in lint[of]
    ]


def exceptions(lint: Part) -> list[str]:
    """Each exception in a line."""
    return [f"{one['revision']}: {one['rule']} is allowed: {one['reason']}" for one in lint["exceptions"]]


def _at(one: Part) -> str:
    return f" statement {one['statement']}" if one["statement"] else ""


def _advice(one: Part) -> str:
    return f"; {one['advice']}" if one["advice"] else ""


def _traffic(traffic: Part) -> list[str]:
    if not traffic["steps"]:
        return [f"traffic: nothing moves, {weights(traffic['start'])}"]
    number = len(traffic["steps"])
    lines = [f"traffic: {weights(traffic['start'])}, then {number} step{'s' * (number > 1)}, {total(traffic)}"]
    for place, step in enumerate(traffic["steps"], 1):
        watched = f", watched for {step['bakeSeconds']:g} s" if step["bakeSeconds"] else ""
        lines.append(f"{GAP}step {place}: {weights(step['weights'])}{watched}")
    return lines


def total(traffic: Part) -> str:
    """How long the shift is watched in all."""
    return f"{seconds(traffic['seconds'])} in all" if traffic["seconds"] else "at once"


def weights(of: Part) -> str:
    """`blue 90 / green 10`."""
    return " / ".join(f"{color} {of[color]}" for color in COLORS)


def _going_back(report: Part) -> list[str]:
    rows = report["rollback"]
    if not rows:
        return []
    asked = report["release"]
    lines = [f"going back to {asked['from']}:"]
    for row in rows:
        lines += wrap(f"after {row['after']}: {'' if row['possible'] else 'NO: '}{row['what']}", GAP)
    return [*lines, *wrap(failing(asked), GAP)]


def failing(asked: Part) -> str:
    """What a shift that fails does by itself."""
    if asked["onFailure"] == "freeze":
        return "a shift that fails is frozen where it is (onFailure: freeze)"
    return "a shift that fails puts the weights back by itself"


def _overlap(overlap: Part | None) -> list[str]:
    return wrap(f"both colors running: {price(overlap)}") if overlap else []


def price(overlap: Part) -> str:
    """What an hour of both colors costs."""
    both, extra = overlap["both"], overlap["extra"]
    use = f"{tasks(both['tasks'])}, {both['vcpuHours']:g} vCPU and {both['gbHours']:g} GB"
    where = f"Fargate {overlap['architecture']} in {overlap['region']}"
    if both["dollars"] is None:
        return (
            f"{use} an hour, of which the color that is left {extra['vcpuHours']:g} vCPU and {extra['gbHours']:g} GB, "
            f"{overlap['lasts']}; no price is known for {where}, see {overlap['source']}"
        )
    return (
        f"${both['dollars']:.4f} an hour ({use}), of which ${extra['dollars']:.4f} for the color that is left, "
        f"{overlap['lasts']}; {where}, public prices as of {overlap['pricesAsOf']}"
    )


def _refused(refusals: Sequence[Part]) -> list[str]:
    return [line for one in refusals for line in wrap(f"THIS RELEASE WOULD BE REFUSED: {one['reason']}")]
