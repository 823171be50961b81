"""The report of a release: what is asked for, the schema's part, traffic, going back, cost, and whether it is refused.

The result is plain data, as it stands in the JSON artefact; `text` and `markdown` only show it. docs/preview.md has the
keys. Nothing here asks AWS or the database.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from migrations import on_record
from migrations.errors import Exit, MigrationError
from migrations.revision_file import Phase
from migrations.rule import Applied, needed_backfills
from migrations.tree import read_tree
from preview import adoption, release, unseen
from preview.release import Asked, Part

FORMAT: Final = 1
EMPTY: Final = "empty"  # nothing on record, and nothing there
UNKNOWN: Final = "none"  # nothing on record, and something there
PHASES: Final[tuple[Phase, ...]] = ("expand", "backfill", "contract")
# Rows that a backfill fills in a second beside traffic; `make bench-schema` measures it.
FILL_LOW, FILL_HIGH = 2_000, 20_000
FILL_BASIS: Final = f"{FILL_LOW:,} to {FILL_HIGH:,} rows a second, as the load lets it"
LONGEST_REASON: Final = 400  # characters of an error that nobody has foreseen

# Answers as `SchemaExamination.as_json`.
Examine = Callable[[Path, Mapping[str, Any] | None], Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Schema:
    """Where the release's SQL is, and what is known of the database.

    Attributes:
        tree: the folder `migrations` of the version; None where only its image holds it.
        notes: why there is no tree, and what else a reader should know.
        phases: those that may run.
        facts: what the last migration task told, None where nothing is on record.
        adopt: the revision through which an existing database is taken over, or empty.
    """

    tree: Path | None
    notes: Sequence[str]
    facts: Mapping[str, Any] | None
    phases: Sequence[Phase] = PHASES
    adopt: str = ""


def build(asked: Asked, schema: Schema, examine: Examine, now: datetime | None = None) -> Part:
    """The report. A tree that can't be read and a lint that refuses are in `refused`; what can't be measured is not."""
    now, began = now or datetime.now(UTC), time.monotonic()
    refused = [_refusal(Exit.NOT_SERVABLE, reason) for reason in unservable(asked, schema.facts)]
    examined, notes = None, list(schema.notes)
    filled: dict[str, str] = {}
    names: tuple[str, ...] = ()
    needed: frozenset[str] = frozenset()
    if schema.tree is not None:
        try:
            filled, needed = _filled(schema.tree), _needed(schema.tree, schema.facts)
            names = adoption.adopted(schema.tree, schema.adopt, schema.facts)
            if names:
                notes.append(adoption.note(names))
            refused += [_refusal(Exit.EDITED, reason) for reason in _edited(schema.tree, schema.facts)]
            examined = examine(schema.tree, adoption.as_applied(names, schema.facts))
        except MigrationError as error:
            refused.append(_refusal(error.exit, str(error)))
            notes.append("the revisions can't be read")
        except ModuleNotFoundError as error:
            notes.append(f"the SQL was not looked at: {error.name} is not installed here; `make tools` installs it")
        except Exception as error:  # whatever is wrong with the tools of the preview, the release can still be seen
            notes.append(f"the SQL could not be looked at ({_unforeseen(error)})")
    part = _schema(asked, schema, examined, notes, now)
    part["adopts"] = list(names)
    if names and part["facts"]["source"] == EMPTY:
        part["facts"]["source"] = UNKNOWN
    for phase, one in [(p, one) for p in part["phases"] if p["phase"] == "backfill" for one in p["revisions"]]:
        if one["revision"] in needed:
            phase["when"] = _before_it_serves(asked, sorted(needed))
        one |= _fill(one["revision"], filled.get(one["revision"]), part["facts"]["source"], schema.facts or {})
    refused += [_refusal(Exit.STATEMENT_FAILED, reason) for reason in _failing(part["phases"])]
    refused += [_refusal(Exit.LINT_REFUSED, f"the lint refuses {name}") for name in _lint_refuses(part["lint"])]
    return {
        "format": FORMAT,
        "takenAt": now.isoformat(timespec="seconds"),
        "release": release.release(asked),
        "schema": part,
        "traffic": release.traffic(asked),
        "rollback": release.going_back(asked, _names(part["phases"])),
        "overlap": release.overlap(asked),
        "refused": refused,
        "seconds": round(time.monotonic() - began, 3),
    }


def _refusal(exit_: Exit, reason: str) -> Part:
    """With the exit code that the migrations command would end with."""
    return {"exit": int(exit_), "name": exit_.name, "reason": reason}


def _failing(phases: Sequence[Part]) -> list[str]:
    """What would run in this release and did not on the structure on record."""
    return [
        f"{phase['phase']} {one['revision']} ({one['file']}) does not run on the structure on record: {one['reason']}"
        for phase in phases
        if phase["runs"]
        for one in phase["revisions"]
        if one.get("fails")
    ]


def unservable(asked: Asked, facts: Mapping[str, Any] | None) -> list[str]:
    """Why the wanted version can't serve the database, as far as is on record; the check in its image decides."""
    if asked.version not in asked.known or facts is None:
        return []
    contracts = {name for names in asked.known.values() for name in names}
    lacking = sorted((contracts & set(facts.get("revisions", ()))) - set(asked.known[asked.version]))
    if not lacking:
        return []
    able = release.oldest_able(asked, lacking)
    hint = f"the oldest version that can serve is {able}" if able else "release a version that knows it"
    return [
        f"version {asked.version} cannot serve this database: it does not know contract {', '.join(lacking)}; {hint}"
    ]


def _schema(asked: Asked, schema: Schema, found: Mapping[str, Any] | None, notes: list[str], now: datetime) -> Part:
    # Without a tree the names on record are all there is: a contract that will run is told at least.
    there = found["revisions"] if found else unseen.contracts(asked, schema.facts) if schema.tree is None else []
    revisions = [one for one in there if one["phase"] in schema.phases]
    phases = [_phase(asked, phase, revisions) for phase in PHASES]
    return {
        "facts": _facts(asked, schema.facts, now),
        "notes": [*notes, *(found["notes"] if found else [])],
        "measured": found["measured"] if found else {"done": False, "reason": "", "server": ""},
        "phases": [phase for phase in phases if phase["revisions"]],
        "lint": _lint(revisions, looked=found is not None),
        "seconds": found["seconds"] if found else 0.0,
    }


def _phase(asked: Asked, phase: Phase, revisions: list[Part]) -> Part:
    mine = [one for one in revisions if one["phase"] == phase]
    return {"phase": phase, "when": _when(asked, phase), "runs": _runs(asked, phase), "revisions": mine}


def _runs(asked: Asked, phase: Phase) -> bool:
    return phase != "contract" or asked.previous == release.RETIRED


def _when(asked: Asked, phase: Phase) -> str:
    if phase == "expand":
        serves = f", while {asked.previous_color} serves {asked.back}" if asked.back else ""
        return f"before a task of {asked.version} starts{serves}"
    if phase == "backfill":
        return "after the shift, as a task of its own, in batches beside the traffic"
    if _runs(asked, phase):
        return f"after the last task of {asked.previous_color} has stopped"
    return "held back: it runs in an `up` with previous: retired"


def _before_it_serves(asked: Asked, needed: list[str]) -> str:
    return (
        f"{', '.join(needed)} before a task of {asked.version} starts, which no longer reads rows that are not filled; "
        "any other after the shift; each time in a task of its own, in batches beside the traffic"
    )


def _needed(tree: Path, facts: Mapping[str, Any] | None) -> frozenset[str]:
    """Backfills that are to be complete before the version serves."""
    found = read_tree(tree)
    applied = frozenset(on_record.revisions(facts or {}, found))
    return frozenset(needed_backfills(found, Applied(expand=frozenset(), contract=frozenset(), backfill=applied)))


def _edited(tree: Path, facts: Mapping[str, Any] | None) -> list[str]:
    return on_record.edited(facts or {}, read_tree(tree))


def _filled(tree: Path) -> dict[str, str]:
    """The table of each backfill."""
    return {one.revision: str(one.settings.get("table", "")) for one in read_tree(tree).backfill}


def _fill(name: str, table: str | None, source: str, facts: Mapping[str, Any]) -> Part:
    """Rows left for a backfill where they are known, else all of its table."""
    left = facts.get("backfills", {}).get(name, {}).get("left")
    rows = left if left is not None else facts.get("tables", {}).get(table, {}).get("rows")
    if source == EMPTY:
        rows = 0
    takes = None if rows is None else {"low": rows / FILL_HIGH, "high": rows / FILL_LOW, "basis": FILL_BASIS}
    return {"table": table, "rows": rows, "estimate": takes}


def _facts(asked: Asked, facts: Mapping[str, Any] | None, now: datetime) -> Part:
    if facts is None:
        source = EMPTY if asked.action == "first" else UNKNOWN
        return {"source": source, "takenAt": None, "ageSeconds": None, "server": None, "revisions": [], "tables": {}}
    taken = facts.get("takenAt")
    return {
        "source": "record",
        "takenAt": taken,
        "ageSeconds": _age(taken, now),
        "server": facts.get("server"),
        "revisions": list(facts.get("revisions", ())),
        "tables": dict(facts.get("tables", {})),
    }


def _age(taken: object, now: datetime) -> float | None:
    try:
        moment = datetime.fromisoformat(str(taken))
    except ValueError:
        return None
    return round((now - (moment if moment.tzinfo else moment.replace(tzinfo=UTC))).total_seconds(), 1)


def _lint(revisions: list[Part], *, looked: bool) -> Part:
    found = [finding for one in revisions for finding in one["findings"]]
    errors = [finding for finding in found if finding["level"] == "error"]
    passed = "passed" if looked else "not looked at"
    verdict = "refused" if errors else passed if revisions else "nothing to look at"
    return {
        "verdict": verdict,
        "errors": errors,
        "warnings": [finding for finding in found if finding["level"] != "error"],
        "exceptions": [waived for one in revisions for waived in one["exceptions"]],
    }


def _lint_refuses(lint: Part) -> list[str]:
    """`e0004: rule, other-rule`, for each revision."""
    rules: dict[str, list[str]] = {}
    for one in lint["errors"]:
        rules.setdefault(f"{one['revision']} ({one['file']})", []).append(one["rule"])
    return [f"{name}: {', '.join(dict.fromkeys(found))}" for name, found in rules.items()]


def _names(phases: list[Part]) -> Mapping[str, Collection[str]]:
    return {phase["phase"]: [one["revision"] for one in phase["revisions"]] for phase in phases}


def _unforeseen(error: Exception) -> str:
    said = " ".join(str(error).split())[:LONGEST_REASON]
    return f"{type(error).__name__}: {said}" if said else type(error).__name__
