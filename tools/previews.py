"""`make preview`: what a person reads in the terminal, and the same as files for a build server.

`.local/preview/<stack>.json` holds what Pulumi would do to the resources and the report of the release;
`<stack>.md` is the text for a comment on a change request. docs/preview.md has the keys.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from preview.markdown import within
from preview.prose import code, prose

from . import child
from .console import say
from .project import STATE

FOLDER = STATE / "preview"
FORMAT = 1
REPORT = "BLUEGREEN_REPORT"  # the release's report goes to this file; the Markdown comes beside it
EVENT_LOG = {"PULUMI_DEBUG_COMMANDS": "true"}  # without it the CLI has no --event-log
PARTS = ("create-replacement", "delete-replaced", "discard-replaced", "read-replacement")  # of a replacement
REFUSED = "this release would be refused"  # said by the report already
ROOM = 3_000  # characters for each list of resources, and for the errors: the comment stays below what a forge takes
QUIET = ("same", "read", "refresh")
_COLOR = re.compile(r"<\{%[^%]*%\}>|\x1b\[[0-9;]*m")


def run(command: Sequence[str], env: Mapping[str, str], stack: str) -> int:
    """Run `pulumi preview` to its end and write the files. Returns its exit code."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for old in FOLDER.glob(f"{stack}.*"):  # nobody should take the preview before for this one
        old.unlink()
    events, report = FOLDER / f"{stack}.events", FOLDER / f"{stack}.release.json"
    inside = {**env, **EVENT_LOG, REPORT: str(report)}
    try:
        code = child.call([*command, "--event-log", str(events)], inside, stdin=None)
        _write(artefact(stack, code, read_events(events), _json(report)), report.with_suffix(".md"))
    finally:
        for scratch in (events, report, report.with_suffix(".md")):
            scratch.unlink(missing_ok=True)
    say(f"tools: the same as files: {FOLDER / stack}.json and .md")
    return code


def _write(made: Mapping[str, Any], release: Path) -> None:
    comment = markdown(made, release.read_text(encoding="utf-8") if release.exists() else "")
    (FOLDER / f"{made['stack']}.json").write_text(json.dumps(made, indent=2) + "\n", encoding="utf-8")
    (FOLDER / f"{made['stack']}.md").write_text(comment, encoding="utf-8")


def artefact(stack: str, code: int, events: Sequence[Mapping[str, Any]], release: object) -> dict[str, Any]:
    """What the JSON file holds."""
    resources = list(_resources(events))
    return {
        "format": FORMAT,
        "stack": stack,
        "exitCode": code,
        "changes": _changes(events),
        "replaced": [one for one in resources if one["operation"] == "replace"],
        "deleted": [one for one in resources if one["operation"] == "delete"],
        "changed": [one for one in resources if one["operation"] not in (*QUIET, "replace", "delete")],
        "errors": list(errors(events)),
        "release": release,
    }


def markdown(made: Mapping[str, Any], release: str) -> str:
    """The comment on a change request: the release first, then the resources."""
    lines = [f"## Preview of stack {prose(made['stack'])}", ""]
    if release:
        lines += [release.rstrip(), ""]
    elif not made["exitCode"]:
        lines += ["No release: nothing of it would change.", ""]
    lines += [f"**Resources.** {counts(made['changes'])}.", ""]
    for word in ("replaced", "deleted"):
        told = [f"- {word}: {code(one['name'])} ({prose(one['type'])})" for one in made[word]]
        lines += within(told, ROOM, f"- {word}: {{}}, {{}}")
    if made["exitCode"]:
        lines += ["", f"**The preview failed** (exit code {made['exitCode']}).", ""]
        told = [f"> {prose(error)}" for error in made["errors"] if not release or REFUSED not in error]
        lines += within(told, ROOM, "> … and {}: {}")
    return "\n".join(lines).rstrip() + "\n"


def counts(changes: Mapping[str, int]) -> str:
    """`2 create, 5 update, 83 same`; what stays the same comes last."""
    order = sorted(changes.items(), key=lambda one: (one[0] in QUIET, one[0]))
    return ", ".join(f"{number} {operation}" for operation, number in order if number) or "none"


def read_events(file: Path) -> list[Mapping[str, Any]]:
    """The engine's events; what can't be read is left out: an interrupted preview ends in the middle of a line."""
    found: list[Mapping[str, Any]] = []
    for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else []:
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict):
            found.append(event)
    return found


def _json(file: Path) -> object:
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else None


def _changes(events: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """How many resources per operation. Without the summary, which a preview that fails has not, those told so far."""
    for event in reversed(events):
        if summary := event.get("summaryEvent"):
            return dict(summary.get("resourceChanges") or {})
    found: dict[str, int] = {}
    for one in _resources(events):
        found[one["operation"]] = found.get(one["operation"], 0) + 1
    return found


def _resources(events: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, str]]:
    seen = set()
    for event in events:
        found = (event.get("resourcePreEvent") or {}).get("metadata")
        if not found or found["op"] in PARTS or (found["urn"], found["op"]) in seen:
            continue
        seen.add((found["urn"], found["op"]))
        name = found["urn"].rsplit("::", 1)[-1]
        yield {"operation": found["op"], "type": found["type"], "name": name, "urn": found["urn"]}


def errors(events: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    seen = set()
    for event in events:
        found = event.get("diagnosticEvent") or {}
        text = _COLOR.sub("", str(found.get("message", ""))).strip()
        if found.get("severity") == "error" and text and text not in seen:
            seen.add(text)
            yield text
